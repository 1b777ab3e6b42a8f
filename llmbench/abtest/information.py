"""How much the units tell, whether that makes a look, and what they could find."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llmbench.abtest.anytime_plan import anytime_effect_shown
from llmbench.abtest.cells import (
    Cells,
)
from llmbench.abtest.counts import Counts
from llmbench.abtest.health import Health
from llmbench.abtest.looks import Look, Occasion, look_now, standing
from llmbench.abtest.needed import daily_units, days_until
from llmbench.abtest.plan import Plan, planned_units
from llmbench.abtest.results import Power
from llmbench.numbers import nan_as_none

__all__ = ["information_of", "occasion_of", "power_of"]


def information_of(
    plan: Plan, cells: Mapping[str, Cells], shares: Mapping[str, float], planned: float, units: int
) -> float:
    """The smallest treatment's fraction of the information that the planned units hold.

    Under "fixed" the units themselves are counted. Once they are there a group-sequential test ends as
    well, whatever chance did to the split.
    """
    found = []
    control = shares.get(plan.control, 0.0)
    for arm, each in cells.items():
        share = shares.get(arm, 0.0)
        whole = planned * share * control / (share + control) if share and control else math.inf
        if share > 0:
            found.append(each.information / whole if whole else 0.0)
    information = min(found, default=0.0)
    if found and plan.stopping_rule == "fixed":
        return units / planned
    return max(information, 1.0) if found and units >= planned and information > 0 else information


def occasion_of(
    counts: Counts, plan: Plan, cells: Mapping[str, Cells], information: float, pooled: float | None,
    before: Sequence[Look], health: Health,
) -> Occasion:  # fmt: skip
    """Whether this run is a look, and why."""
    decided = standing([look for look in before if look.cut_off < counts.as_of])
    again = any(look.cut_off == counts.as_of for look in before)
    if decided and set(cells) <= set(decided) and not again:
        fractions = tuple(look.information for look in before if look.cut_off < counts.as_of)
        last = max(look.number for look, _ in decided.values())
        why = f"Decided at look {last}; that stands."
        if not cells:
            why += f" Now only one arm is in the source, {plan.control}."
        return Occasion("over", fractions, information, None, why)
    if not health.healthy:
        fractions = tuple(look.information for look in before)
        return Occasion(
            "waiting", fractions, information, None, "No look is taken at a split that is broken."
        )
    if not cells and not again:
        return Occasion("waiting", (), information, None, "There is one arm only.")
    smallest = min((min(sum(each.n1), sum(each.n2)) for each in cells.values()), default=0)
    return look_now(plan, information, smallest * (pooled or 0.0), counts.as_of, before)


def power_of(
    counts: Counts,
    plan: Plan,
    shares: Mapping[str, float],
    rate: float | None,
    compared: Sequence[Cells],
    worst: float,
) -> Power:
    """Of the treatment with the least information."""
    from llmbench.stats import minimum_detectable_effect

    if rate is None or not 0 < rate < 1 or not compared:
        return Power(None, None, None)
    units = planned_units(plan, rate, shares, worst)
    if not math.isfinite(units):
        return Power(None, None, None)
    days = days_until(counts, plan, units, daily_units(counts))
    weakest = min(compared, key=lambda cells: cells.information)
    allocation = sum(weakest.n2) / sum(weakest.n1)
    # As many units, in one stratum, as hold the information that there is.
    present = weakest.information * (1 + allocation) ** 2 / allocation
    if plan.stopping_rule == "anytime":
        effective = present / max(1.0, worst)
        mde = anytime_effect_shown(
            rate, 1 / (1 + allocation), effective, plan.alpha, plan.power, plan.concentration
        )
    else:
        mde = minimum_detectable_effect(
            rate,
            present,
            scale=plan.scale,
            alpha=2 * plan.alpha,
            sides=2,
            power=plan.power,
            allocation=allocation,
            design_effect=max(1.0, worst),
        )
    return Power(nan_as_none(mde), units, days)
