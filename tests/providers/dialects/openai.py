"""Chat completions as OpenAI, Azure, Together, vLLM and most gateways speak them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import ANSWER, PIECES, Failure, VendorStub

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def _failure(status: int, message: str, code: str | None = None, **headers: str) -> Failure:
    error = {"message": message, "type": code or "error", "code": code}
    return Failure(
        status, {key.replace("_", "-"): value for key, value in headers.items()}, json.dumps({"error": error})
    )


class OpenAIDialect:
    """`paths` are those of chat completions, `prefix` what a base_url ends with."""

    failures: Mapping[str, Failure] = {
        "unauthorized": _failure(401, "Incorrect API key provided: ECHO", "invalid_api_key"),
        "forbidden": _failure(403, "no access"),
        "rate": _failure(429, "Rate limit reached", "rate_limit_exceeded", Retry_After="1"),
        "quota": _failure(429, "You exceeded your current quota", "insufficient_quota"),
        "missing": _failure(404, "The model does not exist", "model_not_found"),
        "context": _failure(400, "maximum context length is 8192 tokens", "context_length_exceeded"),
        "filter": _failure(400, "content management policy", "content_filter"),
        "invalid": _failure(400, "Invalid value for temperature"),
        "server": _failure(500, "The server had an error"),
        "busy": Failure(503, {}, "upstream connect error"),
    }
    usage = Usage(11, 3, cache_read_tokens=4, reasoning_tokens=1)
    served: str | None = "m-2026-01-01"

    def __init__(
        self,
        *,
        path: str = "/v1/chat/completions",
        prefix: str = "/v1",
        key_header: str = "Authorization",
        max_tokens_field: str = "max_tokens",
    ) -> None:
        self._path = path
        self._prefix = prefix
        self._key_header = key_header
        self._max_tokens_field = max_tokens_field

    def base_url(self, root: str) -> str:
        return root + self._prefix

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        return headers.get(self._key_header, "").removeprefix("Bearer ") or None

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        async def chat(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            scenario = request.match_info.get("deployment") or body["model"]
            stub.note(request, scenario, body, self._meant(body))
            misbehaved = await stub.misbehave(request, scenario, self)
            if misbehaved is not None:
                return misbehaved
            if body.get("stream"):
                return await stub.send_cut_anywhere(
                    request,
                    _events(scenario),
                    abort=scenario == "cut",
                    content_type="text/event-stream",
                )
            return web.json_response(completion(scenario))

        app.router.add_post(self._path, chat)

    def _meant(self, body: dict[str, Any]) -> dict[str, Any]:
        meant = {key: value for key, value in body.items() if key != "stream_options"}
        if self._max_tokens_field in meant:
            meant["max_tokens"] = meant.pop(self._max_tokens_field)
        if "response_format" in meant:
            meant["response_format"] = meant["response_format"]["json_schema"]["schema"]
        return meant


def completion(scenario: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{scenario}-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None if scenario == "silent" else ANSWER},
                "finish_reason": {"long": "length", "filtered-answer": "content_filter"}.get(
                    scenario, "stop"
                ),
            }
        ],
        "usage": USAGE,
    }


def _events(scenario: str) -> list[bytes]:
    chunks: list[dict[str, Any]] = [_chunk(scenario, {"role": "assistant", "content": ""})]
    chunks += [_chunk(scenario, {"content": piece}) for piece in PIECES]
    if scenario == "stream-error":
        chunks.append({"error": {"message": "engine died", "code": 500}})
    elif scenario != "cut":
        chunks.append(_chunk(scenario, {}, finish_reason="stop"))
        chunks.append({**_chunk(scenario, {}), "choices": [], "usage": USAGE})
    events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return events if scenario in {"cut", "stream-error"} else [*events, b"data: [DONE]\n\n"]


def _chunk(scenario: str, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": f"{scenario}-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
