"""A plan run thousands of times before the test starts: how often it ends how, and when.

Every run is analysed as the experiment will be. Fixed: the score statistic against the margin, once, when
the planned units are in. Group-sequential: the same at each look, against O'Brien-Fleming-like bounds.
Anytime: the e-process on the share of replies, every day. Several treatments share alpha by Holm's procedure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.abtest.anytime_plan import anytime_units
from llmbench.abtest.cells import is_lopsided
from llmbench.abtest.margin_scores import margin_z
from llmbench.abtest.simulation_holm import holm_decisions
from llmbench.abtest.simulation_plan import SimulationPlan
from llmbench.abtest.simulation_result import DECISIONS, AbSimulation, Family, LookPlan, Outcome, PowerPoint
from llmbench.stats import sample_size, sequential_inflation, spending_schedule
from llmbench.stats.e_process import log_e_values_of_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = ["simulate"]

_LEAST_REPLIES = 10
"""Expected in the smaller arm before a planned look is taken."""
_MOST_DAILY_LOOKS = 200
_CURVE = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_STEPS = 60


class _Looks(NamedTuple):
    """When is looked, and what a statistic must reach there."""

    units: NDArray[np.int64]
    critical: Numbers
    """By how many treatments share alpha, less one, and by look."""


class _Table(NamedTuple):
    """Totals of a treatment and the control by look: runs x looks."""

    x1: Numbers
    n1: Numbers
    x2: Numbers
    n2: Numbers


def simulate(plan: SimulationPlan) -> AbSimulation:
    """Run the plan at each true ratio, at equal rates and at the margin; seconds for 2,000 runs.

    >>> from llmbench.abtest.simulation_plan import SimulationPlan
    >>> found = simulate(SimulationPlan(control_rate=0.03, units_per_day=2000, runs=500))
    >>> found.planned_units, len(found.looks), found.days_to_the_end
    (93311, 4, 61.0)
    >>> 0.7 < found.power < 0.9
    True
    """
    planned = _planned_units(plan)
    looks = _looks(plan, planned)
    seeds = np.random.SeedSequence(plan.seed).spawn(len(plan.truths) + 1)
    tried = [
        _outcomes(plan, looks, truth, np.random.default_rng(seed))
        for truth, seed in zip(plan.truths, seeds, strict=False)
    ]
    outcomes = tuple(outcome for found, _ in tried for outcome in found)
    return AbSimulation(
        plan=plan,
        planned_units=planned,
        looks=_look_plans(plan, looks, planned),
        outcomes=outcomes,
        power_curve=_power_curve(plan, planned, outcomes[0], np.random.default_rng(seeds[-1])),
        families=tuple(family for _, family in tried) if len(plan.shares) > 1 else (),
    )


def _planned_units(plan: SimulationPlan) -> int:
    if plan.planned_units is not None:
        return plan.planned_units
    # Each at alpha over their number, the most that Holm's procedure may ask; the largest such test.
    alpha = plan.alpha / len(plan.shares)
    found = max(
        _units_of_two_arms(plan, alpha, ratio, share) / (share + plan.control_share)
        for ratio, share in zip(plan.truths[0], plan.shares, strict=True)
        if ratio > plan.ratio_at_margin
    )
    if plan.stopping_rule == "group-sequential":
        fractions = [look / plan.looks for look in range(1, plan.looks + 1)]
        found *= sequential_inflation(fractions, alpha, 1, power=plan.power)
    return math.ceil(found * plan.design_effect)


def _units_of_two_arms(plan: SimulationPlan, alpha: float, ratio: float, share: float) -> float:
    """Units of a treatment with that share and true ratio and of the control, without looks on the way."""
    if plan.stopping_rule == "anytime":
        of_treatment = share / (share + plan.control_share)
        return anytime_units(
            plan.control_rate, plan.margin, of_treatment, alpha, plan.power, true_ratio=ratio
        )
    return sample_size(
        plan.true_rate(ratio),
        plan.control_rate,
        plan.margin,
        plan.scale,
        alpha,
        power=plan.power,
        allocation=plan.control_share / share,
    )


def _looks(plan: SimulationPlan, planned: int) -> _Looks:
    alphas = [plan.alpha / (number + 1) for number, _ in enumerate(plan.shares)]
    if plan.stopping_rule == "anytime":
        days = math.ceil(planned / plan.units_per_day)
        at = np.unique(np.linspace(0, days, min(days, _MOST_DAILY_LOOKS) + 1).round()[1:])
        units = np.minimum(planned, np.floor(at * plan.units_per_day)).astype(np.int64)
        units = np.unique(units[units > 0])
        return _Looks(units, np.array([np.full(len(units), math.log(1 / alpha)) for alpha in alphas]))
    count = plan.looks if plan.stopping_rule == "group-sequential" else 1
    fractions = np.arange(1, count + 1) / count
    smaller = min(*plan.shares, plan.control_share) * plan.control_rate * planned * fractions
    fractions = fractions[(smaller >= _LEAST_REPLIES - 1e-9) | (fractions == 1)]
    bounds = [spending_schedule(fractions, alpha, 1).critical_values for alpha in alphas]
    return _Looks(np.ceil(fractions * planned).astype(np.int64), np.array(bounds))


def _draw(
    plan: SimulationPlan, units: NDArray[np.int64], truth: tuple[float, ...], rng: np.random.Generator
) -> list[_Table]:
    """Totals of `runs` experiments at each look, units assigned one by one or by whole clusters."""
    size = plan.cluster_size
    steps = np.diff(units // size, prepend=0)
    left, share_left, counts = steps, 1.0, []
    for share in plan.shares:
        counts.append(rng.binomial(left, min(1.0, share / share_left), (plan.runs, len(steps))))
        left, share_left = left - counts[-1], share_left - share
    replies = [_replies(plan, n, plan.true_rate(ratio), rng) for n, ratio in zip(counts, truth, strict=True)]
    control = _replies(plan, left, plan.control_rate, rng)
    x2, n2 = (each.cumsum(axis=1).astype(float) for each in (control, size * left))
    return [
        _Table(x.cumsum(axis=1).astype(float), (size * n).cumsum(axis=1).astype(float), x2, n2)
        for x, n in zip(replies, counts, strict=True)
    ]


def _replies(
    plan: SimulationPlan, clusters: NDArray[np.int64], rate: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    if plan.cluster_size == 1 or plan.correlation == 0:
        return np.asarray(rng.binomial(clusters * plan.cluster_size, rate))
    from scipy.stats import betabinom

    # Beta-binomial replies of a cluster; how many clusters have how many is one draw.
    total = 1 / plan.correlation - 1
    counts = np.arange(plan.cluster_size + 1)
    chances = betabinom(plan.cluster_size, rate * total, (1 - rate) * total).pmf(counts)
    return np.asarray(rng.multinomial(clusters, chances / chances.sum()) @ counts)


def _evidence(
    plan: SimulationPlan, table: _Table, null: float | None, share: float
) -> tuple[Numbers, Numbers]:
    """Statistics for the treatment being above the margin and below it; `null` 0 or 1 is no difference."""
    margin = plan.margin if null is None else null
    if plan.stopping_rule == "anytime":
        odds = math.log(share / plan.control_share)
        above, below = (
            log_e_values_of_shares(table.x1, table.x2, odds + math.log(margin), odds, side)
            for side in ("greater", "less")
        )
        return above, below
    lopsided = is_lopsided(share, plan.control_share)
    z = margin_z(*table, margin, plan.scale, skewness=lopsided) / math.sqrt(plan.design_effect)
    return z, -z


def _decide(
    plan: SimulationPlan, looks: _Looks, tables: list[_Table]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Look at which each treatment is decided in each run, and the place of its decision in DECISIONS."""
    none = 1.0 if plan.scale == "ratio" else 0.0
    beyond = [_evidence(plan, each, None, share) for each, share in zip(tables, plan.shares, strict=True)]
    better = np.array(
        [_evidence(plan, each, none, share)[0] for each, share in zip(tables, plan.shares, strict=True)]
    )
    if plan.stopping_rule == "anytime":  # what was shown at an earlier look stays shown
        better = np.maximum.accumulate(better, axis=2)
    above, below = (np.array([each[side] for each in beyond]) for side in (0, 1))
    return holm_decisions(above, below, better, looks.critical)


