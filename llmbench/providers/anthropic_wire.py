"""Anthropic's Messages format: a request's arguments and a reply. No I/O.

Streams are read in `llmbench.providers.anthropic_stream`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.errors import BadResponseError
from llmbench.providers.counts import count
from llmbench.providers.reply_errors import bad_response
from llmbench.providers.translate import (
    JSON_OBJECT,
    conversation,
    refused,
    stop_sequences,
    wanted_schema,
)
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import ChatRequest, RawAnswer, Usage

__all__ = [
    "MessageParts",
    "bad_message",
    "message_arguments",
    "raise_reported_error",
    "read_message",
    "read_usage",
]

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SAMPLING = ("temperature", "top_p")
# API version 2026-10-21, which the SDK speaks from 2.0 on, takes no sampling parameter, for no model;
# its predecessor does, for the models that have them, and the SDK sends what stands in `extra_body`:
# https://github.com/anthropics/anthropic-sdk-python/blob/main/MIGRATION.md
_SAMPLING_VERSION = {"anthropic-version": "2023-06-01"}
_FINISH_WORDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
# An error in mid-stream has a type and no status: https://docs.anthropic.com/en/api/errors
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def message_arguments(request: ChatRequest, *, max_output: int | None, provider: str) -> dict[str, Any]:
    """What the SDK's `messages.create` takes: only what the request holds.

    `max_output` is the most that the model can write, sent where the request names no max_tokens:
    the API demands one. Raises InvalidRequestError for what the API cannot honour.

    >>> hi = ChatRequest("m", [{"role": "user", "content": "hi"}])
    >>> message_arguments(hi, max_output=64, provider="anthropic")
    {'model': 'm', 'max_tokens': 64, 'messages': [{'role': 'user', 'content': 'hi'}]}
    """
    params = request.params
    system, turns = conversation(request, provider=provider)
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": params.get("max_tokens", max_output),
        "messages": [dict(turn) for turn in turns],
    }
    if arguments["max_tokens"] is None:
        raise refused(
            provider,
            request,
            f"demands max_tokens, and the catalog does not know how much {request.model!r} can write; "
            "give max_tokens=...",
        )
    if system is not None:
        arguments["system"] = system
    if "stop" in params:
        arguments["stop_sequences"] = stop_sequences(request, provider=provider)
    output = _output_config(request, provider)
    if output:
        arguments["output_config"] = output
    sampling = {key: params[key] for key in _SAMPLING if key in params}
    if sampling.get("temperature", 0) > 1:
        raise refused(
            provider,
            request,
            f"takes temperature for {request.model!r} from 0 to 1; it is {sampling['temperature']!r}.",
        )
    if sampling:
        arguments |= {"extra_body": sampling, "extra_headers": dict(_SAMPLING_VERSION)}
    return arguments


def _output_config(request: ChatRequest, provider: str) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if "reasoning_effort" in request.params:
        effort = request.params["reasoning_effort"]
        if effort not in _EFFORTS:
            raise refused(
                provider,
                request,
                f"takes reasoning_effort for {request.model!r} as {', '.join(_EFFORTS)}; it is {effort!r}.",
            )
        config["effort"] = effort
    if "response_format" in request.params:
        schema = wanted_schema(request, provider=provider)
        if schema is JSON_OBJECT:
            raise refused(
                provider,
                request,
                f'cannot promise {request.model!r} to write any JSON object: response_format "json_object" '
                'is not in its interface; use "json_schema".',
            )
        if schema is not None:
            config["format"] = {"type": "json_schema", "schema": dict(schema)}
    return config


def read_message(
    body: bytes | str,
    *,
    provider: str,
    model: str,
    secrets: Sequence[str] = (),
    request_id: str | None = None,
) -> RawAnswer:
    """A reply of status 200 as a RawAnswer. Raises BadResponseError for anything that is not a message."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_message("something that is not JSON", body, provider, model, secrets) from error
    if not isinstance(reply, dict):
        raise bad_message("JSON that is no object", body, provider, model, secrets)
    raise_reported_error(reply, provider, model, secrets)
    blocks = reply.get("content")
    if not isinstance(blocks, list):
        raise bad_message("a reply without content", body, provider, model, secrets)
    parts = MessageParts(request_id)
    parts.take_message(reply)
    for block in blocks:
        if parts.take_block(block) is None:
            raise bad_message("a block of content that cannot be read", body, provider, model, secrets)
    return parts.answer()


