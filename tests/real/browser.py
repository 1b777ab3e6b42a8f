"""A real browser without a window, driven by its own debugging protocol over a loopback socket."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.real.install import NPM, REAL

__all__ = ["Page", "browser", "executable"]

_UNPACK = "import c from '@sparticuz/chromium'; console.log(await c.executablePath())"
_FLAGS = (
    "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
_LONGEST_S = 60.0


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._events: set[str] = set()

    async def open(self, url: str) -> None:
        """Load `url`, and wait until its scripts have run."""
        await self._call("Page.enable")
        for each in ("about:blank", url):  # a change of the fragment alone loads nothing
            self._events.clear()
            await self._call("Page.navigate", url=each)
            while "Page.loadEventFired" not in self._events:
                await self._message()

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of what it promises."""
        reply = await self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while (message := await self._message()).get("id") != number:
            pass
        assert "error" not in message, message
        found: dict[str, Any] = message["result"]
        return found

    async def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._socket.receive_json(timeout=_LONGEST_S)
        self._events.add(str(message.get("method")))
        return message


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """A browser with one tab; it ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            str(executable()), *_FLAGS, f"--user-data-dir={profile}",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_LONGEST_S):
                port = await _port(process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                    tab = next(each for each in await reply.json() if each["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=1 << 28) as socket:
                    yield Page(socket)
        finally:
            process.kill()
            await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async for line in process.stderr:
        found = re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line)
        if found:
            return int(found[1])
    raise AssertionError(f"the browser ended with status {await process.wait()}")


def executable() -> Path:
    """Unpacked once, into the ignored folder."""
    folder = REAL / "browser"
    path = folder / "chromium"
    if not path.exists():
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["node", "--input-type=module", "-e", _UNPACK],
            cwd=NPM, env={**os.environ, "TMPDIR": str(folder)}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=_LONGEST_S, check=True,
        )  # fmt: skip
        assert Path(done.stdout.strip()) == path, done.stdout + done.stderr
    return path
