"""What a model asks of a request beyond the rules of its vendor's interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbench.shown import shown

__all__ = ["Quirks"]


@shown
@dataclass(frozen=True, slots=True)
class Quirks:
    """The peculiarities of one model, from the catalog.

    >>> thinker = Quirks(fixed={"temperature": 1}, refuses=("stop",), reasoning_efforts=("low", "high"))
    >>> thinker.refusal({"temperature": 0})
    'takes temperature only at 1'
    >>> thinker.refusal({"temperature": 1.0, "reasoning_effort": "low"}) is None
    True
    """

    max_tokens_field: str | None = None
    """How the model's requests spell max_tokens, where it is not the interface's usual word."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Options that the model takes at one value only."""
    refuses: tuple[str, ...] = ()
    """Options that the model does not take at all."""
    reasoning_efforts: tuple[str, ...] | None = None
    """Values of `reasoning_effort` that the model takes; empty: it takes none; None: not known."""

    def refusal(self, params: Mapping[str, Any]) -> str | None:
        """Why the model would not honour `params`, to follow its name in a sentence; None if it would."""
        for option, value in params.items():
            if option in self.refuses:
                return f"does not take the option {option}"
            if option in self.fixed and value != self.fixed[option]:
                return f"takes {option} only at {self.fixed[option]!r}"
            efforts = self.reasoning_efforts
            if option == "reasoning_effort" and efforts is not None and value not in efforts:
                allowed = ", ".join(efforts)
                return f"takes reasoning_effort only as {allowed}" if allowed else "takes no reasoning_effort"
        return None
