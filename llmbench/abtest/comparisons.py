"""Each treatment against the control: what was decided before, and what this look shows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.abtest.bounds import known
from llmbench.abtest.cells import (
    Cells,
    effective_counts,
)
from llmbench.abtest.effect import Effect
from llmbench.abtest.health import Health
from llmbench.abtest.money import Money
from llmbench.abtest.plan import Plan
from llmbench.abtest.results import Bayes, Comparison, Sequential
from llmbench.stats import adjust_p_values

__all__ = ["compare_arms"]


def compare_arms(
    plan: Plan,
    treatments: Sequence[str],
    cells: Mapping[str, Cells],
    fresh: Mapping[str, Effect],
    decided: Mapping[str, Comparison],
    money: Mapping[str, Money],
    number: int,
    health: Health,
    *,
    shows: bool,
) -> tuple[Comparison, ...]:
    """A comparison a treatment: `fresh` of this look, `decided` of an earlier one, or none yet."""
    adjusted = dict(
        zip(fresh, adjust_p_values([each.p_value for each in fresh.values()]), strict=True)
    ) if fresh else {}  # fmt: skip
    found = []
    for arm in treatments:
        net = money[arm].net_value_per_1000 if shows and arm in money else None
        if not health.healthy:
            found.append(Comparison(plan.control, arm, plan.margin, plan.scale, "invalid"))
        elif arm in fresh:
            found.append(_comparison(plan, cells[arm], fresh[arm], adjusted[arm], net, number))
        elif arm in decided:
            # What was decided stands; its money is of all the data there are.
            kept = decided[arm]
            found.append(dataclasses.replace(kept, net_value=net or kept.net_value))
        else:
            found.append(Comparison(plan.control, arm, plan.margin, plan.scale, "cannot tell"))
    return tuple(found)


def _comparison(
    plan: Plan, cells: Cells, effect: Effect, adjusted: float, net: Any, number: int
) -> Comparison:
    from llmbench.abtest.sequences import anytime_interval
    from llmbench.stats import expected_loss, probability_best

    (x1, n1), (x2, n2) = effective_counts(cells)
    bayes = Bayes(float(probability_best((x1, x2), (n1, n2))[0]), float(expected_loss((x1, x2), (n1, n2))[0]))
    own = effect.ratio_ci if plan.scale == "ratio" else effect.difference_ci
    crossed = effect.verdict != "cannot tell"
    if plan.stopping_rule == "fixed":
        # The share of the replies tells of their ratio only.
        always = anytime_interval(plan, cells, 1 - 2 * plan.alpha) if plan.scale == "ratio" else None
        crossed = always is not None and (always.low > plan.margin or always.high < plan.margin)
        sequential = Sequential("anytime", number, crossed, always)
    else:
        sequential = Sequential(plan.stopping_rule, number, crossed, own)
    ratio = effect.ratio if math.isfinite(effect.ratio) else None
    return Comparison(
        plan.control, cells.treatment, plan.margin, plan.scale, effect.verdict, known(effect.difference),
        effect.difference_ci, ratio, effect.ratio_ci, known(effect.p_value), known(adjusted), effect.method,
        known(effect.margin_p), net, sequential, bayes, number,
    )  # fmt: skip
