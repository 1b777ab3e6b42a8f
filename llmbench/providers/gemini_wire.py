"""Gemini's generateContent format: a request's arguments and a reply. No I/O.

Streams are read in `llmbench.providers.gemini_stream`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.errors import BadResponseError, ContentFilteredError
from llmbench.providers.counts import count
from llmbench.providers.reply_errors import bad_response
from llmbench.providers.translate import (
    JSON_OBJECT,
    conversation,
    refused,
    stop_sequences,
    wanted_schema,
)
from llmbench.providers.wire_errors import error_from_status, shown
from llmbench.types import ChatRequest, RawAnswer, Usage

__all__ = [
    "ContentParts",
    "bad_content",
    "content_arguments",
    "raise_reported_error",
    "read_content",
    "read_usage",
]

_EFFORTS = ("minimal", "low", "medium", "high", "xhigh")
_TIERS = ("standard", "flex", "priority")
_SAME_MEANING = {
    "temperature": "temperature",
    "max_tokens": "max_output_tokens",
    "top_p": "top_p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_FINISH_WORDS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",  # the most of one request; the SDK would ask again, and is told not to
} | dict.fromkeys(
    (
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION",
        "PUP_LIMITED_DISABLED", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
    ),
    "content_filter",
)  # fmt: skip


def content_arguments(request: ChatRequest, *, provider: str) -> dict[str, Any]:
    """What the SDK's `generate_content` takes: only what the request holds, and the SDK's own loops off.

    Raises InvalidRequestError for what the API cannot honour.

    >>> hi = ChatRequest("m", [{"role": "user", "content": "hi"}])
    >>> content_arguments(hi, provider="gemini")["contents"]
    [{'role': 'user', 'parts': [{'text': 'hi'}]}]
    """
    params = request.params
    system, turns = conversation(request, provider=provider)
    config: dict[str, Any] = {
        # Both would ask several times in one call: for tools' results, and for the rest of a long answer.
        "automatic_function_calling": {"disable": True},
        "automatic_continuation": False,
    }
    config |= {theirs: params[ours] for ours, theirs in _SAME_MEANING.items() if ours in params}
    if system is not None:
        config["system_instruction"] = system
    if "stop" in params:
        config["stop_sequences"] = stop_sequences(request, provider=provider)
    if "reasoning_effort" in params:
        effort = _one_of(request, "reasoning_effort", _EFFORTS, provider)
        config["thinking_config"] = {"thinking_level": effort.upper()}
    if "service_tier" in params:
        config["service_tier"] = _one_of(request, "service_tier", _TIERS, provider)
    if "response_format" in params:
        schema = wanted_schema(request, provider=provider)
        if schema is not None:
            config["response_mime_type"] = "application/json"
        if schema is not None and schema is not JSON_OBJECT:
            config["response_json_schema"] = dict(schema)
    return {
        "model": request.model,
        "contents": [
            {
                "role": "model" if turn["role"] == "assistant" else "user",
                "parts": [{"text": turn["content"]}],
            }
            for turn in turns
        ],
        "config": config,
    }


def _one_of(request: ChatRequest, option: str, words: Sequence[str], provider: str) -> str:
    value = request.params[option]
    if value not in words:
        raise refused(
            provider, request, f"takes {option} for {request.model!r} as {', '.join(words)}; it is {value!r}."
        )
    return str(value)


def read_content(
    body: bytes | str, *, provider: str, model: str, secrets: Sequence[str] = (), tier: str | None = None
) -> RawAnswer:
    """A reply of status 200 as a RawAnswer; `tier` is the one that its headers name.

    Raises BadResponseError for anything that is not such a reply, ContentFilteredError for a prompt
    that was blocked, and the matching ProviderError for an error under status 200.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_content("something that is not JSON", body, provider, model, secrets) from error
    # A stream that was asked for without alt=sse, or whose gateway dropped it, is a list of its pieces.
    pieces = reply if isinstance(reply, list) and reply else [reply]
    parts = ContentParts(tier)
    for piece in pieces:
        if not isinstance(piece, Mapping):
            raise bad_content("JSON that is no object", body, provider, model, secrets)
        raise_reported_error(piece, provider, model, secrets)
        if parts.take(piece) is None:
            raise bad_content("content that cannot be read", body, provider, model, secrets)
    if not parts.has_candidate:
        raise bad_content("a reply without candidates", body, provider, model, secrets)
    return parts.answer()


