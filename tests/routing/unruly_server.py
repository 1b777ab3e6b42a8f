"""A server of chat completions that misbehaves on purpose, and keeps books of its own.

Every prompt names its item ("item 17"). What the server does with it is drawn from the seed, the item
and how often that item was asked: the same in every run, in whatever order the requests come.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Literal, Self

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import running

Fault = Literal["rate", "error", "reset", "hang", "truncated", "short", "html", "loris"]
"""429 with Retry-After; 500; the connection aborted; no answer; a body that is half a JSON; a body
that ends before its Content-Length; HTML with status 200; a byte every 0.2 s."""
UNRULY: Mapping[Fault, float] = {"rate": 0.10, "error": 0.05, "reset": 0.01}
PRICE = {"input": 1.0, "output": 4.0, "as_of": "2026-11-01"}
"""USD per 1M tokens of the model "m"."""
_LORIS_SECONDS = 0.2


def prompt_of(item: int | str) -> list[Mapping[str, str]]:
    return [{"role": "user", "content": f"item {item}"}]


def answer_of(item: int | str) -> str:
    return f"answer to item {item}"


def usage_of(item: str) -> Usage:
    """Different for neighbours, so that a swapped or repeated charge shows in the sum."""
    draw = random.Random(f"usage {item}")
    return Usage(draw.randint(5, 500), draw.randint(1, 200))


def usd_of(item: str) -> float:
    usage = usage_of(item)
    return (usage.input_tokens * PRICE["input"] + usage.output_tokens * PRICE["output"]) / 1e6  # type: ignore[operator]


class UnrulyServer:
    """Use in a `with`. `faults` may be changed at any time; `stop` and `start` keep port and books."""

    def __init__(
        self, faults: Mapping[Fault, float] = UNRULY, *, seed: int = 0, retry_after: float = 0.05
    ) -> None:
        self.faults = faults
        self.seed = seed
        self.retry_after = retry_after
        self.received = 0
        """Requests read to their end."""
        self.asked: Counter[str] = Counter()
        """The same by item."""
        self.answered: Counter[str] = Counter()
        """By item, answers that were written to their end."""
        self.suffered: Counter[Fault] = Counter()
        self.left = 0
        """Clients that went away while they were kept waiting."""
        self._port = 0
        self._running = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def usd(self) -> float:
        """What the answers cost that were written to their end."""
        return sum(usd_of(item) * times for item, times in self.answered.items())

    def start(self) -> None:
        root = self._running.enter_context(running(self._add_routes, self._port))
        self._port = int(root.rpartition(":")[2])

    def stop(self) -> None:
        """Close the port and all connections, as when the process dies."""
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _add_routes(self, app: web.Application) -> None:
        app.router.add_post("/v1/chat/completions", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        prompt = (await request.json())["messages"][-1]["content"]
        found = re.search(r"item (\S+)", prompt)
        assert found, prompt
        item = found[1]
        self.received += 1
        self.asked[item] += 1
        fault = self._drawn(item)
        if fault is not None:
            self.suffered[fault] += 1
            return await self._misbehave(request, fault, item)
        response = web.Response(body=_body(item), content_type="application/json")
        await response.prepare(request)
        self.answered[item] += 1  # before the last byte: whoever has read it may count at once
        try:
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            self.answered[item] -= 1
            raise
        return response

    def _drawn(self, item: str) -> Fault | None:
        left = random.Random(f"{self.seed} {item} {self.asked[item]}").random()
        for fault, share in self.faults.items():
            if left < share:
                return fault
            left -= share
        return None

    async def _misbehave(self, request: web.Request, fault: Fault, item: str) -> web.StreamResponse:
        body = _body(item)
        if fault == "rate":
            headers = {"Retry-After": f"{self.retry_after:g}"}
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)
        if fault == "error":
            return web.json_response({"error": {"message": "out of order"}}, status=500)
        if fault == "truncated":
            return web.Response(body=body[: len(body) // 2], content_type="application/json")
        if fault == "html":
            return web.Response(text="<html><body>Sign in</body></html>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        try:
            if fault == "hang":
                await asyncio.Event().wait()
            if fault != "reset":
                await response.prepare(request)
                for place in range(len(body) // 2):
                    await response.write(body[place : place + 1])
                    if fault == "loris":
                        await asyncio.sleep(_LORIS_SECONDS)
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise
        assert request.transport is not None
        request.transport.abort()
        return response


def _body(item: str) -> bytes:
    usage = usage_of(item)
    reply: dict[str, Any] = {
        "id": f"c-{item}",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer_of(item)},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        },
    }
    return json.dumps(reply).encode()
