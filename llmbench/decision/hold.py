"""What a wrong GO loses, and what another week of HOLD costs."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llmbench.decision.effects import ReplyEffect, Spread, check_amount, check_whole, spread_of
from llmbench.economics.monte_carlo import P90
from llmbench.economics.workload import DAYS_OF_MONTH
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["CostOfHold", "RevenueAtRisk", "cost_of_hold", "revenue_at_risk"]

_POINTS = 21


@shown
@dataclass(frozen=True, slots=True)
class RevenueAtRisk:
    """What is lost if the candidate gets fewer replies. Made by `revenue_at_risk`. USD a month."""

    probability_wrong: float
    """That the candidate's replies are below what was allowed, as far as the data tell."""
    wrong_below: float
    """The reply ratio (or difference) below which the decision is wrong."""
    expected_usd: float
    """The mean of what is lost, where what might be won counts as nothing."""
    if_wrong_usd: float | None
    """The mean of what is lost if the decision is wrong; None where it cannot be."""
    worst_usd: float
    """At the bad end of the interval; 0 where even there nothing is lost."""
    confidence: float
    """Of the interval."""
    days_at_worst: float | None
    """How long a loss of that size goes on before it is rolled back; None: not looked at."""
    expected_until_trigger_usd: float | None
    """The same three, in all, before the loss is rolled back."""
    if_wrong_until_trigger_usd: float | None
    worst_until_trigger_usd: float | None

    def to_pandas(self) -> pd.DataFrame:
        """One row per way to look at it; NaN is unknown."""
        import pandas as pd

        frame = pd.DataFrame(self._rows(), columns=["case", "usd_per_month", "usd_until_trigger"])
        return frame.astype({"usd_per_month": "float64", "usd_until_trigger": "float64"})

    def _rows(self) -> list[tuple[str, float | None, float | None]]:
        return [
            ("expected", self.expected_usd, self.expected_until_trigger_usd),
            ("if the decision is wrong", self.if_wrong_usd, self.if_wrong_until_trigger_usd),
            (
                f"at the bad end of the {self.confidence:.0%} interval",
                self.worst_usd,
                self.worst_until_trigger_usd,
            ),
        ]

    def __str__(self) -> str:
        until = ""
        if self.days_at_worst is not None:
            until = f"; at the bad end it is rolled back after {self.days_at_worst:.0f} days"
        return f"the decision is wrong with a chance of {self.probability_wrong:.0%}{until}"

    def _repr_html_(self) -> str:
        rows = [(case, dollars(month), dollars(until)) for case, month, until in self._rows()]
        table = PlainTable(("value of replies lost", "a month", "until the rollback"), rows)
        return f"<p>{html.escape(str(self))}.</p>{table.html()}"


def revenue_at_risk(
    effect: ReplyEffect,
    value_per_reply: float,
    messages_per_month: float,
    *,
    share: float = 1.0,
    wrong_below: float | None = None,
    days_to_trigger: float | Callable[[float], float] | None = None,
) -> RevenueAtRisk:
    """What the replies are worth that a candidate loses, in USD a month.

        lost = messages x share x reply rate x (1 - ratio) x value, or messages x share x -difference x value

    `messages_per_month` is counted in what the reply rate is of: messages or leads. `share` is the part of
    them that the candidate answers. The decision is wrong where the ratio (the difference) is below
    `wrong_below`; None: where there are fewer replies at all. `days_to_trigger` is how long a loss goes on,
    the wait for replies included: a number, or a function of the true effect such as
    `RollbackTrigger.days_to_rollback`, which is averaged over what the data leave open (21 points).

    Raises UsageError for a negative value or volume and a share above 1.

    >>> found = revenue_at_risk(ReplyEffect(0.03, 0.97, 0.88, 1.07), 20.0, 100_000, days_to_trigger=20)
    >>> print(f"{found.expected_usd:.0f} {found.worst_usd:.0f} {found.worst_until_trigger_usd:.0f}")
    2236 7200 4734
    """
    check_amount("messages_per_month", messages_per_month)
    check_amount("value_per_reply", value_per_reply)
    if check_amount("share", share) > 1:
        raise UsageError(f"share must be a share between 0 and 1; it is {share!r}.")
    days = _days(days_to_trigger)
    least = effect.no_change if wrong_below is None else check_amount("wrong_below", wrong_below, least=-1.0)
    usd = messages_per_month * share * value_per_reply
    wrong = effect.probability_below(least)
    expected = usd * effect.expected_loss
    if_wrong = usd * effect.loss_below(least) / wrong if wrong > 1e-12 else None
    worst = usd * max(0.0, -effect.change(effect.low))
    until: list[float | None] = [None, None, None]
    if days is not None:
        until = [
            _times_days(effect, days, expected, effect.no_change),
            _times_days(effect, days, if_wrong, least),
            worst * days(effect.low) / DAYS_OF_MONTH,
        ]
    return RevenueAtRisk(
        probability_wrong=wrong,
        wrong_below=least,
        expected_usd=expected,
        if_wrong_usd=if_wrong,
        worst_usd=worst,
        confidence=effect.confidence,
        days_at_worst=None if days is None else days(effect.low),
        expected_until_trigger_usd=until[0],
        if_wrong_until_trigger_usd=until[1],
        worst_until_trigger_usd=until[2],
    )


