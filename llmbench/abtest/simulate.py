"""A plan run thousands of times before the test starts: how often it ends how, and when.

Every run is analysed as the experiment will be. Fixed: the score statistic against the margin, once, when
the planned units are in. Group-sequential: the same at each look, against O'Brien-Fleming-like bounds.
Anytime: the e-process on the share of replies, every day.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.abtest.anytime_plan import anytime_units
from llmbench.abtest.margin_scores import LOPSIDED, margin_z
from llmbench.abtest.simulation_plan import SimulationPlan
from llmbench.abtest.simulation_result import DECISIONS, AbSimulation, LookPlan, Outcome, PowerPoint
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


class _Table(NamedTuple):
    """Totals by look: runs x looks."""

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
    truths = dict.fromkeys((*plan.ratios, 1.0, plan.ratio_at_margin))
    seeds = np.random.SeedSequence(plan.seed).spawn(len(truths) + 1)
    outcomes = tuple(
        _outcome(plan, looks, ratio, np.random.default_rng(seed))
        for ratio, seed in zip(truths, seeds, strict=False)
    )
    return AbSimulation(
        plan=plan,
        planned_units=planned,
        looks=_look_plans(plan, looks, planned),
        outcomes=outcomes,
        power_curve=_power_curve(plan, planned, outcomes[0], np.random.default_rng(seeds[-1])),
    )


def _planned_units(plan: SimulationPlan) -> int:
    if plan.planned_units is not None:
        return plan.planned_units
    if plan.stopping_rule == "anytime":
        return math.ceil(
            anytime_units(
                plan.control_rate, plan.margin, plan.split, plan.alpha, plan.power, true_ratio=plan.ratios[0]
            )
        )
    found = sample_size(
        plan.true_rate(plan.ratios[0]),
        plan.control_rate,
        plan.margin,
        plan.scale,
        plan.alpha,
        power=plan.power,
        allocation=(1 - plan.split) / plan.split,
    )
    if plan.stopping_rule == "group-sequential":
        fractions = [look / plan.looks for look in range(1, plan.looks + 1)]
        found *= sequential_inflation(fractions, plan.alpha, 1, power=plan.power)
    return math.ceil(found * plan.design_effect)


def _looks(plan: SimulationPlan, planned: int) -> _Looks:
    if plan.stopping_rule == "anytime":
        days = math.ceil(planned / plan.units_per_day)
        at = np.unique(np.linspace(0, days, min(days, _MOST_DAILY_LOOKS) + 1).round()[1:])
        units = np.minimum(planned, np.floor(at * plan.units_per_day)).astype(np.int64)
        units = np.unique(units[units > 0])
        return _Looks(units, np.full(len(units), math.log(1 / plan.alpha)))
    count = plan.looks if plan.stopping_rule == "group-sequential" else 1
    fractions = np.arange(1, count + 1) / count
    smaller = min(plan.split, 1 - plan.split) * plan.control_rate * planned * fractions
    fractions = fractions[(smaller >= _LEAST_REPLIES - 1e-9) | (fractions == 1)]
    bounds = spending_schedule(fractions, plan.alpha, 1).critical_values
    return _Looks(np.ceil(fractions * planned).astype(np.int64), np.array(bounds))


def _draw(plan: SimulationPlan, units: NDArray[np.int64], ratio: float, rng: np.random.Generator) -> _Table:
    """Totals of `runs` experiments at each look, units assigned one by one or by whole clusters."""
    size = plan.cluster_size
    steps = np.diff(units // size, prepend=0)
    n1 = rng.binomial(steps, plan.split, (plan.runs, len(steps)))
    n2 = steps - n1
    x1 = _replies(plan, n1, plan.true_rate(ratio), rng)
    x2 = _replies(plan, n2, plan.control_rate, rng)
    return _Table(*(each.cumsum(axis=1).astype(float) for each in (x1, size * n1, x2, size * n2)))


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


def _evidence(plan: SimulationPlan, table: _Table, null: float | None) -> tuple[Numbers, Numbers]:
    """Statistics for the treatment being above the margin and below it; `null` 0 or 1 is no difference."""
    margin = plan.margin if null is None else null
    if plan.stopping_rule == "anytime":
        odds = math.log(plan.split / (1 - plan.split))
        above, below = (
            log_e_values_of_shares(table.x1, table.x2, odds + math.log(margin), odds, side)
            for side in ("greater", "less")
        )
        return above, below
    lopsided = max(plan.split, 1 - plan.split) >= LOPSIDED * min(plan.split, 1 - plan.split)
    z = margin_z(*table, margin, plan.scale, skewness=lopsided) / math.sqrt(plan.design_effect)
    return z, -z


def _decide(
    plan: SimulationPlan, looks: _Looks, table: _Table
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Look at which each run stops, and the place of its decision in DECISIONS."""
    above, below = (each >= looks.critical for each in _evidence(plan, table, None))
    better = _evidence(plan, table, 1.0 if plan.scale == "ratio" else 0.0)[0] >= looks.critical
    if plan.stopping_rule == "anytime":  # what was shown at an earlier look stays shown
        better = np.maximum.accumulate(better, axis=1)
    stops = above | below
    last = len(looks.units) - 1
    look = np.where(stops.any(axis=1), stops.argmax(axis=1), last)
    rows = np.arange(len(look))
    shown, worse = above[rows, look], below[rows, look]
    decision = np.select(
        [shown & better[rows, look], shown, worse],
        [DECISIONS.index(name) for name in ("better", "not worse", "worse")],
        DECISIONS.index("cannot tell"),
    )
    return look, decision


