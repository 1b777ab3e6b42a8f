"""What the rules of a routing table see of a request."""

from __future__ import annotations

from typing import Any, NamedTuple

from llmbench.errors import UsageError

__all__ = ["Features", "features_of"]


class Features(NamedTuple):
    """A request as a rule sees it."""

    task_type: str | None
    multi_turn: bool
    """The user speaks more than once, or the model has already answered."""
    characters: int
    """Of all that the user wrote. Instructions (system, developer) are the same for every request
    of a product, and would make each of them long."""


def features_of(messages: Any, task_type: str | None) -> Features:
    """Raises UsageError for messages that are none.

    >>> features_of([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], None)
    Features(task_type=None, multi_turn=False, characters=2)
    """
    if isinstance(messages, str | bytes) or not messages:
        raise UsageError('messages must be a list such as [{"role": "user", "content": "..."}].')
    turns = characters = 0
    answered = False
    try:
        for message in messages:
            role = message["role"]
            if role == "user":
                turns += 1
                characters += len(message["content"])
            elif role == "assistant":
                answered = True
    except (KeyError, TypeError) as error:
        raise UsageError("Each of messages must hold exactly role and content, both texts.") from error
    return Features(task_type, answered or turns > 1, characters)
