"""What a request may hold, wherever it is sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from llmbench.errors import UsageError
from llmbench.types import Message

__all__ = ["check_numbers", "checked_messages"]

_ROLES = frozenset({"system", "developer", "user", "assistant"})


def checked_messages(messages: Any) -> tuple[Message, ...]:
    """`messages` as they go into a request. Raises UsageError naming the first that is none.

    >>> checked_messages([{"role": "user", "content": "hi"}])
    ({'role': 'user', 'content': 'hi'},)
    """
    messages = messages if isinstance(messages, str | Mapping) else tuple(messages)
    if isinstance(messages, str | Mapping) or not messages:
        raise UsageError('messages must be a list such as [{"role": "user", "content": "..."}].')
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or set(message) != {"role", "content"}:
            raise UsageError(f"messages[{number}] must hold exactly role and content; it is {message!r:.80}.")
        if message["role"] not in _ROLES:
            raise UsageError(
                f"messages[{number}] has role {message['role']!r}; use one of {', '.join(sorted(_ROLES))}."
            )
        if not isinstance(message["content"], str):
            raise UsageError(
                f"messages[{number}] has content that is not text; images and parts are refused."
            )
    return tuple(Message(role=m["role"], content=m["content"]) for m in messages)


def check_numbers(params: Mapping[str, Any]) -> None:
    """Raise UsageError for a number among the options that no vendor could mean."""
    max_tokens = params.get("max_tokens")
    if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens < 1):
        raise UsageError(f"max_tokens must be a whole number of at least 1; it is {max_tokens!r}.")
    temperature = params.get("temperature")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 2):
        raise UsageError(f"temperature must be between 0 and 2; it is {temperature!r}.")
    for key, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{key} must be a number; it is {value!r}.")