def _outcome(plan: SimulationPlan, looks: _Looks, ratio: float, rng: np.random.Generator) -> Outcome:
    look, decision = _decide(plan, looks, _draw(plan, looks.units, ratio, rng))
    stops = np.zeros((len(looks.units), len(DECISIONS)), dtype=np.int64)
    np.add.at(stops, (look, decision), 1)
    days = _days(plan, looks.units)[look]
    exposed = np.minimum(looks.units[-1], np.floor(days * plan.units_per_day))
    return Outcome(
        ratio=ratio,
        runs=plan.runs,
        shares={name: float(stops[:, place].sum() / plan.runs) for place, name in enumerate(DECISIONS)},
        mean_day=float(days.mean()),
        median_day=float(np.median(days)),
        late_day=float(np.quantile(days, 0.9)),
        mean_units=float(exposed.mean()),
        stops=tuple(tuple(int(count) for count in row) for row in stops),
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
            looks.units, _days(plan, looks.units), looks.critical, upper, lower, strict=True
        )
    )


def _observed_bound(plan: SimulationPlan, looks: _Looks, side: int) -> Numbers:
    """The observed ratio (or difference) that just stops each look, the control showing its expected rate.

    NaN where no treatment's rate does.
    """
    units = looks.units.astype(np.float64)
    n1, n2 = units * plan.split, units * (1 - plan.split)
    x2 = n2 * plan.control_rate

    def reaches(rate: Numbers) -> NDArray[np.bool_]:
        table = _Table(n1 * rate, n1, x2, n2)
        return np.asarray(_evidence(plan, table, None)[side] >= looks.critical)

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
    """Share of runs that show the first true ratio to be not worse, by planned units."""
    ratio = plan.ratios[0]
    if plan.stopping_rule == "anytime":
        looks = _looks(plan, 2 * planned)
        look, decision = _decide(plan, looks, _draw(plan, looks.units, ratio, rng))
        shown = decision <= DECISIONS.index("not worse")
        return tuple(
            _point(int(units), int((shown & (look <= place)).sum()), plan.runs)
            for place, units in enumerate(looks.units)
        )
    points = []
    for factor in _CURVE:
        if factor == 1:
            points.append(_point(planned, round(as_planned.power * plan.runs), plan.runs))
            continue
        units = max(1, round(factor * planned))
        looks = _looks(plan, units)
        _, decision = _decide(plan, looks, _draw(plan, looks.units, ratio, rng))
        points.append(_point(units, int((decision <= DECISIONS.index("not worse")).sum()), plan.runs))
    return tuple(points)


def _point(units: int, shown: int, runs: int) -> PowerPoint:
    from llmbench.stats import wilson_interval

    return PowerPoint(units, shown / runs, *wilson_interval(shown, runs))
