"""A server that a test starts by itself, waits for, and stops."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from llmbench.providers.base import BaseLLMProvider
from llmbench.types import LLMResponse
from tests.real.install import MODELS, NODE_MODULES, REAL, VLLM_PYTHON

__all__ = [
    "MODELS",
    "NODE_MODULES",
    "SCHEMA",
    "VLLM_PYTHON",
    "Part",
    "ask",
    "check_schema",
    "message",
    "python",
    "response_format",
    "start_cancel",
    "stream",
    "together",
    "wait_until",
]

_SECRETS = ("_API_KEY", "_API_TOKEN", "_TOKEN", "_SECRET", "_PASSWORD")
_STOP_S = 20.0
_SHOWN_LINES = 40

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"verdict": {"enum": ["good", "bad"]}, "sure": {"type": "boolean"}},
    "required": ["verdict", "sure"],
    "additionalProperties": False,
}
"""Has finitely many answers, so that a model of noise comes to an end of each."""


class Part:
    """A server process on a free loopback port; `with Part(...)` waits until it answers."""

    def __init__(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        *,
        ready: str,
        within_s: float,
        environment: Mapping[str, str] | None = None,
        any_status: bool = False,
        folder: Path | None = None,
        one_core: bool = False,
    ) -> None:
        self.name = name
        self.port = _free_port()
        self.log = REAL / "logs" / f"{name}.log"
        self._command = [str(word) for word in command(self.port)]
        self._ready = ready
        self._any_status = any_status
        self._folder = folder
        self._one_core = one_core
        self._within_s = within_s
        # A developer's keys are none of the server's business.
        clean = {key: value for key, value in os.environ.items() if not key.endswith(_SECRETS)}
        self._environment = {**clean, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        if not Path(self._command[0]).exists():
            pytest.fail(f"{self.name} is not installed; run: make test-real", pytrace=False)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=os.name != "nt",  # so that its children can be stopped with it
            )
        if self._one_core and sys.platform == "linux":
            os.sched_setaffinity(self.pid, {min(os.sched_getaffinity(0))})
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        assert self._process is not None
        end = time.monotonic() + self._within_s
        while time.monotonic() < end:
            if self._process.poll() is not None:
                self._fail(f"ended with status {self._process.returncode} before it was ready")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, _ = self.get(self._ready)
                if status == 200 or self._any_status:
                    return
            time.sleep(0.1)
        self._fail(f"was not ready within {self._within_s:g} s")

    def _fail(self, what: str) -> None:
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        pytest.fail("\n".join([f"{self.name} {what}; its log ends:", *tail]), pytrace=False)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of a GET, past any proxy of the environment's."""
        return self.request("GET", path, headers=headers)

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json", **(headers or {})},
            )
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask it to end; then end it, and the children it left."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if os.name != "nt":
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
                os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def python(script: str, *arguments: object) -> list[str]:
    """The command that runs a script of this folder by this Python."""
    return [sys.executable, str(Path(__file__).parent / script), *map(str, arguments)]


# What every part is asked


def message(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def ask(provider: BaseLLMProvider, text: str, **options: Any) -> LLMResponse:
    """One call in an event loop of its own, with its connections closed behind it."""

    async def call() -> LLMResponse:
        try:
            return await provider.chat_completion(message(text), **options)
        finally:
            await provider.aclose()

    return asyncio.run(call())


def stream(provider: BaseLLMProvider, text: str, **options: Any) -> tuple[list[str], LLMResponse]:
    """The pieces of a streamed answer, and the whole."""

    async def call() -> tuple[list[str], LLMResponse]:
        answer = provider.stream_chat_completion(message(text), **options)
        try:
            return [piece async for piece in answer], answer.response
        finally:
            await answer.aclose()
            await provider.aclose()

    return asyncio.run(call())


def together(provider: BaseLLMProvider, calls: Sequence[Mapping[str, Any]]) -> list[LLMResponse]:
    """All calls at once."""

    async def call() -> list[LLMResponse]:
        try:
            return await asyncio.gather(*(provider.chat_completion(**options) for options in calls))
        finally:
            await provider.aclose()

    return asyncio.run(call())


def start_cancel(provider: BaseLLMProvider, is_busy: Callable[[], bool], **options: Any) -> None:
    """Start a call, and cancel it once the server works on it."""

    async def call() -> None:
        task = asyncio.ensure_future(provider.chat_completion(**options))
        try:
            await _until(is_busy, "the server never worked on the request", within_s=15, every_s=0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        finally:
            await provider.aclose()

    asyncio.run(call())


async def _until(is_so: Callable[[], bool], failure: str, *, within_s: float, every_s: float) -> None:
    end = time.monotonic() + within_s
    while not await asyncio.to_thread(is_so):
        if time.monotonic() > end:
            pytest.fail(failure)
        await asyncio.sleep(every_s)


def wait_until(
    is_so: Callable[[], bool], failure: str, *, within_s: float = 15, every_s: float = 0.1
) -> None:
    """Return once `is_so()`; fail with `failure` where that takes too long."""
    asyncio.run(_until(is_so, failure, within_s=within_s, every_s=every_s))


def response_format(schema: Mapping[str, Any] = SCHEMA) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "review", "schema": schema, "strict": True}}


def check_schema(text: str, schema: Mapping[str, Any] = SCHEMA) -> Any:
    """`text` as JSON, once it obeys the schema."""
    import jsonschema

    value = json.loads(text)
    jsonschema.validate(value, schema)
    return value
