"""When to take a candidate back: the count of replies at which its loss is shown, looked at every day.

While both models answer, the arms of the replies are draws whose share tells the ratio of the rates
(`llmbench.stats.reply_share_e_process`), whatever the base rate does: the candidate is taken back once the
evidence that the ratio is below the margin has passed 1 / alpha. If it is not below, that happens with a
chance of at most alpha, however often one looks (Ville 1939). Without a control the replies are held against
the baseline's rate as it was, by the same mixture on the odds; that holds only as long as the rate does.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from llmbench.decision.effects import check_amount, check_whole
from llmbench.errors import UsageError
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RollbackBound", "RollbackTrigger", "rollback_trigger"]

_YEAR = 365


@shown
class RollbackBound(NamedTuple):
    """What takes the candidate back on one day."""

    day: int
    """Days of traffic whose replies are known."""
    total: int
    """Replies of both arms by then, if they reply alike; without a control, messages."""
    expected: float
    """Of those the candidate's replies, if it is as good."""
    at_most: int | None
    """So few replies of the candidate or fewer take it back; None: too early for any count."""


@shown
@dataclass(frozen=True)
class RollbackTrigger:
    """The rule, and how soon it finds a loss. Made by `rollback_trigger`."""

    reply_rate: float
    messages_per_day: float
    share: float
    margin: float
    true_ratio: float
    """The loss that it is to find."""
    alpha: float
    """False alarms, at most."""
    days: int
    reply_window_days: float

    def __post_init__(self) -> None:
        for name in ("reply_rate", "alpha"):
            if check_amount(name, getattr(self, name), above=True) >= 1:
                raise UsageError(
                    f"{name} must be a share above 0 and below 1; it is {getattr(self, name)!r}."
                )
        if check_amount("share", self.share, above=True) > 1:
            raise UsageError(f"share must be above 0 and at most 1; it is {self.share!r}.")
        check_amount("messages_per_day", self.messages_per_day, above=True)
        check_amount("reply_window_days", self.reply_window_days)
        if check_whole("days", self.days, least=1) > _YEAR:
            raise UsageError(f"days must be a whole number from 1 to {_YEAR}; it is {self.days!r}.")
        self._check_ratio("margin", self.margin)
        if check_amount("true_ratio", self.true_ratio, above=True) >= self.margin:
            raise UsageError(
                f"true_ratio ({self.true_ratio!r}) must be below margin ({self.margin!r}): what is within it "
                "is no loss."
            )

    @cached_property
    def bounds(self) -> tuple[RollbackBound, ...]:
        """One per day."""
        found = []
        for day in range(1, self.days + 1):
            total = round(day * self._per_day(1.0))
            expected = day * self.messages_per_day * self.share * self.reply_rate
            found.append(RollbackBound(day, total, expected, self.at_most(total)))
        return tuple(found)

    @property
    def has_control(self) -> bool:
        """Whether the baseline answers the rest."""
        return self.share < 1

    @property
    def false_alarm(self) -> float:
        """Chance of a rollback within `days` if the candidate keeps just the margin; at most alpha."""
        return self.detected(self.margin)

    def at_most(self, total: int) -> int | None:
        """The bound at any number of replies of both arms (without a control: messages) so far."""
        import numpy as np

        from llmbench.stats.e_process import log_e_values_of_shares

        total = check_whole("total", total)
        own, ratio, _ = self._odds(1.0)
        odds = math.log(own / (1 - own))
        counts = np.arange(total + 1, dtype=float)
        evidence = log_e_values_of_shares(counts, total - counts, odds + math.log(ratio), odds, "less")
        passed = np.flatnonzero(evidence >= -math.log(self.alpha))
        return int(passed[-1]) if len(passed) else None

    def detected(self, true_ratio: float, within_days: int | None = None) -> float:
        """Chance of a rollback within so many days of traffic (None: `days`) if that is the ratio.

        Raises UsageError for days beyond a year, and a ratio that makes the reply rate 1 or more.
        """
        last = self.days if within_days is None else within_days
        if not 1 <= check_amount("within_days", last) <= _YEAR:
            raise UsageError(f"within_days must lie between 1 and {_YEAR}; it is {within_days!r}.")
        looks = [day for day in self._looks() if day <= last]
        return self._power(true_ratio, looks)[-1]

    def days_to_detect(self, true_ratio: float | None = None) -> float:
        """Days of traffic until the rollback, on average (None: at the loss that it is to find).

        A loss that is not found within a year counts as a year.
        """
        looks = self._looks()
        found = self._power(self.true_ratio if true_ratio is None else true_ratio, looks)
        steps = [later - earlier for earlier, later in zip((0, *looks), looks, strict=False)]
        missed = [1 - chance for chance in (0.0, *found[:-1])]
        return math.fsum(step * chance for step, chance in zip(steps, missed, strict=True))

    def days_to_rollback(self, true_ratio: float | None = None) -> float:
        """The same with the wait for replies: how long the candidate answers before it is taken back."""
        return self.days_to_detect(true_ratio) + self.reply_window_days

    def to_pandas(self) -> pd.DataFrame:
        """One row per day."""
        import pandas as pd

        frame = pd.DataFrame(self.bounds, columns=list(RollbackBound._fields))
        return frame.astype({"at_most": "Int64"})

    def _looks(self) -> list[int]:
        """Every day, and after `days` every week up to a year."""
        return [*range(1, self.days + 1), *range(self.days + 7, _YEAR + 1, 7)]

    def _odds(self, true_ratio: float) -> tuple[float, float, float]:
        """The share of the candidate, the ratio to be refuted and the true one, as the e-process has them."""
        if self.has_control:
            return self.share, self.margin, true_ratio
        rates = (self.reply_rate, self.margin * self.reply_rate, true_ratio * self.reply_rate)
        odds = [rate / (1 - rate) for rate in rates]
        return self.reply_rate, odds[1] / odds[0], odds[2] / odds[0]

    def _power(self, true_ratio: float, looks: list[int]) -> tuple[float, ...]:
        from llmbench.stats import e_process_power

        self._check_ratio("true_ratio", true_ratio)
        share, ratio, true = self._odds(true_ratio)
        totals = [day * self._per_day(true_ratio) for day in looks]
        return e_process_power(totals, share, true, ratio, "less", self.alpha)

    def _per_day(self, true_ratio: float) -> float:
        """Draws of the e-process: replies of both arms, or messages without a control."""
        if not self.has_control:
            return self.messages_per_day
        return self.messages_per_day * self.reply_rate * (self.share * true_ratio + 1 - self.share)

    def _check_ratio(self, name: str, value: float) -> None:
        if check_amount(name, value, above=True) * self.reply_rate >= 1:
            raise UsageError(f"{name} ({value!r}) makes the reply rate 1 or more.")

    def sentence(self) -> str:
        """The rule in words."""
        bound = next((each for each in reversed(self.bounds) if each.at_most is not None), None)
        if bound is None:
            return (
                f"no count of replies within {_days(self.days)} shows a loss at a false-alarm rate of "
                f"{self.alpha:.1%}; give the candidate more traffic"
            )
        of = "replies of both models" if self.has_control else "messages"
        first = next(each for each in self.bounds if each.at_most is not None)
        told = [first] if first is bound else [first, bound]
        counts = " or ".join(
            f"{each.at_most:,} of {each.total:,} {of} after {_days(each.day)} ({each.expected:,.0f} expected)"
            for each in told
        )
        return (
            f"take the candidate back on the first day on which its replies are as few as {counts}; at most "
            f"{self.alpha:.1%} false alarms while it keeps {self.margin:.0%} of the reply rate, and one that "
            f"keeps {self.true_ratio:.0%} is found within {_days(self.days)} with a chance of "
            f"{self.detected(self.true_ratio):.0%}, after {_days(self.days_to_detect())} of traffic on "
            f"average and {self.reply_window_days:g} more for the replies to come"
        )

    def __str__(self) -> str:
        return self.sentence()

    def _repr_html_(self) -> str:
        rows = [
            (
                str(each.day),
                f"{each.total:,}",
                f"{each.expected:,.0f}",
                NONE if each.at_most is None else f"{each.at_most:,}",
            )
            for each in self.bounds
        ]
        of = "replies of both" if self.has_control else "messages"
        table = PlainTable(("day", of, "expected of the candidate", "back at or below"), rows, texts=0)
        return f"<p>{html.escape(str(self))}.</p>{table.html()}"


