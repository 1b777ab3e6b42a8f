"""What a migration costs beside its messages: once, by contract, and how far each number may be off."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Literal, NamedTuple, get_args

from llmbench.decision.effects import check_amount, check_whole
from llmbench.economics.correlation import check_correlation
from llmbench.economics.uncertainty import Range
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = [
    "BudgetUncertainty",
    "Commitment",
    "Line",
    "OneOffCosts",
    "Payback",
    "check_range",
    "months_until",
]

Line = Literal["baseline-api", "baseline-hosting", "candidate-api", "candidate-hosting"]
"""A bill that a commitment is counted against."""
_LINES: tuple[Line, ...] = get_args(Line)


@dataclass(frozen=True, slots=True)
class OneOffCosts:
    """USD that are spent once, and what running both models takes. Nothing is foreseen by default."""

    engineering_days: float = 0.0
    usd_per_day: float = 800.0
    """Eight hours at $100, as operations are counted elsewhere."""
    evaluation_usd: float = 0.0
    training_usd: float = 0.0
    dual_running_usd: float = 0.0
    """A month, for as long as both models run, beside their tokens and machines: of people."""
    decommission_usd: float = 0.0
    """In the month in which the old model is turned off."""

    def __post_init__(self) -> None:
        for each in fields(self):
            check_amount(each.name, getattr(self, each.name))

    @property
    def today_usd(self) -> float:
        """What is spent before the first month."""
        return self.engineering_days * self.usd_per_day + self.evaluation_usd + self.training_usd


@dataclass(frozen=True, slots=True)
class Commitment:
    """A contract under which a month's bill is at least so much, used or not: a minimum spend, a reserved
    instance.
    """

    name: str
    usd_per_month: float
    months: int
    """From the first month of the budget on; see `months_until`."""
    covers: Line = "baseline-api"
    """The bill it is counted against."""
    penalty_usd: float | None = None
    """What ends it at once, as the old model is turned off; None: it cannot be ended."""

    def __post_init__(self) -> None:
        check_amount(f"usd_per_month of {self.name}", self.usd_per_month)
        check_whole(f"months of {self.name}", self.months)
        if self.covers not in _LINES:
            raise UsageError(f"{self.name} covers one of {', '.join(_LINES)}, not {self.covers!r}.")
        if self.penalty_usd is not None:
            check_amount(f"penalty_usd of {self.name}", self.penalty_usd)

    def due(self, month: int) -> float:
        """USD that month's bill is at least; months begin with 1."""
        return self.usd_per_month if month <= self.months else 0.0


def months_until(today: date, until: date) -> int:
    """Months that begin before `until`, which are paid whole; 0 where it is past.

    >>> today = date(2026, 11, 28)
    >>> months_until(today, date(2027, 2, 28)), months_until(today, date(2027, 3, 1))
    (3, 4)
    """
    whole = 12 * (until.year - today.year) + until.month - today.month
    return max(0, whole + (until.day > today.day))


@dataclass(frozen=True, slots=True)
class BudgetUncertainty:
    """What is not known, as ranges of the factor by which the stated value may be off: assumptions, all."""

    messages: Range = Range(0.7, 1.0, 1.5)  # noqa: RUF009 - a tuple
    lengths: Range = Range(0.8, 1.0, 1.3)  # noqa: RUF009 - a tuple
    """Of the tokens of a message, the same for both models."""
    baseline_price: Range = Range(0.9, 1.0, 1.0)  # noqa: RUF009 - a tuple
    candidate_price: Range = Range(0.9, 1.0, 1.0)  # noqa: RUF009 - a tuple
    hosting: Range = Range(0.75, 1.0, 1.25)  # noqa: RUF009 - a tuple
    one_off: Range = Range(0.8, 1.0, 2.0)  # noqa: RUF009 - a tuple
    """Projects take longer more often than shorter."""
    correlation: float = 0.0
    """Of messages and lengths, in normal scores; the others are drawn apart."""

    def __post_init__(self) -> None:
        for name, value in self.ranges.items():
            check_range(f"The range of {name}", value)
        check_correlation("The correlation of messages and lengths", self.correlation)

    @property
    def ranges(self) -> dict[str, Range]:
        """By name, in the order in which they are drawn: messages and lengths first."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "correlation"}


def check_range(what: str, value: Range) -> Range:
    """Raises UsageError unless it ascends from 0 or above, and is finite."""
    ends = [check_amount(what, end) for end in value]
    if len(ends) != 3 or sorted(ends) != ends:
        raise UsageError(f"{what} must be low, most likely, high, from 0 up; it is {tuple(value)}.")
    return Range(*ends)


@shown
class Payback(NamedTuple):
    """The month from whose end on nothing is owed any more, to the end of the horizon; None: never within it.

    0 is today: nothing was spent in advance. A quantile of None means that so many of the draws never get
    there.
    """

    stated: int | None
    """Everything as stated."""
    p10: int | None
    p50: int | None
    p90: int | None
    by_month: tuple[float, ...]
    """The share of the draws in which it is reached by the end of each month, from today on."""

    @property
    def horizon(self) -> int:
        """Months that were looked at."""
        return len(self.by_month) - 1

    def within(self, months: int) -> float:
        """The chance that it is reached within so many months. Raises UsageError beyond the horizon."""
        if not 0 <= months <= self.horizon:
            raise UsageError(
                f"months must lie between 0 and the horizon of {self.horizon}; it is {months!r}."
            )
        return self.by_month[months]

    def words(self) -> str:
        """For a table.

        >>> Payback(3, 2, 3, None, (0.0, 0.0, 0.2, 0.7, 0.8)).words()
        'month 3 (p10 2, p90 never); 20% never within 4 months'
        """
        never = 1 - self.by_month[-1]
        rest = f"; {never:.0%} never within {self.horizon} months" if never > 0 else ""
        names = ["never" if month is None else str(month) for month in (self.p50, self.p10, self.p90)]
        first = "never" if self.p50 is None else f"month {names[0]}"
        return f"{first} (p10 {names[1]}, p90 {names[2]}){rest}"
