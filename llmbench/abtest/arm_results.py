"""What is known of each arm: its replies, its costs, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from llmbench.abtest.cells import (
    Cells,
    DesignEffect,
    arm_design_effect,
)
from llmbench.abtest.counts import Counts, UnitSums
from llmbench.abtest.look_scale import look_scale
from llmbench.abtest.money import ArmCost, Money, arm_cost, compare_money, draw_units
from llmbench.abtest.plan import Plan
from llmbench.abtest.results import ArmResult
from llmbench.stats import Interval, wilson_interval

__all__ = ["arm_result", "costs_and_money"]


def arm_result(counts: Counts, plan: Plan, arm: str, cost: ArmCost, *, show: bool) -> ArmResult:
    """An arm's counts and cost; its replies only if the effect may be shown."""
    sums = [each for each in counts.arms if each.arm == arm]
    units, replied = sum(each.units for each in sums), sum(each.replied for each in sums)
    served = [each.served_by_other for each in sums]
    known = [each for each in served if each is not None]
    return ArmResult(
        arm,
        sum(each.messages for each in sums),
        units,
        replied if show else None,
        replied / units if show and units else None,
        _rate_interval(counts, plan, arm, sums, replied, units) if show and units else None,
        cost if show else cost._replace(per_reply=None, per_reply_ci=None),
        sum(known) if known and len(known) == len(served) else None,
        sum(each.units for each in counts.assigned if each.arm == arm),
    )


def costs_and_money(
    counts: Counts,
    plan: Plan,
    cells: Mapping[str, Cells],
    design: Mapping[str, DesignEffect | None],
    fractions: Sequence[float],
    *,
    show: bool,
) -> tuple[dict[str, ArmCost], dict[str, Money]]:
    """The cost of every arm, and the money of each treatment where it is known and may be shown.

    `fractions` is the information at the looks up to the one that is shown.
    """
    fixed, costs = {}, {}
    for arm in counts.arm_names:
        sums = [each for each in counts.arms if each.arm == arm]
        # Fixed costs were for all units that were sent to, also for those that are not mature yet.
        sent = max(sum(d.started for d in counts.days if d.arm == arm), sum(each.units for each in sums))
        fixed[arm] = plan.fixed_costs_usd.get(arm, 0.0) / sent if sent else 0.0
        clusters = next((each for each in counts.cluster_costs if each.arm == arm), None)
        costs[arm] = arm_cost(sums, fixed[arm], plan.confidence, clusters)
    money: dict[str, Money] = {}
    if show and counts.costs:
        draws = draw_units(counts, plan, fixed)
        scale = look_scale(plan, fractions)
        for arm, each in cells.items():
            found = design[arm]
            spread = (
                1.0
                if found is None or math.isnan(found.difference)
                else math.sqrt(max(1.0, found.difference))
            )
            if each.information > 0:
                made = compare_money(plan, each, costs, draws, spread, scale)
                if made is not None:
                    money[arm] = made
    return costs, money


def _rate_interval(
    counts: Counts, plan: Plan, arm: str, sums: Sequence[UnitSums], replied: int, units: int
) -> Interval:
    """Wilson's, of the effective number of units where they are clustered."""
    design = arm_design_effect(arm, sums, counts.clusters) if counts.clusters else None
    factor = 1.0 if design is None or math.isnan(design[0]) else max(1.0, design[0])
    n = max(1, round(units / factor))
    return wilson_interval(min(n, round(replied / factor)), n, plan.confidence)