def _days(given: float | Callable[[float], float] | None) -> Callable[[float], float] | None:
    if given is None:
        return None
    if callable(given):
        return cache(lambda at: check_amount("days_to_trigger", given(at)))
    fixed = check_amount("days_to_trigger", given)
    return lambda at: fixed  # noqa: ARG005 - the same for any


def _times_days(
    effect: ReplyEffect, days: Callable[[float], float], usd: float | None, below: float
) -> float | None:
    """A mean loss times how long it goes on, each point of the effect below `below` by its own loss.

    The points are the middles of equal shares of the probability below; the mean is made to be `usd` a month.
    """
    if usd is None:
        return None
    part = effect.probability_below(below)
    if part <= 1e-12:
        return 0.0
    points = [effect.quantile(part * (place + 0.5) / _POINTS) for place in range(_POINTS)]
    lost = [-effect.change(at) for at in points]
    total = math.fsum(lost)
    if total == 0:
        return 0.0
    mean = math.fsum(loss * days(at) for loss, at in zip(lost, points, strict=True)) / total
    return usd * mean / DAYS_OF_MONTH


@shown
@dataclass(frozen=True, slots=True)
class CostOfHold:
    """What is missed while one waits. Made by `cost_of_hold`. USD for all of the weeks."""

    weeks: float
    saving_usd: float
    """Foregone: the mean."""
    risk_avoided_usd: float
    """The mean of what the candidate would lose in replies; negative where it would win some."""
    net: Spread
    """What waiting costs: the saving less the risk avoided. Below 0 it pays."""
    probability_costs: float
    """That waiting costs anything."""
    draws: int
    seed: int

    @property
    def mean_usd(self) -> float:
        """The mean of what waiting costs."""
        return self.saving_usd - self.risk_avoided_usd

    def to_pandas(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "weeks": self.weeks,
                    "saving_usd": self.saving_usd,
                    "risk_avoided_usd": self.risk_avoided_usd,
                    "mean_usd": self.mean_usd,
                    **self.net._asdict(),
                    "probability_costs": self.probability_costs,
                }
            ]
        )

    def __str__(self) -> str:
        time = "a week" if self.weeks == 1 else f"{self.weeks:g} weeks"
        risk = self.risk_avoided_usd
        replies = (
            f"less {dollars(risk)} of replies not lost"
            if risk >= 0
            else (f"and {dollars(-risk)} of replies not won")
        )
        kind = "costs" if self.mean_usd >= 0 else "spares"
        return (
            f"{time} of HOLD {kind} {dollars(abs(self.mean_usd))} on average (p10 {dollars(self.net.p10)}, "
            f"p90 {dollars(self.net.p90)}): a saving of {dollars(self.saving_usd)} foregone, {replies}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}.</p>"


def cost_of_hold(
    effect: ReplyEffect,
    value_per_reply: float,
    messages_per_month: float,
    saving_per_month: Spread | float,
    *,
    share: float = 1.0,
    weeks: float = 1.0,
    draws: int = 20_000,
    seed: int = 20250123,
) -> CostOfHold:
    """What `weeks` weeks of HOLD cost, against going on with `share` of the traffic.

        cost = weeks / (a month's weeks) x (saving of the month - messages x share x replies lost x value)

    The saving is what that share saves a month, such as `Budget.full_saving_per_month`; a `Spread` is drawn
    from two halves of normals that meet at p50 and have p10 and p90, independently of the replies. What is
    learned by waiting is not counted.

    Raises UsageError for numbers that cannot be meant.

    >>> found = cost_of_hold(ReplyEffect(0.03, 1.0, 0.95, 1.05), 20.0, 100_000, 2000.0)
    >>> print(f"{found.saving_usd:.0f} {found.probability_costs:.2f}")
    460 0.91
    """
    import numpy as np

    check_amount("messages_per_month", messages_per_month)
    check_amount("value_per_reply", value_per_reply)
    check_amount("weeks", weeks, above=True)
    if check_amount("share", share) > 1:
        raise UsageError(f"share must be a share between 0 and 1; it is {share!r}.")
    draws, seed = check_whole("draws", draws, least=100), check_whole("seed", seed)
    time = weeks * 7 / DAYS_OF_MONTH
    normal = np.random.default_rng(seed).standard_normal((2, draws))
    saving = _savings(saving_per_month, normal[0]) * time
    usd = messages_per_month * share * value_per_reply * time
    cost = saving + usd * effect.draw(normal[1])
    return CostOfHold(
        weeks=weeks,
        saving_usd=float(saving.mean()),
        risk_avoided_usd=-usd * effect.expected_change,
        net=spread_of(cost),
        probability_costs=float((cost > 0).mean()),
        draws=draws,
        seed=seed,
    )


def _savings(given: Spread | float, normal: Floats) -> Floats:
    """Draws of a month's saving from its quantiles."""
    import numpy as np

    low, middle, high = given if isinstance(given, tuple) else (given,) * 3
    for name, value in (("p10", low), ("p50", middle), ("p90", high)):
        check_amount(f"{name} of saving_per_month", value, least=-1e15)
    if not low <= middle <= high:
        raise UsageError(f"saving_per_month must ascend from p10 over p50 to p90; it is {tuple(given)}.")  # type: ignore[arg-type]
    half = np.where(normal < 0, middle - low, high - middle)
    return np.asarray(middle + half * normal / P90)
