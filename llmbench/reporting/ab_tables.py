"""The first screen of the notebook `ab_test`: the arms, in tables and sentences.

Numbers come from `llmbench.abtest`; here they are only put into words and columns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.money import dollars
from llmbench.reporting.ab_figures import simulated_lines
from llmbench.reporting.ab_plan import planned_sizes, split_words
from llmbench.reporting.ab_wording import count, fine_percent, fine_points, so_far, verdict_words
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import estimate, limits, percent, span, whole
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.abtest import AbResult, Comparison
    from llmbench.stats import Interval

__all__ = [
    "arms_table",
    "first_sentence",
    "label",
    "more_arms_table",
    "result_text",
    "simulated_sentence",
]

_HIDDEN = "not shown yet"


def result_text(result: AbResult) -> str:
    """A few lines of plain text, the same on every machine."""
    lines = [f"{'arm':<12}{'leads':>9}{'replies':>9}{'rate':>9}{'ratio':>8}  verdict"]
    compared = {each.treatment: each for each in result.comparisons}
    for arm in result.arms:
        found = compared.get(arm.arm)
        ratio = "" if found is None or found.ratio is None else f"{found.ratio:.3f}"
        lines.append(
            f"{arm.arm:<12}{arm.units:>9,}{UNKNOWN if arm.replies is None else f'{arm.replies:,}':>9}"
            f"{UNKNOWN if arm.rate is None else fine_percent(arm.rate):>9}{ratio:>8}"
            f"  {found.verdict if found else 'control'}"
        )
    lines.append(f"decision: {result.verdict().decision}")
    return "\n".join([*lines, *simulated_lines(result)])


def simulated_sentence(result: AbResult) -> str | None:
    """What has to stand over every report of data that nobody sent."""
    if not result.counts.simulated:
        return None
    return (
        "These data are simulated: no lead, mail or reply in them is real, and the numbers say nothing of "
        "the models."
    )


def label(result: AbResult) -> str:
    """The caption of every table: of data that nobody sent, and of those that are not all of one cut-off."""
    told = ["Simulated data"] if result.counts.simulated else []
    last = result.looks[-1] if result.looks else None
    if last is not None and result.cut_off_notes:
        if result.counts.as_of > last.cut_off:
            told.append(f"data up to {result.counts.as_of:%Y-%m-%d}, effects up to {last.cut_off:%Y-%m-%d}")
        elif result.rows_changed:
            told.append(f"rows as they are now, effects as of look {last.number}")
    text = "; ".join(told)
    return text[:1].upper() + text[1:]


def first_sentence(result: AbResult) -> str:
    """What has to be known before the numbers are read."""
    plan = result.plan
    margin = (
        f"keeping at least {100 * plan.margin:g}%"
        if plan.scale == "ratio"
        else f"a margin of {fine_points(plan.margin)} points"
    )
    _, units, equal = next(row for row in planned_sizes(result) if row[0] == plan.margin)
    what = f"{margin} of {plan.control}'s reply rate" if plan.scale == "ratio" else margin
    text = (
        f"To show {what} takes {count(units)} leads at the split of {split_words(result)}, and "
        f"{count(equal)} with equal arms; {sum(arm.units for arm in result.arms):,} are there."
    )
    if result.plan_is_short and result.occasion.kind != "over":
        text += (
            f" The plan ends after {count(result.planned_units)}, where the chance to show it is "
            f"{percent(result.planned_power or 0.0)} if the arms are equal{so_far(result)}."
        )
    if len(result.health.strata) > 1 and result.shows_effect:
        text += (
            " Leads were assigned in several epochs or campaigns: rates are of all leads of an arm, the "
            "comparison is made within each and is not their quotient."
        )
    simulated = simulated_sentence(result)
    return f"{simulated} {text}" if simulated else text


def arms_table(result: AbResult) -> ReportTable:
    """One row an arm: what a reader has to know of it."""
    import pandas as pd

    compared = {each.treatment: each for each in result.comparisons}
    ratio = result.plan.scale == "ratio"
    effect = f"% of {result.plan.control}'s rate" if ratio else f"points above {result.plan.control}"
    rows, shown = [], []
    for arm in result.arms:
        found = compared.get(arm.arm)
        cost = arm.cost
        low, high = limits(arm.rate_ci)
        rows.append(
            {
                "arm": arm.arm, "units": arm.units, "messages": arm.messages, "replies": arm.replies,
                "rate": arm.rate, "rate_low": low, "rate_high": high, "cost_usd": cost.cost_usd,
                "cost_per_message": cost.per_message, "cost_per_reply": cost.per_reply,
                "verdict": found.verdict if found else "control",
            }
        )  # fmt: skip
        shown.append(
            {
                "arm": arm.arm,
                "leads": arm.units,
                "replied": _HIDDEN if arm.replies is None else whole(arm.replies),
                "reply rate": _HIDDEN if arm.rate is None else span(arm.rate, low, high, fine_percent),
                effect: "control" if found is None else _effect(result, found),
                "verdict": verdict_words(result, found) if found else NONE,
                "$ per message": dollars(cost.per_message),
                "$ per reply": (
                    _HIDDEN if arm.replies is None else _cost_per_reply(cost.per_reply, cost.per_reply_ci)
                ),
            }
        )  # fmt: skip
    frame = pd.DataFrame(shown)
    if not result.shows_effect:
        frame = frame.drop(columns=[effect, "$ per reply"])
    numbers = tuple(c for c in frame.columns if c not in {"arm", "verdict", "leads"})
    return ReportTable(pd.DataFrame(rows), frame, numbers)


def more_arms_table(result: AbResult) -> ReportTable:
    """What the first table has no room for."""
    import pandas as pd

    rows, shown = [], []
    for arm in result.arms:
        share = (
            arm.served_by_other / arm.messages if arm.served_by_other is not None and arm.messages else None
        )
        rows.append(
            {
                "arm": arm.arm, "assigned": arm.assigned, "mature": arm.units, "messages": arm.messages,
                "costed_units": arm.cost.costed_units, "cost_usd": arm.cost.cost_usd,
                "cost_per_unit": arm.cost.per_unit, "served_by_other": arm.served_by_other,
            }
        )  # fmt: skip
        shown.append(
            {
                "arm": arm.arm,
                "assigned": arm.assigned,
                "mature": arm.units,
                "messages": arm.messages,
                "messages a lead": f"{arm.messages / arm.units:.2f}" if arm.units else UNKNOWN,
                "cost": dollars(arm.cost.cost_usd),
                "leads with a known cost": arm.cost.costed_units,
                "$ per lead": dollars(arm.cost.per_unit),
                "written by another model": UNKNOWN if share is None else fine_percent(share),
            }
        )
    return ReportTable(
        pd.DataFrame(rows), pd.DataFrame(shown),
        ("messages a lead", "cost", "$ per lead", "written by another model"),
    )  # fmt: skip


def _effect(result: AbResult, c: Comparison) -> str:
    if c.verdict == "invalid" or c.difference is None:
        return _HIDDEN
    if result.plan.scale == "ratio":
        return estimate(c.ratio, c.ratio_ci, percent)
    return estimate(c.difference, c.difference_ci, fine_points)


def _cost_per_reply(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return UNKNOWN
    if interval is None:
        return dollars(value)
    if math.isinf(interval.high) or interval.low < 0:
        return f"{dollars(value)} (no upper limit)"
    return span(value, *interval, dollars)