def _days(count: float) -> str:
    return "1 day" if round(count) == 1 else f"{count:,.0f} days"


def rollback_trigger(
    reply_rate: float,
    messages_per_day: float,
    share: float,
    *,
    margin: float = 0.9,
    true_ratio: float = 0.7,
    alpha: float = 0.025,
    days: int = 28,
    reply_window_days: float = 14.0,
) -> RollbackTrigger:
    """The rule for a candidate that answers `share` of `messages_per_day` messages beside the baseline.

    `reply_rate` is the baseline's replies per message; count leads instead where several messages go to one,
    because each unit may count once only. `margin` is the part of the rate that must be kept, `true_ratio`
    the loss whose detection is told. With `share` 1 there is no control, and the rate is held against
    `reply_rate` as if that were known. Looked at every day of `days`, and once a week after.

    Raises UsageError for rates, shares and levels outside of 0 and 1, and a loss within the margin.

    >>> found = rollback_trigger(0.03, 3300, 0.25)
    >>> found.bounds[13].at_most, round(found.detected(0.7), 3), round(found.days_to_detect(), 1)
    (272, 0.986, 10.6)
    """
    return RollbackTrigger(
        reply_rate,
        messages_per_day,
        share,
        margin,
        true_ratio,
        alpha,
        check_whole("days", days, least=1),
        reply_window_days,
    )