def read_usage(usage: Any) -> Usage | None:
    """The `usage` object as inclusive counts; None where it is missing or contradicts itself.

    >>> read_usage({"input_tokens": 1, "cache_read_input_tokens": 8, "output_tokens": 2}).input_tokens
    9
    """
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("output_tokens_details")
    fresh, written = count(usage, "input_tokens"), count(usage, "output_tokens")
    read = count(usage, "cache_read_input_tokens", missing=0)
    cached = count(usage, "cache_creation_input_tokens", missing=0)
    thought = count(details, "thinking_tokens", missing=0) if isinstance(details, Mapping) else 0
    if fresh is None or written is None or read is None or cached is None or thought is None:
        return None
    if thought > written:
        return None
    return Usage(fresh + read + cached, written, read, cached, thought)


class MessageParts:
    """What has been read of a message, whole or in pieces."""

    def __init__(self, request_id: str | None) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._finish_reason: str | None = None
        self._served: str | None = None
        self._usage: dict[str, Any] = {}
        self._metadata: dict[str, Any] = {"request_id": request_id} if request_id else {}

    def take_message(self, message: Any) -> None:
        """Take a message without its content."""
        if not isinstance(message, Mapping):
            return
        self._served = message["model"] if isinstance(message.get("model"), str) else self._served
        if isinstance(message.get("id"), str):
            self._metadata["id"] = message["id"]
        self.take_end(message)
        self.take_usage(message.get("usage"))

    def take_block(self, block: Any) -> str | None:
        """Take a block of content or the delta of one; gives the text it adds, None where it cannot
        be read: an answer without it would be another answer.
        """
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            return None
        kind = block["type"].removesuffix("_delta")
        if kind not in {"text", "thinking"}:
            return ""  # signatures, citations, redacted thinking
        text = block.get(kind)
        if not isinstance(text, str):
            return None
        (self._content if kind == "text" else self._reasoning).append(text)
        return text if kind == "text" else ""

    def take_end(self, end: Any) -> None:
        """Take why the message stopped."""
        if not isinstance(end, Mapping):
            return
        if isinstance(end.get("stop_reason"), str):
            self._finish_reason = _FINISH_WORDS.get(end["stop_reason"], end["stop_reason"])
        for key, kind in (("stop_sequence", str), ("stop_details", Mapping)):
            if isinstance(end.get(key), kind):
                self._metadata[key] = end[key]

    def take_usage(self, usage: Any) -> None:
        """Take counts; those of a later event are cumulative and replace earlier ones."""
        if isinstance(usage, Mapping):
            self._usage |= {key: value for key, value in usage.items() if value is not None}
        elif usage is not None:
            self._usage["not_an_object"] = usage

    def answer(self) -> RawAnswer:
        """Everything taken so far as one value."""
        usage = None if "not_an_object" in self._usage else read_usage(self._usage)
        metadata = dict(self._metadata)
        if self._usage and usage is None:
            metadata["usage_not_understood"] = self._usage
        if isinstance(self._usage.get("service_tier"), str):
            metadata["service_tier"] = self._usage["service_tier"]
        reasoning = "".join(self._reasoning)
        if reasoning:
            metadata["reasoning"] = reasoning
        return RawAnswer(
            content="".join(self._content),
            usage=usage,
            finish_reason=self._finish_reason,
            served_model=self._served,
            metadata=metadata,
        )


def raise_reported_error(event: Mapping[str, Any], provider: str, model: str, secrets: Sequence[str]) -> None:
    """Raise the error that a reply or an event carries under status 200, if it carries one."""
    error = event.get("error")
    if not error and event.get("type") != "error":
        return
    kind = error.get("type") if isinstance(error, Mapping) else None
    status = _STATUSES.get(kind, 500) if isinstance(kind, str) else 500
    raise error_from_status(status, event, {}, provider, model, secrets=secrets)


def bad_message(
    what: str, body: bytes | str, provider: str, model: str, secrets: Sequence[str]
) -> BadResponseError:
    """The error of a body that is not the format; `what` says what it is instead."""
    return bad_response(what, body, provider, model, secrets, interface="Anthropic's Messages interface")