def _outcomes(
    plan: SimulationPlan, looks: _Looks, truth: tuple[float, ...], rng: np.random.Generator
) -> tuple[list[Outcome], Family]:
    look, decision = _decide(plan, looks, _draw(plan, looks.units, truth, rng))
    found = []
    for number, ratio in enumerate(truth):
        stops = np.zeros((len(looks.units), len(DECISIONS)), dtype=np.int64)
        np.add.at(stops, (look[number], decision[number]), 1)
        days = _days(plan, looks.units)[look[number]]
        exposed = np.minimum(looks.units[-1], np.floor(days * plan.units_per_day))
        found.append(
            Outcome(
                ratio=ratio,
                runs=plan.runs,
                shares={name: float(stops[:, at].sum() / plan.runs) for at, name in enumerate(DECISIONS)},
                mean_day=float(days.mean()),
                median_day=float(np.median(days)),
                late_day=float(np.quantile(days, 0.9)),
                mean_units=float(exposed.mean()),
                stops=tuple(tuple(int(count) for count in row) for row in stops),
                treatment=number + 1,
                truth=truth,
            )
        )
    shown = decision <= DECISIONS.index("not worse")
    bad = np.array(truth) <= plan.ratio_at_margin * (1 + 1e-12)
    return found, Family(
        truth=truth,
        runs=plan.runs,
        any_not_worse=float(shown.any(axis=0).mean()),
        all_not_worse=float(shown.all(axis=0).mean()),
        any_false=float(shown[bad].any(axis=0).mean()) if bad.any() else 0.0,
        mean_day=float(_days(plan, looks.units)[look.max(axis=0)].mean()),
    )


