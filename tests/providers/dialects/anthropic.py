"""Anthropic's Messages interface, as its SDK 2.12 and its reference describe it.

https://docs.anthropic.com/en/api/messages, .../messages-streaming and .../errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import ANSWER, PIECES, Failure, VendorStub

THOUGHT = "They greet; greet back."
# Input without what the cache holds; output with the thinking.
COUNTS = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 4,
    "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"thinking_tokens": 6},
    "service_tier": "standard",
}


def _failure(status: int, kind: str, message: str, **headers: str) -> Failure:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return Failure(status, {key.replace("_", "-"): value for key, value in headers.items()}, json.dumps(body))


class AnthropicDialect:
    """Bodies are those that users report; each names a thread that holds it."""

    failures: Mapping[str, Failure] = {
        # https://github.com/Good-player/free-claude-api-and-anthropic/issues/14
        "unauthorized": _failure(401, "authentication_error", "invalid x-api-key: ECHO"),
        # https://github.com/anthropics/claude-code/issues/51610
        "forbidden": _failure(403, "permission_error", "Permission denied"),
        # https://github.com/anthropics/claude-code/issues/55132
        "rate": _failure(
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 30,000 input tokens per minute. "
            "Please reduce the prompt length or the maximum tokens requested, or try again later. You may "
            "also contact sales to discuss your options for a rate limit increase.",
            retry_after="1",
        ),
        # https://github.com/anthropics/claude-code/issues/66314: status 400
        "quota": _failure(
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
            "upgrade or purchase credits.",
        ),
        "missing": _failure(404, "not_found_error", "model: missing"),
        # https://github.com/anthropics/claude-code/issues/12186
        "context": _failure(
            400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"
        ),
        # https://github.com/anthropics/claude-code/issues/58367
        "filter": _failure(400, "invalid_request_error", "Output blocked by content filtering policy"),
        "invalid": _failure(400, "invalid_request_error", "max_tokens: 9 > 8, which is the maximum allowed"),
        "server": _failure(500, "api_error", "Internal server error"),
        "busy": _failure(529, "overloaded_error", "Overloaded"),
    }
    usage = Usage(11, 9, cache_read_tokens=4, cache_write_tokens=2, reasoning_tokens=6)
    served: str | None = "m-20260101"

    def base_url(self, root: str) -> str:
        return root

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        # The SDK sends a bearer token from 2.0 on, x-api-key before; the vendor takes either.
        return headers.get("x-api-key") or headers.get("Authorization", "").removeprefix("Bearer ") or None

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        async def messages(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            scenario = body["model"]
            stub.note(request, scenario, body, _meant(body))
            misbehaved = await stub.misbehave(request, scenario, self) or refusal(
                body, request.headers.get("anthropic-version", "")
            )
            if misbehaved is not None:
                return misbehaved
            if body.get("stream"):
                return await stub.send_cut_anywhere(
                    request, _events(scenario), abort=scenario == "cut", content_type="text/event-stream"
                )
            return web.json_response(message(scenario), headers={"request-id": "req_2"})

        app.router.add_post("/v1/messages", messages)


def refusal(body: Mapping[str, Any], version: str) -> web.Response | None:
    """What the vendor refuses of any request: a missing header or field, a field it does not know."""
    known = {"model", "max_tokens", "messages", "system", "stop_sequences", "stream", "output_config"}
    known |= {"temperature", "top_p"} if version == "2023-06-01" else set()
    problems = [f"{key}: Extra inputs are not permitted" for key in sorted(set(body) - known)]
    problems += [f"{key}: Field required" for key in ("max_tokens", "messages") if key not in body]
    problems += [] if version in {"2023-06-01", "2026-10-21"} else ["anthropic-version: header is required"]
    roles = [turn["role"] for turn in body.get("messages", ())]
    problems += [] if set(roles) <= {"user", "assistant"} else ["messages: Unexpected role"]
    if not problems:
        return None
    failure = _failure(400, "invalid_request_error", problems[0])
    return web.Response(status=400, text=failure.text, content_type="application/json")


def _meant(body: Mapping[str, Any]) -> dict[str, Any]:
    meant = dict(body)
    system = meant.pop("system", None)
    if system is not None:
        meant["messages"] = [{"role": "system", "content": system}, *meant["messages"]]
    if "stop_sequences" in meant:
        meant["stop"] = meant.pop("stop_sequences")
    config = meant.pop("output_config", {})
    if "effort" in config:
        meant["reasoning_effort"] = config["effort"]
    if "format" in config:
        assert set(config["format"]) == {"type", "schema"}
        meant["response_format"] = config["format"]["schema"]
    return meant


def _stop_reason(scenario: str) -> str:
    return {"long": "max_tokens", "filtered-answer": "refusal"}.get(scenario, "end_turn")


def message(scenario: str) -> dict[str, Any]:
    thinking = {"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"}
    text = {"type": "text", "text": ANSWER}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": f"{scenario}-20260101",
        "content": [] if scenario == "silent" else [thinking, text],
        "stop_reason": _stop_reason(scenario),
        "stop_sequence": None,
        "usage": COUNTS,
    }


def _events(scenario: str) -> list[bytes]:
    start = message(scenario) | {"content": [], "stop_reason": None}
    start["usage"] = COUNTS | {"output_tokens": 1, "output_tokens_details": None}
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": thinking},
        {"type": "ping"},
        _delta(0, {"type": "thinking_delta", "thinking": THOUGHT}),
        _delta(0, {"type": "signature_delta", "signature": "c2ln"}),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        *(_delta(1, {"type": "text_delta", "text": piece}) for piece in PIECES),
    ]
    if scenario == "stream-error":
        events.append({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    elif scenario != "cut":
        events += [
            {"type": "content_block_stop", "index": 1},
            {
                "type": "message_delta",
                "delta": {"stop_reason": _stop_reason(scenario), "stop_sequence": None},
                "usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}},
            },
            {"type": "message_stop"},
        ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}
