"""The effect of a treatment at one look: difference, ratio, tests and verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

from llmbench.abtest.bounds import confidence_of, critical_value, repeated_p_value
from llmbench.abtest.cells import Cells, DesignEffect, is_lopsided, widening_of
from llmbench.abtest.plan import Plan, Scale
from llmbench.abtest.tiny_counts import ComparisonVerdict, exact_verdict, tiny_counts
from llmbench.stats import Interval

__all__ = [
    "ComparisonVerdict",
    "Effect",
    "difference_interval",
    "effects_by_holm",
    "margin_z",
    "method_of",
    "ratio_interval",
    "verdict_of",
]


class Effect(NamedTuple):
    """Treatment against control."""

    difference: float
    difference_ci: Interval | None
    """None where no interval holds under the stopping rule."""
    ratio: float
    ratio_ci: Interval | None
    p_value: float
    """Two-sided, of no effect, adjusted for the looks."""
    margin_p: float
    """One-sided, of an effect at the margin or beyond, adjusted for the looks."""
    method: str
    level: float
    """One-sided alpha that Holm's adjustment grants to this treatment."""
    verdict: ComparisonVerdict
    widening: float = 1.0
    """Square root of the design effect on the ratio: by how much clusters widen its interval."""


def effects_by_holm(
    plan: Plan,
    cells: Mapping[str, Cells],
    fractions: Sequence[float],
    design: Mapping[str, DesignEffect | None],
    family: int,
    planned: float = math.nan,
) -> dict[str, Effect]:
    """Effects of all treatments at this look, the margin tests adjusted by Holm's (1979) procedure.

    `cells` holds the treatments that no earlier look decided; `family` counts them and those that an earlier
    look found worse. The one with the smallest p-value is tested at alpha over `family`, the next, once that
    one passed, at alpha over one less; intervals are at the level of their test, so that interval and
    verdict never disagree. `planned` are the mature units of the plan, of all arms, where it is to know where
    an interval of "anytime" should be narrowest. Over looks: Maurer and Bretz (2013), Stat. Biopharm. Res.
    5:311.
    """
    left = family
    first = {
        name: _effect(plan, each, fractions, design[name], plan.alpha, planned)
        for name, each in cells.items()
    }
    # NaN (nothing can be told) goes last.
    order = sorted(first, key=lambda name: (math.isnan(first[name].margin_p), first[name].margin_p))
    found: dict[str, Effect] = {}
    for name in order:
        level = plan.alpha / left
        effect = (
            first[name]
            if level == plan.alpha
            else _effect(plan, cells[name], fractions, design[name], level, planned)
        )
        found[name] = effect
        if effect.verdict in {"better", "not worse"} and left > 1:
            left -= 1
    return {name: found[name] for name in cells}


def verdict_of(interval: Interval | None, margin: float, null: float) -> ComparisonVerdict:
    """What an interval says of an effect where more is better.

    >>> verdict_of(Interval(0.92, 1.1), 0.9, 1.0)
    'not worse'
    """
    if interval is None or math.isnan(interval.low) or math.isnan(interval.high):
        return "cannot tell"
    if interval.low > margin:
        return "better" if interval.low > null else "not worse"
    return "worse" if interval.high < margin else "cannot tell"


def method_of(cells: Cells) -> Literal["scas", "miettinen-nurminen"]:
    """Corrected for skewness where one arm is much smaller."""
    one, two = sum(cells.n1), sum(cells.n2)
    return "scas" if is_lopsided(one, two) else "miettinen-nurminen"


def ratio_interval(
    cells: Cells, confidence: float, widen: float = 1.0, clusters: int | None = None
) -> Interval:
    """Of the ratio of the rates, `widen` times as wide on the scale of the score."""
    from llmbench.stats import rate_ratio_interval, stratified_ratio_interval

    return _interval(
        cells,
        confidence_of(_critical(confidence), widen, clusters),
        rate_ratio_interval,
        stratified_ratio_interval,
    )