def _days(plan: SimulationPlan, units: NDArray[np.int64]) -> Numbers:
    """Days from the start until so many units have been sent to and their window is over."""
    return np.asarray(np.ceil(units / plan.units_per_day) + plan.window_days)


def _look_plans(plan: SimulationPlan, looks: _Looks, planned: int) -> tuple[LookPlan, ...]:
    upper, lower = (_observed_bound(plan, looks, side) for side in (0, 1))
    return tuple(
        LookPlan(
            fraction=int(units) / planned,
            units=int(units),
            day=float(day),
            critical_value=float(critical),
            not_worse_from=None if math.isnan(high) else float(high),
            worse_up_to=None if math.isnan(low) else float(low),
        )
        for units, day, critical, high, low in zip(
            looks.units, _days(plan, looks.units), looks.critical[-1], upper, lower, strict=True
        )
    )


def _observed_bound(plan: SimulationPlan, looks: _Looks, side: int) -> Numbers:
    """The observed ratio (or difference) that just stops each look, the control showing its expected rate.

    Of the smallest treatment, if it is the first to be shown. NaN where no rate does.
    """
    units, share = looks.units.astype(np.float64), min(plan.shares)
    n1, n2 = units * share, units * plan.control_share
    x2 = n2 * plan.control_rate

    def reaches(rate: Numbers) -> NDArray[np.bool_]:
        table = _Table(n1 * rate, n1, x2, n2)
        return np.asarray(_evidence(plan, table, None, share)[side] >= looks.critical[-1])

    # The rate nearest to the margin at which the look stops, by halving; "far" stops it, "near" does not.
    near = np.full(len(looks.units), plan.true_rate(plan.ratio_at_margin))
    far = np.full(len(looks.units), 1.0 if side == 0 else 0.0)
    possible = reaches(far)
    for _ in range(_STEPS):
        middle = (near + far) / 2
        stops = reaches(middle)
        near, far = np.where(stops, near, middle), np.where(stops, middle, far)
    observed = far / plan.control_rate if plan.scale == "ratio" else far - plan.control_rate
    return np.where(possible, observed, math.nan)


def _power_curve(
    plan: SimulationPlan, planned: int, as_planned: Outcome, rng: np.random.Generator
) -> tuple[PowerPoint, ...]:
    """Share of runs that show the first treatment to be not worse at the first truth, by planned units."""
    truth = plan.truths[0]
    if plan.stopping_rule == "anytime":
        looks = _looks(plan, 2 * planned)
        look, decision = _decide(plan, looks, _draw(plan, looks.units, truth, rng))
        shown = decision[0] <= DECISIONS.index("not worse")
        return tuple(
            _point(int(units), int((shown & (look[0] <= place)).sum()), plan.runs)
            for place, units in enumerate(looks.units)
        )
    points = []
    for factor in _CURVE:
        if factor == 1:
            points.append(_point(planned, round(as_planned.power * plan.runs), plan.runs))
            continue
        units = max(1, round(factor * planned))
        looks = _looks(plan, units)
        _, decision = _decide(plan, looks, _draw(plan, looks.units, truth, rng))
        points.append(_point(units, int((decision[0] <= DECISIONS.index("not worse")).sum()), plan.runs))
    return tuple(points)


def _point(units: int, shown: int, runs: int) -> PowerPoint:
    from llmbench.stats import wilson_interval

    return PowerPoint(units, shown / runs, *wilson_interval(shown, runs))
