"""Ollama's /api/chat, as its API reference and specs/ollama.yaml describe it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import ANSWER, PIECES, Failure, VendorStub

_NAMES = {"num_predict": "max_tokens"}


def _failure(status: int, text: str) -> Failure:
    return Failure(status, {}, json.dumps({"error": text}))


class OllamaDialect:
    """A server of one's own has neither quota nor content filter; a proxy before it may want a key."""

    failures: Mapping[str, Failure] = {
        "unauthorized": _failure(401, "unauthorized: ECHO"),
        "missing": _failure(404, "model 'missing' not found"),
        "context": _failure(400, "the input length exceeds the context length"),
        "invalid": _failure(400, "invalid options: temperature"),
        "server": _failure(500, "llama runner process has terminated: exit status 2"),
        "busy": _failure(503, "server busy, please try again.  maximum pending requests exceeded"),
    }
    lacks = frozenset({"filtered-answer"})
    usage = Usage(11, 3)
    served: str | None = "m"

    def base_url(self, root: str) -> str:
        return root

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("Authorization", "").removeprefix("Bearer ") or None

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        async def chat(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            scenario = body["model"]
            stub.note(request, scenario, body, meant(body))
            misbehaved = await stub.misbehave(request, scenario, self)
            if misbehaved is not None:
                return misbehaved
            if body.get("stream", True):
                return await stub.send_cut_anywhere(
                    request, _lines(scenario), abort=scenario == "cut", content_type="application/x-ndjson"
                )
            return web.json_response(_last(scenario, "" if scenario == "silent" else ANSWER))

        app.router.add_post("/api/chat", chat)


def meant(body: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        key: value for key, value in body.items() if key not in {"options", "format", "truncate", "shift"}
    }
    found |= {_NAMES.get(key, key): value for key, value in body.get("options", {}).items()}
    if "format" in body:
        found["response_format"] = body["format"]
    return found


def _last(scenario: str, content: str) -> dict[str, Any]:
    return {
        "model": scenario,
        "created_at": "2026-01-01T00:00:00.000000Z",
        "message": {"role": "assistant", "content": content},
        "done": True,
        "done_reason": "length" if scenario == "long" else "stop",
        "total_duration": 60_000_000,
        "load_duration": 5_000_000,
        "prompt_eval_count": 11,
        "prompt_eval_duration": 20_000_000,
        "eval_count": 3,
        "eval_duration": 30_000_000,
    }


def _lines(scenario: str) -> list[bytes]:
    parts: list[dict[str, Any]] = [
        {
            "model": scenario,
            "created_at": "2026-01-01T00:00:00.000000Z",
            "message": {"role": "assistant", "content": piece},
            "done": False,
        }
        for piece in PIECES
    ]
    if scenario == "stream-error":
        parts.append({"error": "an error was encountered while running the model: CUDA error"})
    elif scenario != "cut":
        parts.append(_last(scenario, ""))
    return [json.dumps(part).encode() + b"\n" for part in parts]