def difference_interval(
    cells: Cells, confidence: float, widen: float = 1.0, clusters: int | None = None
) -> Interval:
    """Of the difference of the rates, as `ratio_interval`."""
    from llmbench.stats import rate_difference_interval, stratified_difference_interval

    return _interval(
        cells,
        confidence_of(_critical(confidence), widen, clusters),
        rate_difference_interval,
        stratified_difference_interval,
    )


def _interval(
    cells: Cells, level: float, single: Callable[..., Interval], stratified: Callable[..., Interval]
) -> Interval:
    if len(cells.strata) == 1:
        return single(*_one(cells), confidence=level, method=method_of(cells))
    return stratified(*_all(cells), confidence=level, method=method_of(cells))


def margin_z(cells: Cells, margin: float, scale: Scale) -> float:
    """Score statistic against the margin; positive where the treatment has more."""
    from llmbench.stats import margin_test, stratified_margin_test

    if len(cells.strata) == 1:
        return float(margin_test(*_one(cells), margin, scale=scale, method=method_of(cells)).statistic)
    return float(stratified_margin_test(*_all(cells), margin, scale=scale, method=method_of(cells)).statistic)


def _effect(
    plan: Plan, cells: Cells, fractions: Sequence[float], design: DesignEffect | None, level: float,
    planned: float,
) -> Effect:  # fmt: skip
    if plan.stopping_rule == "anytime":
        from llmbench.abtest.sequences import anytime_effect

        return anytime_effect(plan, cells, level, design, planned)
    clusters = None if design is None else design.clusters
    confidence = confidence_of(critical_value(plan, fractions, level))
    widen = {scale: widening_of(design, scale) for scale in ("difference", "ratio")}
    difference_ci = difference_interval(cells, confidence, widen["difference"], clusters)
    ratio_ci = ratio_interval(cells, confidence, widen["ratio"], clusters)
    zs = (margin_z(cells, null, plan.scale) / widen[plan.scale] for null in (plan.null, plan.margin))
    equal, beyond = (_normal_z(z, clusters) for z in zs)
    p_value = min(1.0, 2 * repeated_p_value(plan, fractions, abs(equal)))
    margin_p = repeated_p_value(plan, fractions, beyond)
    interval = ratio_ci if plan.scale == "ratio" else difference_ci
    verdict = verdict_of(interval, plan.margin, plan.null)
    method = _method_words(plan, cells, design)
    exact = tiny_counts(cells, clustered=design is not None)
    method += exact.words(plan.stopping_rule)
    if exact.applies:
        nominal = 0.5 * math.erfc(critical_value(plan, fractions, level) / math.sqrt(2))
        verdict, exact_p = exact_verdict(plan, cells, verdict, nominal)
        margin_p = max(margin_p, repeated_p_value(plan, fractions, -NormalDist().inv_cdf(exact_p)))
    return Effect(
        cells.difference, difference_ci, cells.ratio, ratio_ci, p_value, margin_p, method, level, verdict,
        widen["ratio"],
    )  # fmt: skip


def _method_words(plan: Plan, cells: Cells, design: DesignEffect | None) -> str:
    words = "Miettinen-Nurminen score"
    if method_of(cells) == "scas":
        words += " with skewness correction (SCAS)"
    if len(cells.strata) > 1:
        words += f", stratified over {len(cells.strata)} strata"
    if design is not None:
        words += f", design effect {widening_of(design, plan.scale) ** 2:.2f} of {design.clusters:,} clusters"
    if plan.stopping_rule == "group-sequential":
        words += ", Lan-DeMets O'Brien-Fleming-like bounds"
    return words


def _normal_z(z: float, clusters: int | None) -> float:
    """A t with C - 1 degrees of freedom as the z of the same tail."""
    if clusters is None or math.isnan(z):
        return z
    from scipy.special import stdtr

    tail = float(stdtr(clusters - 1, -abs(z)))
    return math.copysign(-NormalDist().inv_cdf(max(tail, 1e-300)), z)


def _critical(confidence: float) -> float:
    return -NormalDist().inv_cdf((1 - confidence) / 2)


def _one(cells: Cells) -> tuple[int, int, int, int]:
    return cells.x1[0], cells.n1[0], cells.x2[0], cells.n2[0]


def _all(cells: Cells) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    return cells.x1, cells.n1, cells.x2, cells.n2