def read_usage(usage: Any) -> Usage | None:
    """The `usageMetadata` object as inclusive counts; None where it is missing or contradicts itself.

    A count of 0 is left out by Google's JSON.

    >>> read_usage({"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}).output_tokens
    5
    """
    if not isinstance(usage, Mapping) or "promptTokenCount" not in usage:
        return None
    prompt, tools = _count(usage, "promptTokenCount"), _count(usage, "toolUsePromptTokenCount")
    written, thought = _count(usage, "candidatesTokenCount"), _count(usage, "thoughtsTokenCount")
    cached, total = _count(usage, "cachedContentTokenCount"), _count(usage, "totalTokenCount")
    if (
        prompt is None
        or tools is None
        or written is None
        or thought is None
        or cached is None
        or total is None
    ):
        return None
    if cached > prompt or ("totalTokenCount" in usage and total != prompt + tools + written + thought):
        return None
    return Usage(prompt + tools, written + thought, cached, 0, thought)


def raise_reported_error(piece: Mapping[str, Any], provider: str, model: str, secrets: Sequence[str]) -> None:
    """Raise the error that a reply or a piece of a stream carries under status 200, or the refusal of
    the prompt that stands in the place of candidates.
    """
    error = piece.get("error")
    if error:
        code = error.get("code") if isinstance(error, Mapping) else None
        status = code if isinstance(code, int) and 400 <= code <= 599 else 500
        raise error_from_status(status, piece, {}, provider, model, secrets=secrets)
    feedback = piece.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
    if reason and not piece.get("candidates"):
        raise ContentFilteredError(
            f"{provider} refused the content of a request to {model!r} "
            f"({shown(str(reason), secrets)[:80]}); it counts as an answer and scores 0.",
            provider=provider,
            model=model,
        )


class ContentParts:
    """What has been read of an answer, whole or in pieces."""

    def __init__(self, tier: str | None = None) -> None:
        self.has_candidate = False
        self.finish_reason: str | None = None
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._served: str | None = None
        self._usage: Any = None
        self._metadata: dict[str, Any] = {"service_tier": tier} if tier else {}

    def take(self, piece: Mapping[str, Any]) -> str | None:
        """Take a piece; gives the text it adds, None where it cannot be read: an answer without it
        would be another answer.
        """
        if isinstance(piece.get("modelVersion"), str):
            self._served = piece["modelVersion"] or self._served
        if isinstance(piece.get("responseId"), str):
            self._metadata["id"] = piece["responseId"]
        self._usage = piece.get("usageMetadata") or self._usage
        candidates = piece.get("candidates")
        if not candidates:
            return ""
        candidate = candidates[0] if isinstance(candidates, list) else None
        if not isinstance(candidate, Mapping):
            return None
        self.has_candidate = True
        reason = candidate.get("finishReason")
        if isinstance(reason, str):
            self.finish_reason = _FINISH_WORDS.get(reason, reason)
        if isinstance(candidate.get("finishMessage"), str):
            self._metadata["finish_message"] = candidate["finishMessage"]
        return self._take_content(candidate.get("content"))

    def _take_content(self, content: Any) -> str | None:
        if content is None:
            return ""  # a filtered candidate, or one whose tokens all went into thoughts
        parts = content.get("parts", []) if isinstance(content, Mapping) else None
        if not isinstance(parts, list):
            return None
        texts: list[str] = []
        for part in parts:
            text = part.get("text", "") if isinstance(part, Mapping) else None
            if not isinstance(text, str):
                return None
            (self._reasoning if part.get("thought") is True else texts).append(text)
        self._content += texts
        return "".join(texts)

    def answer(self) -> RawAnswer:
        """Everything taken so far as one value."""
        usage = read_usage(self._usage)
        metadata = dict(self._metadata)
        if self._usage and usage is None:
            metadata["usage_not_understood"] = self._usage
        reasoning = "".join(self._reasoning)
        if reasoning:
            metadata["reasoning"] = reasoning
        return RawAnswer(
            content="".join(self._content),
            usage=usage,
            finish_reason=self.finish_reason,
            served_model=self._served,
            metadata=metadata,
        )


def _count(table: Mapping[str, Any], key: str) -> int | None:
    return count(table, key) if key in table else 0


def bad_content(
    what: str, body: bytes | str, provider: str, model: str, secrets: Sequence[str]
) -> BadResponseError:
    """The error of a body that is not the format; `what` says what it is instead."""
    return bad_response(what, body, provider, model, secrets, interface="Gemini's generateContent interface")
