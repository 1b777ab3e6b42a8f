"""What is asked of a model in a month."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from llmbench.errors import UsageError

__all__ = ["Workload"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A month of messages, by their averages.

    >>> Workload(100_000, input_tokens=500, output_tokens=200).input_tokens_per_month
    50000000.0
    """

    messages_per_month: float
    input_tokens: float
    """Of one message, on average."""
    output_tokens: float
    cached_share: float = 0.0
    """Share of the input tokens that the vendor reads from its cache."""
    batch_share: float = 0.0
    """Share of the messages that can wait for a batch."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            share = each.name.endswith("_share")
            if not (math.isfinite(value) and value >= 0 and (value <= 1 or not share)):
                allowed = "a share between 0 and 1" if share else "a number of at least 0"
                raise UsageError(f"{each.name} must be {allowed}; it is {value!r}.")

    @property
    def input_tokens_per_month(self) -> float:
        """All messages together."""
        return float(self.messages_per_month * self.input_tokens)

    @property
    def output_tokens_per_month(self) -> float:
        """All messages together."""
        return float(self.messages_per_month * self.output_tokens)
