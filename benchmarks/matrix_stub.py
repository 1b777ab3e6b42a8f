"""The server of bench_matrix.py: answers a chat completion after a fixed delay, and counts.

A cell is a model and an item, whose number stands in the prompt as `Item 123:`. With faults on,
attempts of a cell fail by a hash of cell and attempt, so that every client meets the same ones: 10% 429
with Retry-After 1, 5% 500, 1% cut connections. A cell is billed when its answer is ready, whether
or not the client is still there to take it.

Run as `python matrix_stub.py`: prints its port. `POST /reset` with {"delay_ms", "faults"} begins
anew, `GET /counts` tells.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from typing import Any

from aiohttp import web

_ITEM = re.compile(r"Item (\d+):")


class Stub:
    def __init__(self) -> None:
        self.reset(0.0, faults=False)

    def reset(self, delay_ms: float, *, faults: bool) -> None:
        self.delay_s = delay_ms / 1000
        self.faults = faults
        self.requests = 0
        self.in_flight = 0
        self.peak = 0
        self.failed: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.billed: Counter[str] = Counter()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/counts":
            return web.json_response(self.counts())
        if request.path == "/reset":
            self.reset(**await request.json())
            return web.Response()
        try:
            body = json.loads(await request.read())
        except ConnectionResetError:  # the client was killed
            return web.Response()
        found = _ITEM.search(str(body["messages"][-1]["content"]))
        if found is None:
            return web.json_response({"error": {"message": "no item"}}, status=400)
        return await self.answer(request, body["model"], found[1])

    async def answer(self, request: web.BaseRequest, model: str, item: str) -> web.StreamResponse:
        cell = f"{model} {item}"
        self.attempts[cell] += 1
        self.requests += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            fault = self._fault(cell) if self.faults else None
            if fault == "429":
                limited = {"error": {"message": "too many requests", "type": "rate_limit"}}
                return web.json_response(limited, status=429, headers={"Retry-After": "1"})
            await asyncio.sleep(self.delay_s)
            if fault == "500":
                return web.json_response({"error": {"message": "internal error"}}, status=500)
            if fault == "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            self.billed[cell] += 1
            return web.Response(body=reply(model, item), content_type="application/json")
        finally:
            self.in_flight -= 1

    def _fault(self, cell: str) -> str | None:
        digest = hashlib.sha256(f"{cell} {self.attempts[cell]}".encode()).digest()
        share = int.from_bytes(digest[:4], "big") / 2**32
        fault = "429" if share < 0.10 else "500" if share < 0.15 else "reset" if share < 0.16 else None
        if fault:
            self.failed[fault] += 1
        return fault

    def counts(self) -> dict[str, Any]:
        billed = sum(self.billed.values())
        return {
            "requests": self.requests,
            "billed": billed,
            "cells": len(self.billed),
            "twice": billed - len(self.billed),
            "in_flight": self.in_flight,
            "peak": self.peak,
            "failed": dict(self.failed),
            "attempts": max(self.attempts.values(), default=0),
        }


def reply(model: str, item: str) -> bytes:
    message = {"role": "assistant", "content": f"This is item {item}."}
    return json.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 6, "total_tokens": 66},
        }
    ).encode()


async def main() -> None:
    server = web.Server(Stub().handle, access_log=None)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
