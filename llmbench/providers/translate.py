"""What requests to vendors with an interface of their own have in common. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llmbench.errors import InvalidRequestError
from llmbench.types import ChatRequest, Message

__all__ = ["JSON_OBJECT", "Conversation", "conversation", "refused", "stop_sequences", "wanted_schema"]

_SYSTEM_ROLES = frozenset({"system", "developer"})

JSON_OBJECT: Mapping[str, Any] = {"type": "object"}
"""The schema of any JSON object."""


class Conversation(NamedTuple):
    """Messages with the instructions apart."""

    system: str | None
    """System and developer messages at the start, with a blank line between them."""
    turns: Sequence[Message]


def refused(provider: str, request: ChatRequest, why: str) -> InvalidRequestError:
    """The error of a request that `provider` cannot be sent; `why` follows its name."""
    return InvalidRequestError(f"{provider} {why}", provider=provider, model=request.model)


def conversation(request: ChatRequest, *, provider: str) -> Conversation:
    """Instructions and turns, for an interface whose instructions stand beside the messages.

    Raises InvalidRequestError for instructions amid the turns, which moving would give another
    meaning, and for a conversation that does not begin with the user.

    >>> messages = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]
    >>> conversation(ChatRequest("m", messages), provider="anthropic").system
    'be kind'
    """
    roles = [message["role"] for message in request.messages]
    start = next((n for n, role in enumerate(roles) if role not in _SYSTEM_ROLES), len(roles))
    if start == len(roles):
        raise refused(
            provider, request, f"needs a user message for {request.model!r}, not instructions only; add one."
        )
    if roles[start] != "user":
        raise refused(
            provider,
            request,
            f"begins a conversation with {request.model!r} by a user message; messages[{start}] has role "
            f"{roles[start]!r}.",
        )
    late = next((n for n in range(start, len(roles)) if roles[n] in _SYSTEM_ROLES), None)
    if late is not None:
        raise refused(
            provider,
            request,
            f"takes instructions for {request.model!r} only before the first user message; messages[{late}] "
            f"has role {roles[late]!r}: put it first.",
        )
    system = [message["content"] for message in request.messages[:start]]
    return Conversation("\n\n".join(system) if system else None, request.messages[start:])


def stop_sequences(request: ChatRequest, *, provider: str) -> list[str]:
    """`stop` as a list, whether one text or several were given."""
    stop = request.params["stop"]
    texts = [stop] if isinstance(stop, str) else stop
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise refused(provider, request, f"takes stop as a text or a list of texts; it is {stop!r:.80}.")
    return list(texts)


def wanted_schema(request: ChatRequest, *, provider: str) -> Mapping[str, Any] | None:
    """The JSON schema that `response_format` asks for: JSON_OBJECT for any object, None for plain text."""
    wanted = request.params["response_format"]
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind == "text":
        return None
    if kind == "json_object":
        return JSON_OBJECT
    named = wanted.get("json_schema") if kind == "json_schema" else None
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if not isinstance(schema, Mapping):
        raise refused(
            provider,
            request,
            'takes response_format as {"type": "json_schema", "json_schema": {"name": ..., '
            f'"schema": {{...}}}}}}; it is {wanted!r:.120}.',
        )
    return schema
