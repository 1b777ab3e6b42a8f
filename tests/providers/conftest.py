"""A stub of an OpenAI-compatible server on loopback; the model's name chooses what it does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


@dataclass
class StubServer:
    """What it was asked, and where it is."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    cut: threading.Event = field(default_factory=threading.Event)
    """Set when a client left in the middle of an answer."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.connections.add(request.transport)
        model = body["model"]
        if model in ERRORS:
            status, headers, text = ERRORS[model]
            echoed = request.headers.get("Authorization", "")
            return web.Response(
                status=status,
                headers=headers,
                text=text.replace("ECHO", echoed),
                content_type="application/json",
            )
        if model == "flaky" and len([b for b in self.bodies if b["model"] == "flaky"]) < 3:
            return web.json_response({"error": {"message": "overloaded"}}, status=503)
        if model == "html":
            return web.Response(text="<html>gateway</html>", content_type="text/html")
        if model == "garbage":
            return web.Response(text='{"choices": [', content_type="application/json")
        if model == "slow":
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                self.cut.set()
                raise
        if body.get("stream"):
            return await self.stream(request, model)
        return web.json_response(completion(model))

    async def stream(self, request: web.Request, model: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        lines = [json.dumps(chunk(model, {"role": "assistant", "content": ""}))]
        lines += [json.dumps(chunk(model, {"content": piece})) for piece in ("Grüße", ", ", "welt")]
        for line in lines:
            data = f"data: {line}\n\n".encode()
            for start in range(0, len(data), 7):  # splits lines and UTF-8 characters
                await response.write(data[start : start + 7])
        if model == "cut":
            assert request.transport is not None
            request.transport.abort()
            return response
        if model == "stream-error":
            await response.write(b'data: {"error": {"message": "engine died", "code": 500}}\n\n')
            return response
        last = chunk(model, {}) | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        await response.write(f"data: {json.dumps(last)}\n\n".encode())
        usage = chunk(model, {}) | {"choices": [], "usage": USAGE}
        await response.write(f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n".encode())
        return response


def completion(model: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{model}-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None if model == "silent" else "Grüße, welt"},
                "finish_reason": {"long": "length", "filtered-answer": "content_filter"}.get(model, "stop"),
            }
        ],
        "usage": USAGE,
    }


def chunk(model: str, delta: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": f"{model}-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }


def _error(message: str, code: str | None = None, kind: str = "error") -> str:
    return json.dumps({"error": {"message": message, "type": kind, "code": code}})


ERRORS: dict[str, tuple[int, dict[str, str], str]] = {
    "unauthorized": (401, {}, _error("Incorrect API key provided: ECHO", "invalid_api_key")),
    "forbidden": (403, {}, _error("no access", None)),
    "rate": (429, {"Retry-After": "1"}, _error("Rate limit reached", "rate_limit_exceeded")),
    "quota": (429, {}, _error("You exceeded your current quota", "insufficient_quota", "insufficient_quota")),
    "missing": (404, {}, _error("The model does not exist", "model_not_found")),
    "context": (400, {}, _error("maximum context length is 8192 tokens", "context_length_exceeded")),
    "filter": (400, {}, _error("content management policy", "content_filter")),
    "invalid": (400, {}, _error("Invalid value for temperature", None)),
    "server": (500, {}, _error("The server had an error")),
    "busy": (503, {}, "upstream connect error"),
}


@pytest.fixture
def stub() -> Iterator[StubServer]:
    server = StubServer()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", server.chat)
        # A client that leaves cancels its handler, which is how the stub sees it.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        runners.append(runner)
        ready.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield server
    asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
