"""What is drawn of an experiment beside its effect."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.abtest.anytime_plan import anytime_power
from llmbench.abtest.cells import paired_cells
from llmbench.abtest.plan import planned_units
from llmbench.abtest.sequences import DayPoint, day_by_day

if TYPE_CHECKING:
    from llmbench.abtest.results import AbResult

__all__ = ["day_series", "power_curve"]

_CURVE_POINTS = 41


def day_series(result: AbResult) -> list[DayPoint]:
    """Ratios of all treatments by day; none where no effect is shown."""
    if not result.shows_effect:
        return []
    weights = {each.stratum: each.expected for each in result.health.strata}
    found: list[DayPoint] = []
    for comparison in result.comparisons:
        cells = paired_cells(result.counts.arms, comparison.treatment, result.plan.control, weights)
        if cells.strata:
            effect, _ = (result.design_effects or {}).get(comparison.treatment, (1.0, 0))
            widening = math.sqrt(effect) if effect > 1 else 1.0
            found += day_by_day(result.counts.days, result.plan, cells, widening)
    return found


def power_curve(result: AbResult) -> list[tuple[str, list[float], list[float]]]:
    """(label, units of all arms, power to show that the margin is kept) at the planned split and with equal
    arms, if all arms have the planning rate. Empty where there is no rate. Of one look at the end; under
    "anytime", of a test that is looked at at each of the units.
    """
    from llmbench.stats import power

    plan, rate = result.plan, result.planning_rate
    treatments = [arm for arm in result.shares if arm != plan.control and result.shares[arm] > 0]
    control = result.shares.get(plan.control, 0.0)
    if rate is None or not 0 < rate < 1 or not treatments or not control:
        return []
    design = max([plan.design_effect, *(value for value, _ in (result.design_effects or {}).values())])
    equal = dict.fromkeys([*treatments, plan.control], 1.0)
    found = []
    for label, shares in (("planned split", result.shares), ("equal arms", equal)):
        most = planned_units(plan, rate, result.shares, design) * 1.25
        if not math.isfinite(most):
            return []
        total = math.fsum(shares[arm] for arm in (*treatments, plan.control))
        worst = min(treatments, key=lambda arm: shares[arm])
        pair = (shares[worst] + shares[plan.control]) / total
        units = [most * (number + 1) / _CURVE_POINTS for number in range(_CURVE_POINTS)]
        level = plan.alpha / len(treatments)
        if plan.stopping_rule == "anytime":
            share = shares[worst] / (shares[worst] + shares[plan.control])
            counted = [each * pair / design for each in units]
            powers = anytime_power(rate, plan.margin, share, counted, level, plan.concentration)
        else:
            powers = [
                power(
                    rate, rate, plan.margin, each * pair, plan.scale, alpha=level,
                    allocation=shares[plan.control] / shares[worst], design_effect=design,
                )
                for each in units
            ]  # fmt: skip
        found.append((label, units, powers))
    return found
