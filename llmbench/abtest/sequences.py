"""The open-ended analysis: evidence from each arm's share of the replies, valid at any time.

If the treatment's rate is r times the control's, its share of the replies follows from r and from the share
of units it was assigned, whatever the base rate and its drift: Lindon and Malek (2022), arXiv:2011.03567.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

from llmbench.abtest.cells import Cells, paired_cells
from llmbench.abtest.counts import DayCounts
from llmbench.abtest.effect import Effect, ratio_interval, verdict_of
from llmbench.abtest.plan import Plan
from llmbench.stats import Interval, ReplyShareEProcess, reply_share_e_process

__all__ = ["DayPoint", "anytime_effect", "anytime_interval", "anytime_p_value", "day_by_day"]

Alternative = Literal["two-sided", "greater", "less"]

_MOST_POINTS = 60


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


def anytime_effect(plan: Plan, cells: Cells, level: float) -> Effect:
    """The comparison under the stopping rule "anytime"; no interval of the difference holds there."""
    interval = anytime_interval(plan, cells, 1 - 2 * level)
    beyond = _process(plan, cells, ratio=plan.margin, alternative="greater").p_value
    return Effect(
        cells.difference, None, cells.ratio, interval, anytime_p_value(plan, cells), beyond,
        f"Beta-binomial e-process on the share of replies, concentration {plan.concentration:g}", level,
        verdict_of(interval, plan.margin, 1.0),
    )  # fmt: skip


def anytime_interval(plan: Plan, cells: Cells, confidence: float) -> Interval:
    """Confidence sequence of the ratio: two one-sided ones, each with half of what may go wrong."""
    each = 1 - (1 - confidence) / 2
    low = _process(plan, cells, alternative="greater", confidence=each).interval.low
    high = _process(plan, cells, alternative="less", confidence=each).interval.high
    return Interval(low, high)


def anytime_p_value(plan: Plan, cells: Cells) -> float:
    """Two-sided, of equal rates."""
    return float(_process(plan, cells).p_value)


def day_by_day(days: Sequence[DayCounts], plan: Plan, cells: Cells) -> list[DayPoint]:
    """How the ratio went, by the day of the first delivered send; at most 60 points."""
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
        low, high = anytime_interval(plan, so_far, 1 - 2 * plan.alpha)
        fixed = ratio_interval(so_far, 1 - 2 * plan.alpha)
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
