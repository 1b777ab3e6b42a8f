"""The open-ended analysis: evidence from each arm's share of the replies, valid at any time.

If the treatment's rate is r times the control's, its share of the replies follows from r and from the share
of units it was assigned, whatever the base rate and its drift: Lindon and Malek (2022), arXiv:2011.03567.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from llmbench.abtest.cells import Cells, DesignEffect, paired_cells, widening_of
from llmbench.abtest.counts import DayCounts
from llmbench.abtest.effect import Effect, ratio_interval, verdict_of
from llmbench.abtest.plan import Plan
from llmbench.stats import Interval, ReplyShareEProcess, reply_share_e_process
from llmbench.stats.two_arms import Alternative

__all__ = ["DayPoint", "anytime_effect", "anytime_interval", "anytime_p_value", "day_by_day"]

_MOST_POINTS = 60
_LEAST_ALPHA = 1e-15
LEAST_REPLIES = 50
"""In each arm, for an interval of the difference: with fewer it errs too often."""


class DayPoint(NamedTuple):
    """The ratio of the rates on all units first sent to until a day."""

    day: date
    treatment: str
    units: int
    ratio: float
    low: float
    """Limits that hold at all days together."""
    high: float
    fixed_low: float
    """Limits that hold if this were the only look."""
    fixed_high: float


class _Difference(NamedTuple):
    """Interval of the difference under "anytime"."""

    interval: Interval | None
    words: str
    """By which method, or why there is none."""


def anytime_effect(
    plan: Plan, cells: Cells, level: float, design: DesignEffect | None = None, planned: float = math.nan
) -> Effect:
    """The comparison under the stopping rule "anytime": the ratio decides.

    Of the difference there is an asymptotic confidence sequence, narrowest at the `planned` units, where its
    conditions hold: one split, and enough replies in each arm. Where units depend on each other the
    evidence counts by its logarithm over the design effect.
    """
    widening = widening_of(design, "ratio")
    interval = anytime_interval(plan, cells, 1 - 2 * level, widening)
    beyond = _process(plan, cells, ratio=plan.margin, alternative="greater").p_value
    words = f"Beta-binomial e-process on the share of replies, concentration {plan.concentration:g}"
    if design is not None:
        words += f", design effect {widening**2:.2f} of {design.clusters:,} clusters"
    difference = _difference(cells, 1 - 2 * level, planned, widening_of(design, "difference"))
    return Effect(
        cells.difference, difference.interval, cells.ratio, interval,
        anytime_p_value(plan, cells, widening), beyond ** (1 / widening**2), f"{words}; {difference.words}",
        level, verdict_of(interval, plan.margin, 1.0), widening,
    )  # fmt: skip


def anytime_interval(plan: Plan, cells: Cells, confidence: float, widening: float = 1.0) -> Interval:
    """Confidence sequence of the ratio: two one-sided ones, each with half of what may go wrong.

    `widening` is the square root of the design effect; by its square the logarithm of the evidence is
    divided, which asks for as many times as many replies: Rao and Scott's (1992) correction, of a likelihood.
    """
    # ln E / d < ln(1 / a) is ln E < ln(1 / a^d).
    each = 1 - max(((1 - confidence) / 2) ** (widening**2), _LEAST_ALPHA)
    low = _process(plan, cells, alternative="greater", confidence=each).interval.low
    high = _process(plan, cells, alternative="less", confidence=each).interval.high
    return Interval(low, high)


def anytime_p_value(plan: Plan, cells: Cells, widening: float = 1.0) -> float:
    """Two-sided, of equal rates."""
    return math.pow(_process(plan, cells).p_value, 1 / widening**2)


def _difference(cells: Cells, confidence: float, planned: float, widening: float) -> _Difference:
    from llmbench.stats import asymptotic_difference_sequence

    none = "no interval of the difference, because"
    if len(cells.strata) != 1:
        return _Difference(
            None, f"{none} it would have to be of one split, and there are {len(cells.strata)} strata"
        )
    least = min(cells.x1[0], cells.x2[0], cells.n1[0] - cells.x1[0], cells.n2[0] - cells.x2[0])
    if least < LEAST_REPLIES:
        return _Difference(
            None, f"{none} {least:,} leads of an arm {'replied' if _few_replied(cells) else 'did not reply'} "
            f"and it takes {LEAST_REPLIES}",
        )  # fmt: skip
    if not math.isfinite(planned) or planned <= 0:
        return _Difference(None, f"{none} no number of leads is planned")
    (found,) = asymptotic_difference_sequence(
        cells.x1, cells.n1, cells.x2, cells.n2, planned, confidence, least_replies=LEAST_REPLIES
    )
    middle = cells.difference
    low, high = (middle + widening * (limit - middle) for limit in found)
    return _Difference(Interval(low, high), "difference by an asymptotic confidence sequence")


def _few_replied(cells: Cells) -> bool:
    return min(cells.x1[0], cells.x2[0]) < LEAST_REPLIES


def day_by_day(days: Sequence[DayCounts], plan: Plan, cells: Cells, widening: float = 1.0) -> list[DayPoint]:
    """How the ratio went, by the day of the first delivered send; at most 60 points.

    `widening` is the square root of the design effect as it is now, for all limits.
    """
    arms = {cells.treatment, cells.control}
    mine = [row for row in days if row.arm in arms and row.stratum in cells.strata and row.units]
    dates = sorted({row.day for row in mine})
    if not dates:
        return []
    count = min(_MOST_POINTS, len(dates))
    ends = sorted({dates[math.ceil((number + 1) * len(dates) / count) - 1] for number in range(count)})
    found = []
    share = dict(zip(cells.strata, cells.share1, strict=True))
    for end in ends:
        rows = [(row.arm, row.stratum, row.units, row.replied) for row in mine if row.day <= end]
        so_far = paired_cells(rows, cells.treatment, cells.control)
        if not so_far.strata or not sum(so_far.x1) + sum(so_far.x2):
            continue
        so_far = so_far._replace(share1=tuple(share[stratum] for stratum in so_far.strata))
        low, high = anytime_interval(plan, so_far, 1 - 2 * plan.alpha, widening)
        fixed = ratio_interval(so_far, 1 - 2 * plan.alpha, widening)
        units = sum(so_far.n1) + sum(so_far.n2)
        found.append(DayPoint(end, cells.treatment, units, so_far.ratio, low, high, *fixed))
    return found


def _process(
    plan: Plan,
    cells: Cells,
    *,
    ratio: float = 1.0,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
) -> ReplyShareEProcess:
    return reply_share_e_process(
        [list(cells.x1)], [list(cells.x2)], [list(cells.share1)], ratio=ratio, alternative=alternative,
        confidence=confidence, concentration=plan.concentration,
    )  # fmt: skip
