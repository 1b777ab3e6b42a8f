"""Gemini's generateContent, as google-genai 3.4 and its reference describe it.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from llmbench.types import Usage
from tests.providers.vendor_stub import ANSWER, PIECES, Failure, VendorStub

THOUGHT = "They greet; greet back."
# The prompt with what the cache holds; candidates without the thoughts.
COUNTS = {
    "promptTokenCount": 11,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 6,
    "totalTokenCount": 20,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 11}],
}
OVERLOADED = {
    "error": {
        "code": 503,
        "message": "The model is overloaded. Please try again later.",
        "status": "UNAVAILABLE",
    }
}
_HELP = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [{"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/limits"}],
}
_SPENT = (
    "You exceeded your current quota, please check your plan and billing details. For more information on "
    "this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)


def _failure(code: int, status: str, message: str, *details: Mapping[str, Any]) -> Failure:
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        error["details"] = details
    return Failure(code, {}, json.dumps({"error": error}, indent=2))


class GeminiDialect:
    """Bodies are those that users report; each names a thread that holds it."""

    failures: Mapping[str, Failure] = {
        # https://github.com/cequence-io/openai-scala-client/issues/109: status 400
        "unauthorized": _failure(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
        ),
        # https://github.com/google/generative-ai-docs/issues/356: with the key in it
        "forbidden": _failure(
            403,
            "PERMISSION_DENIED",
            "Permission denied: Consumer 'api_key:ECHO' has been suspended.",
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "CONSUMER_SUSPENDED",
                "domain": "googleapis.com",
            },
        ),
        # https://github.com/RooCodeInc/Roo-Code/issues/3883: worded as an exhausted quota, and waiting helps
        "rate": _failure(
            429,
            "RESOURCE_EXHAUSTED",
            _SPENT,
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": "generativelanguage.googleapis.com/"
                        "generate_content_free_tier_input_token_count",
                        "quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier",
                        "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
                        "quotaValue": "250000",
                    }
                ],
            },
            _HELP,
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"},
        ),
        # https://github.com/gke-labs/gemini-for-kubernetes-development/issues/1215
        "quota": _failure(429, "RESOURCE_EXHAUSTED", _SPENT, _HELP),
        # https://github.com/google/adk-python/issues/200
        "missing": _failure(
            404,
            "NOT_FOUND",
            "models/missing is not found for API version v1beta, or is not supported for generateContent. "
            "Call ListModels to see the list of available models and their supported methods.",
        ),
        # https://github.com/google-gemini/gemini-cli/issues/4231
        "context": _failure(
            400,
            "INVALID_ARGUMENT",
            "The input token count (3475108) exceeds the maximum number of tokens allowed (1048576).",
        ),
        "filter": Failure(
            200,
            {},
            json.dumps(
                {
                    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
                    "usageMetadata": {"promptTokenCount": 11, "totalTokenCount": 11},
                    "modelVersion": "filter-001",
                }
            ),
        ),
        "invalid": _failure(
            400,
            "INVALID_ARGUMENT",
            "* GenerateContentRequest.generation_config.max_output_tokens: must be positive",
        ),
        "server": _failure(500, "INTERNAL", "An internal error has occurred. Please retry."),
        # https://github.com/google-gemini/gemini-cli/issues/4597
        "busy": Failure(503, {}, json.dumps(OVERLOADED)),
    }
    usage = Usage(11, 9, cache_read_tokens=4, reasoning_tokens=6)
    served: str | None = "m-001"

    def base_url(self, root: str) -> str:
        return root

    def key_of(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-goog-api-key")

    def add_routes(self, app: web.Application, stub: VendorStub) -> None:
        async def generate(request: web.Request) -> web.StreamResponse:
            body = await request.json()
            scenario, method = request.match_info["call"].rsplit(":", 1)
            streaming = method == "streamGenerateContent" and request.query.get("alt") == "sse"
            assert streaming or method == "generateContent"
            stub.note(request, scenario, body, _meant(scenario, body, streaming=streaming))
            misbehaved = await stub.misbehave(request, scenario, self)
            if misbehaved is not None:
                return misbehaved
            if streaming:
                return await stub.send_cut_anywhere(
                    request, _events(scenario), abort=scenario == "cut", content_type="text/event-stream"
                )
            return web.json_response(content(scenario), headers={"x-gemini-service-tier": "standard"})

        app.router.add_post("/v1beta/models/{call}", generate)


def _meant(model: str, body: Mapping[str, Any], *, streaming: bool) -> dict[str, Any]:
    rest = dict(body)
    roles = {"user": "user", "model": "assistant"}
    messages = [{"role": roles[turn["role"]], "content": _text(turn)} for turn in rest.pop("contents")]
    if "systemInstruction" in rest:
        messages.insert(0, {"role": "system", "content": _text(rest.pop("systemInstruction"))})
    meant: dict[str, Any] = {"model": model, "messages": messages}
    if streaming:
        meant["stream"] = True
    if "serviceTier" in rest:
        meant["service_tier"] = rest.pop("serviceTier")
    config = rest.pop("generationConfig", {})
    if "responseJsonSchema" in config:
        assert config.pop("responseMimeType") == "application/json"
    if "thinkingConfig" in config:
        thinking = config.pop("thinkingConfig")
        # The SDK writes this one name with an underscore; Google's JSON takes either.
        meant["reasoning_effort"] = thinking.pop("thinking_level").lower()
        meant |= thinking
    ours = {
        "maxOutputTokens": "max_tokens",
        "topP": "top_p",
        "stopSequences": "stop",
        "presencePenalty": "presence_penalty",
        "frequencyPenalty": "frequency_penalty",
        "responseJsonSchema": "response_format",
    }
    return meant | {ours.get(key, key): value for key, value in (config | rest).items()}


def _text(content: Mapping[str, Any]) -> str:
    (part,) = content["parts"]
    assert set(part) == {"text"}
    return str(part["text"])


def content(scenario: str) -> dict[str, Any]:
    parts = [{"text": THOUGHT, "thought": True}, {"text": ANSWER, "thoughtSignature": "c2ln"}]
    reason = {"long": "MAX_TOKENS", "filtered-answer": "SAFETY"}.get(scenario, "STOP")
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "finishReason": reason}
    if scenario == "silent":
        candidate["content"] = {"role": "model"}
    if scenario == "filtered-answer":
        del candidate["content"]
    return {
        "candidates": [candidate | {"index": 0}],
        "usageMetadata": COUNTS,
        "modelVersion": f"{scenario}-001",
        "responseId": "response-1",
    }


def _events(scenario: str) -> list[bytes]:
    pieces = [_piece(scenario, {"text": THOUGHT, "thought": True})]
    pieces += [_piece(scenario, {"text": piece}) for piece in PIECES]
    if scenario not in {"cut", "stream-error"}:
        last = _piece(scenario, {"text": "", "thoughtSignature": "c2ln"})
        last["candidates"][0]["finishReason"] = "STOP"
        pieces.append(last | {"usageMetadata": COUNTS})
    events = [f"data: {json.dumps(piece)}\r\n\r\n".encode() for piece in pieces]
    if scenario == "stream-error":
        # Not an event: https://github.com/vercel/ai/issues/5217
        events.append(json.dumps(OVERLOADED, indent=2).encode())
    return events


def _piece(scenario: str, part: dict[str, Any]) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 11, "totalTokenCount": 11},
        "modelVersion": f"{scenario}-001",
        "responseId": "response-1",
    }
