"""Each treatment against the control: what was decided before, and what this look shows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.abtest.cells import (
    Cells,
    effective_counts,
)
from llmbench.abtest.effect import Effect
from llmbench.abtest.health import Health
from llmbench.abtest.looks import Look
from llmbench.abtest.money import Money
from llmbench.abtest.plan import Plan
from llmbench.abtest.results import Bayes, Comparison, Sequential
from llmbench.abtest.results_data import comparison_of
from llmbench.numbers import nan_as_none, signed_points
from llmbench.stats import adjust_p_values

__all__ = ["as_remembered", "compare_arms"]

_SAME = 1e-6
"""Relative difference up to which two runs on the same rows are the same."""


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
    adjusted = _adjusted(treatments, fresh, decided)
    found = []
    for arm in treatments:
        net = money[arm].net_value_per_1000 if shows and arm in money else None
        if not health.healthy:
            found.append(Comparison(plan.control, arm, plan.margin, plan.scale, "invalid"))
        elif arm in fresh:
            found.append(_comparison(plan, cells[arm], fresh[arm], adjusted[arm], net, number))
        elif arm in decided:
            # What was decided stands, and so does its money: it would be tested anew at every run.
            found.append(decided[arm])
        else:
            found.append(Comparison(plan.control, arm, plan.margin, plan.scale, "cannot tell"))
    return tuple(found)


def as_remembered(
    comparisons: Sequence[Comparison], look: Look, *, again: bool
) -> tuple[tuple[Comparison, ...], list[str]]:
    """What `look` showed in place of what was not decided before it; a sentence for each that came out
    otherwise now, if this is that look `again`.
    """
    seen = {each["treatment"]: comparison_of(dict(each), look.number) for each in look.comparisons}
    found, differs = [], []
    for each in comparisons:
        then = seen.get(each.treatment)
        if then is None or (each.look is not None and each.look < look.number):
            found.append(each)
            continue
        found.append(then)
        if again and not _alike(each, then):
            differs.append(
                f"the data up to {look.cut_off:%Y-%m-%d} show another result of {each.treatment} now "
                f"({_short(each)}) than at look {look.number} ({_short(then)}): rows came or changed since. "
                "What the look showed is what counts."
            )
    return tuple(found), differs


def _alike(one: Comparison, two: Comparison) -> bool:
    if one.verdict != two.verdict:
        return False
    pairs = ((one.ratio, two.ratio), (one.difference, two.difference), (one.margin_p, two.margin_p))
    return all(
        a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=_SAME, abs_tol=1e-12))
        for a, b in pairs
    )


def _short(c: Comparison) -> str:
    if c.ratio is not None:
        return f"{c.verdict}, ratio {c.ratio:.3f}"
    if c.difference is None:
        return c.verdict
    return f"{c.verdict}, difference {signed_points(c.difference, 2)} points"


def _adjusted(
    treatments: Sequence[str], fresh: Mapping[str, Effect], decided: Mapping[str, Comparison]
) -> dict[str, float]:
    """Over all treatments of the test, by the p-values of the looks that decided; one that is not known
    counts as 1.
    """
    ps = [_p_of(fresh[arm].p_value if arm in fresh else _decided_p(decided.get(arm))) for arm in treatments]
    found = dict(zip(treatments, adjust_p_values(ps), strict=True)) if fresh else {}
    return {arm: math.nan if math.isnan(each.p_value) else found[arm] for arm, each in fresh.items()}


def _decided_p(decided: Comparison | None) -> float | None:
    return None if decided is None else decided.p_value


def _p_of(value: float | None) -> float:
    return 1.0 if value is None or math.isnan(value) else value


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
        always = None
        if plan.scale == "ratio":
            always = anytime_interval(plan, cells, 1 - 2 * plan.alpha, effect.widening)
        crossed = always is not None and (always.low > plan.margin or always.high < plan.margin)
        sequential = Sequential("anytime", number, crossed, always)
    else:
        sequential = Sequential(plan.stopping_rule, number, crossed, own)
    ratio = effect.ratio if math.isfinite(effect.ratio) else None
    return Comparison(
        plan.control, cells.treatment, plan.margin, plan.scale, effect.verdict,
        nan_as_none(effect.difference), effect.difference_ci, ratio, effect.ratio_ci,
        nan_as_none(effect.p_value), nan_as_none(adjusted), effect.method, nan_as_none(effect.margin_p),
        net, sequential, bayes, number, sum(cells.x2) / sum(cells.n2),
    )  # fmt: skip
