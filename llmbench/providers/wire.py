"""The OpenAI chat-completions format: a request's body, a reply, a stream. No I/O.

Spoken by OpenAI, Together, vLLM, llama.cpp, OpenRouter and most gateways. Where they differ from
each other is said at the line that handles it. Streams are read in `llmbench.providers.wire_stream`,
errors in `llmbench.providers.wire_errors`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.errors import InvalidRequestError
from llmbench.numbers import finite
from llmbench.providers.counts import count
from llmbench.providers.reply_errors import bad_response
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import TIERED_OPTIONS, ChatRequest, RawAnswer, Usage

__all__ = [
    "AnswerParts",
    "chat_body",
    "raise_reported_error",
    "read_answer",
    "read_usage",
]

_MOST_USD = 10_000.0
"""Of one call: a full context of the dearest model costs hundreds."""
_FINISH_WORDS = {
    "eos": "stop",  # Together
    "eos_token": "stop",
    "end_turn": "stop",  # gateways in front of Anthropic
    "stop_sequence": "stop",
    "max_tokens": "length",
    "content-filter": "content_filter",
}


def chat_body(
    request: ChatRequest,
    *,
    model: str | None = None,
    stream: bool = False,
    max_tokens_field: str = "max_tokens",
    extra: Mapping[str, Any] | None = None,
    provider: str | None = None,
) -> dict[str, Any]:
    """The JSON object to post: only what the request holds, no default added.

    `model` is the vendor's id where it differs from the name asked for, `max_tokens_field` the
    spelling of endpoints that refuse `max_tokens`, `extra` what a backend needs beside it.
    Raises InvalidRequestError naming an option that the format does not carry.

    >>> chat_body(ChatRequest("m", [{"role": "user", "content": "hi"}], {"max_tokens": 8}))
    {'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}], 'max_tokens': 8}
    """
    body: dict[str, Any] = {
        "model": model or request.model,
        "messages": [dict(message) for message in request.messages],
    }
    for key, value in request.params.items():
        if key not in TIERED_OPTIONS:
            raise InvalidRequestError(
                f"{provider or 'The chat-completions format'} cannot pass on the option {key!r} to "
                f"{request.model!r}; it passes on {', '.join(sorted(TIERED_OPTIONS))}.",
                provider=provider,
                model=request.model,
            )
        body[max_tokens_field if key == "max_tokens" else key] = value
    if stream:
        body["stream"] = True
        # Without it a stream ends with neither usage nor cost.
        body["stream_options"] = {"include_usage": True}
    if extra:
        body |= extra
    return body


def read_answer(body: bytes | str, *, provider: str, model: str, secrets: Sequence[str] = ()) -> RawAnswer:
    """A reply of status 200 as a RawAnswer.

    Raises BadResponseError for anything that is not a chat completion, and the matching
    ProviderError where a gateway reports an error under status 200 (OpenRouter does).
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_response("something that is not JSON", body, provider, model, secrets) from error
    if not isinstance(reply, dict):
        raise bad_response("JSON that is no object", body, provider, model, secrets)
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    raise_reported_error(reply, choice, provider, model, secrets)
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise bad_response("a reply without choices[0].message", body, provider, model, secrets)
    collected = AnswerParts()
    collected.take_reply(reply)
    if collected.take_choice(choice, message) is None:
        raise bad_response("content that cannot be read", body, provider, model, secrets)
    return collected.answer()


def raise_reported_error(
    reply: Mapping[str, Any], choice: Any, provider: str, model: str, secrets: Sequence[str]
) -> None:
    """Raise the error that a reply or a stream's event carries under status 200, if it carries one."""
    error = reply.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
    if not error and reply.get("object") == "error":  # vLLM before 0.9
        error = reply
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code <= 599 else 500
    raise error_from_status(status, {"error": error}, {}, provider, model, secrets=secrets)


def read_usage(usage: Any) -> Usage | None:
    """The `usage` object as inclusive counts; None where it is missing or contradicts itself.

    >>> usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
    >>> read_usage(usage).cache_read_tokens
    8
    """
    if not isinstance(usage, dict):
        return None
    read, written = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    if read is None or written is None:
        return None
    prompt_details = _details(usage, "prompt_tokens_details")
    completion_details = _details(usage, "completion_tokens_details")
    cached = (
        count(prompt_details, "cached_tokens")
        or count(usage, "prompt_cache_hit_tokens")  # DeepSeek
        or count(usage, "cached_tokens")  # Moonshot
        or 0
    )
    cache_write = count(prompt_details, "cache_write_tokens") or 0
    reasoning = count(completion_details, "reasoning_tokens") or count(usage, "reasoning_tokens") or 0
    if reasoning and count(usage, "total_tokens") == read + written + reasoning:
        written += reasoning  # xAI counts reasoning beside the completion; the total gives it away
    if cached + cache_write > read or reasoning > written:
        return None
    return Usage(read, written, cached, cache_write, reasoning)


def _details(usage: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = usage.get(key)
    return value if isinstance(value, dict) else {}


def _cost(usage: Mapping[str, Any]) -> float | None:
    """What the server says that the call cost; None for an amount that no call can: the price book tells."""
    cost = _number(usage, "cost")
    return None if cost is None or cost > _MOST_USD else cost


def _number(table: Any, key: str) -> float | None:
    """What is below zero is no time and no cost: some servers say -1 for what they do not know."""
    number = finite(table.get(key)) if isinstance(table, dict) else None
    return number if number is None or number >= 0 else None


def _text(content: Any) -> str | None:
    """Content as text; some servers give it as a list of parts. None where it cannot be read: an answer
    without it would be another answer.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for part in content:
        text = part.get("text", "") if isinstance(part, dict) else None
        if not isinstance(text, str):
            return None
        texts.append(text)
    return "".join(texts)


class AnswerParts:
    """What has been read of an answer, whole or in pieces."""

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.served_model: str | None = None
        self.fingerprint: str | None = None
        self.usage: Any = None
        self.timings: Any = None
        self.metadata: dict[str, Any] = {}

    def take_reply(self, reply: Mapping[str, Any]) -> None:
        """Take what stands beside the choices: in a stream, any chunk may bring it."""
        if isinstance(reply.get("model"), str):
            self.served_model = reply["model"] or self.served_model
        if isinstance(reply.get("system_fingerprint"), str):
            self.fingerprint = reply["system_fingerprint"] or self.fingerprint
        self.usage = reply.get("usage") or self.usage
        self.timings = reply.get("timings") or self.timings
        for key in ("id", "service_tier", "provider"):  # `provider`: who served it behind OpenRouter
            if isinstance(reply.get(key), str):
                self.metadata["served_by" if key == "provider" else key] = reply[key]

    def take_choice(self, choice: Mapping[str, Any], message: Mapping[str, Any]) -> str | None:
        """Take a message or the delta of one; gives the text it adds, None where it cannot be read."""
        text = _text(message.get("content"))
        self.content.append(text or "")
        self.refusal.append(_text(message.get("refusal")) or "")
        reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
        self.reasoning.append(reasoning or "")
        if isinstance(choice.get("finish_reason"), str):
            self.finish_reason = _FINISH_WORDS.get(choice["finish_reason"], choice["finish_reason"])
        if message.get("tool_calls"):
            self.metadata["tool_calls"] = message["tool_calls"]
        return text

    def answer(self) -> RawAnswer:
        """Everything taken so far as one value."""
        usage = read_usage(self.usage)
        metadata = dict(self.metadata)
        if self.usage and usage is None:
            metadata["usage_not_understood"] = self.usage
        refusal = "".join(self.refusal)
        if refusal:
            metadata["refusal"] = refusal
        reasoning = "".join(self.reasoning)
        if reasoning:
            metadata["reasoning"] = reasoning
        return RawAnswer(
            # A refusal is an answer (and scores 0), not a missing one.
            content="".join(self.content) or refusal,
            usage=usage,
            finish_reason=self.finish_reason,
            served_model=self.served_model,
            fingerprint=self.fingerprint,
            reported_cost=_cost(self.usage),
            prefill_ms=_number(self.timings, "prompt_ms"),
            decode_ms=_number(self.timings, "predicted_ms"),
            metadata=metadata,
        )
