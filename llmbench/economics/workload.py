"""What is asked of a model in a month."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from llmbench.economics.checks import check_amount, check_share
from llmbench.errors import UsageError
from llmbench.numbers import is_finite

__all__ = ["DAYS_OF_MONTH", "HOURS_OF_DAY", "HOURS_OF_MONTH", "HOURS_OF_WEEK", "Workload"]

HOURS_OF_WEEK = 168
"""Hours from Monday 00:00."""
HOURS_OF_MONTH = 730.0
"""A twelfth of a year of 365 days."""
HOURS_OF_DAY = 24
DAYS_OF_MONTH = HOURS_OF_MONTH / HOURS_OF_DAY


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
    """Share of the input tokens that the vendor reads from its cache, where that was measured."""
    batch_share: float = 0.0
    """Share of the messages that can wait for a batch."""
    prefix_tokens: float = 0.0
    """How many tokens at the start all messages have in common; each vendor's rule says what of it is
    cached."""
    profile: tuple[float, ...] = ()
    """Messages of the 168 hours of a week from Monday 00:00, in any unit; empty: the same in every hour."""
    growth_per_month: float = 0.0
    """0.05: 5% more messages each month than in the one before."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "profile":
                continue
            if each.name == "growth_per_month":
                if not (is_finite(value) and -1 < value <= 1):
                    raise UsageError(f"growth_per_month must lie between -1 and 1; it is {value!r}.")
            elif each.name.endswith("_share"):
                check_share(each.name, value)
            else:
                check_amount(each.name, value)
        if self.prefix_tokens > self.input_tokens:
            raise UsageError(
                f"prefix_tokens ({self.prefix_tokens:g}) is a part of input_tokens "
                f"({self.input_tokens:g}) and cannot be more."
            )
        if self.prefix_tokens and self.cached_share:
            raise UsageError(
                "cached_share is what was measured of the cache and prefix_tokens what it is worked "
                "out from; give one of the two."
            )
        self._check_profile()

    def _check_profile(self) -> None:
        if not isinstance(self.profile, tuple | list):
            raise UsageError(f"profile must be a tuple of numbers; it is {self.profile!r}.")
        if not self.profile:
            return
        if len(self.profile) != HOURS_OF_WEEK:
            raise UsageError(
                f"profile must hold the {HOURS_OF_WEEK} hours of a week from Monday 00:00; it holds "
                f"{len(self.profile)}."
            )
        if sum(check_amount(f"profile[{hour}]", value) for hour, value in enumerate(self.profile)) == 0:
            raise UsageError("profile must hold an hour above 0; all of its 168 are 0.")

    @property
    def input_tokens_per_month(self) -> float:
        """All messages together."""
        return float(self.messages_per_month * self.input_tokens)

    @property
    def output_tokens_per_month(self) -> float:
        """All messages together."""
        return float(self.messages_per_month * self.output_tokens)

    @property
    def hours(self) -> tuple[float, ...]:
        """Messages of each hour of the week over the mean hour: 168 numbers with mean 1."""
        if not self.profile:
            return (1.0,) * HOURS_OF_WEEK
        mean = math.fsum(self.profile) / HOURS_OF_WEEK
        return tuple(hour / mean for hour in self.profile)

    @property
    def peak_to_mean(self) -> float:
        """The busiest hour that a machine must be sized for, over the mean hour.

        Messages that can wait are put where there is room: they never make a peak.
        """
        return max(1.0, (1.0 - self.batch_share) * max(self.hours))
