"""An emulation of Ollama over llama.cpp's own server: no package ships Ollama's.

Tokens, texts and durations are llama.cpp's. What is emulated is Ollama's dialect: /api/chat,
/api/tags and /api/version, whole and as lines, checked against Ollama's own OpenAPI file.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

__all__ = ["EMULATED_VERSION", "OllamaEmulation"]

EMULATED_VERSION = "0.0.0-emulation"
_OPTIONS = {
    "num_predict": "max_tokens",
    **{name: name for name in ("temperature", "top_p", "seed", "stop", "presence_penalty")},
    "frequency_penalty": "frequency_penalty",
    "num_ctx": None,  # fixed when the server starts
}


@dataclass(slots=True)
class OllamaEmulation:
    """`models`: tags, and the names under which the llama.cpp server at `target` has them."""

    target: str
    models: dict[str, str]
    load_ns: int
    """What loading the model took; told of the first chat, as Ollama does."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    _is_loaded: bool = False

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/chat", self._chat)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_get("/api/version", self._version)
        return app

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": EMULATED_VERSION})

    async def _tags(self, _: web.Request) -> web.Response:
        rows = [
            {"name": tag, "model": tag, "modified_at": _now(), "details": {"format": "gguf"}}
            for tag in self.models
        ]
        return web.json_response({"models": rows})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        began = time.perf_counter_ns()
        body = await request.json()
        self.requests.append(body)
        if body["model"] not in self.models:
            return web.json_response({"error": f"model '{body['model']}' not found"}, status=404)
        try:
            asked = self._translated(body)
        except KeyError as unknown:
            return web.json_response({"error": f"invalid option: {unknown}"}, status=400)
        load_ns, self._is_loaded = (0 if self._is_loaded else self.load_ns), True
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.target}/v1/chat/completions", json=asked) as reply,
        ):
            if reply.status != 200:
                said = (await reply.json(content_type=None))["error"]["message"]
                return web.json_response({"error": said}, status=reply.status)
            events = self._events(reply, body["model"], began, load_ns)
            if body.get("stream", True):
                return await _send_lines(request, events)
            texts, last = [], {}
            async for last in events:
                texts.append(last["message"]["content"])
            return web.json_response({**last, "message": {"role": "assistant", "content": "".join(texts)}})

    def _translated(self, body: dict[str, Any]) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self.models[body["model"]],
            "messages": body["messages"],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        for name, value in (body.get("options") or {}).items():
            if (ours := _OPTIONS[name]) is not None:
                asked[ours] = value
        if body.get("format") == "json":
            asked["response_format"] = {"type": "json_object"}
        elif body.get("format"):
            schema = {"name": "format", "schema": body["format"]}
            asked["response_format"] = {"type": "json_schema", "json_schema": schema}
        return asked

    async def _events(
        self, reply: aiohttp.ClientResponse, tag: str, began: int, load_ns: int
    ) -> AsyncIterator[dict[str, Any]]:
        """Ollama's events; the last has the counts and, in nanoseconds, the durations."""
        reason, usage, timings = "stop", {}, {}
        async for line in reply.content:
            data = line.removeprefix(b"data: ").strip()
            if not data.startswith(b"{"):
                continue
            chunk = json.loads(data)
            usage, timings = chunk.get("usage") or usage, chunk.get("timings") or timings
            for choice in chunk["choices"]:
                reason = choice["finish_reason"] or reason
                if text := choice["delta"].get("content"):
                    yield _event(tag, text, done=False)
        yield {
            **_event(tag, "", done=True),
            "done_reason": reason,
            "total_duration": time.perf_counter_ns() - began + load_ns,
            "load_duration": load_ns,
            "prompt_eval_count": usage["prompt_tokens"],
            "prompt_eval_duration": round(timings["prompt_ms"] * 1e6),
            "eval_count": usage["completion_tokens"],
            "eval_duration": round(timings["predicted_ms"] * 1e6),
        }


async def _send_lines(request: web.Request, events: AsyncIterator[dict[str, Any]]) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await answer.prepare(request)
    async for event in events:
        await answer.write(json.dumps(event).encode() + b"\n")
    await answer.write_eof()
    return answer


def _event(tag: str, text: str, *, done: bool) -> dict[str, Any]:
    return {
        "model": tag,
        "created_at": _now(),
        "message": {"role": "assistant", "content": text},
        "done": done,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
