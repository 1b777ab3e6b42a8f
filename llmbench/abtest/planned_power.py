"""With which chance the test finds what it is for by the end of its plan, which may end too early."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from llmbench.abtest.plan import Plan

__all__ = ["planned_power"]

_NORMAL = NormalDist()


def planned_power(
    plan: Plan, rate: float | None, shares: Mapping[str, float], units: float, design_effect: float = 1.0
) -> float | None:
    """Chance to have shown the margin to be kept once `units` of all arms are mature, if the arms are equal.

    Of the treatment with the least units. None where there is no rate or no plan, and under "anytime", which
    has no end. Group-sequential: of all looks together, on the scale of Brownian motion.
    """
    if plan.stopping_rule == "anytime" or rate is None or not 0 < rate < 1 or not 0 < units < math.inf:
        return None
    treatments = [arm for arm in shares if arm != plan.control and shares[arm] > 0]
    control = shares.get(plan.control, 0.0)
    if not treatments or not control:
        return None
    from llmbench.stats import power

    least = min(shares[arm] for arm in treatments)
    level = plan.alpha / len(treatments)
    once = power(
        rate, rate, plan.margin, units * (least + control) / math.fsum(shares.values()), plan.scale,
        alpha=level, allocation=control / least, design_effect=max(design_effect, plan.design_effect),
    )  # fmt: skip
    if plan.stopping_rule == "fixed" or plan.looks == 1 or not 0 < once < 1:
        return once
    from llmbench.stats import alpha_spending_bounds, crossing_probabilities

    fractions = [(look + 1) / plan.looks for look in range(plan.looks)]
    bounds = alpha_spending_bounds(fractions, alpha=level, sides=1)
    drift = _NORMAL.inv_cdf(1 - level) + _NORMAL.inv_cdf(once)
    return math.fsum(crossing_probabilities(bounds, fractions, drift, 1).upper)
