"""Dollars beside replies: what an arm costs and brings, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.abtest.cells import Cells
from llmbench.abtest.counts import ClusterCosts, CostCounts, Counts, UnitSums
from llmbench.abtest.look_scale import LookScale
from llmbench.abtest.plan import Plan
from llmbench.stats import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArmCost", "Draws", "Money", "NetValue", "arm_cost", "compare_money", "draw_units"]

_CURVE_POINTS = 61
_CURVE_DECADES = (0.05, 20.0)
"""The acceptability curve's range, in values per reply that make both arms equal."""


class ArmCost(NamedTuple):
    """What one arm cost, of the mature units whose cost is known; None where none is."""

    cost_usd: float | None
    """Together, with its fixed costs."""
    costed_units: int
    per_unit: float | None
    per_message: float | None
    per_reply: float | None
    """Per unit that replied; None where none did."""
    per_reply_ci: Interval | None
    """Fieller's; the upper limit is infinite where the data cannot tell that there are replies at all."""


class Moments(NamedTuple):
    """Variances of the means of cost and reply, and their covariance."""

    cost: float
    rate: float
    both: float


class NetValue(NamedTuple):
    """USD per 1,000 units: value of the replies minus cost.

    Of a treatment against the control, interval and probability hold over all looks at the experiment; see
    `llmbench.abtest.look_scale`. An arm by itself, of which nothing is decided, is as of one look.
    """

    estimate: float
    ci: Interval
    """At the plan's confidence."""
    probability_positive: float
    look_confidence: float | None = None
    """Of `ci`, were this the only look; None of a look that was remembered without it."""


class Draws(NamedTuple):
    """Bootstrap over the units of one arm in one stratum, one value a draw, and what was drawn from."""

    units: int
    rate: float
    cost: float
    """Mean per unit."""
    rates: NDArray[np.float64]
    costs: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Money:
    """Money of a treatment against the control."""

    saving_per_message: float
    """USD by which the treatment's messages are cheaper; negative: dearer."""
    saving_per_unit: float
    economic_margin: float | None
    """Effect, on the plan's scale, at which lost replies eat the whole saving; None without a value."""
    net_value_per_1000: NetValue | None
    """Treatment minus control; None without a value per reply."""
    arm_net_value_per_1000: Mapping[str, NetValue]
    acceptability: Sequence[tuple[float, float]]
    """(value per reply, probability over all looks that the treatment has the higher net value)."""


def arm_cost(
    sums: Sequence[UnitSums], fixed: float, confidence: float, clusters: ClusterCosts | None = None
) -> ArmCost:
    """Cost of one arm over all its strata; `fixed` is each unit's part of the arm's fixed costs.

    Fieller's interval with the covariance of cost and reply within a unit, and within a cluster where units
    depend on each other: there with Student's t of C - 1 degrees of freedom. Source: Fieller (1954), JRSS B
    16:175.
    """
    units = sum(each.costed_units for each in sums)
    if units == 0:
        return ArmCost(None, 0, None, None, None, None)
    variable = math.fsum(each.cost_usd for each in sums)
    replied = sum(each.costed_replied for each in sums)
    per_unit = variable / units + fixed
    messages = sum(each.messages for each in sums) / max(1, sum(each.units for each in sums))
    per_message = per_unit / messages if messages else None
    interval = None
    if units > 1:
        rate = replied / units
        mean = variable / units
        scale = 1 / (units * (units - 1))
        variance_cost = max(0.0, math.fsum(e.cost_usd_squared for e in sums) - units * mean**2) * scale
        variance_rate = units * rate * (1 - rate) * scale
        covariance = (math.fsum(e.cost_usd_replied for e in sums) - units * mean * rate) * scale
        moments = Moments(variance_cost, variance_rate, covariance)
        if clusters is not None:
            moments = _clustered(moments, clusters, units, mean, rate, per_unit)
        count = None if clusters is None else clusters.clusters
        interval = _fieller(per_unit, rate, *moments, confidence, count)
    total = per_unit * units
    return ArmCost(total, units, per_unit, per_message, total / replied if replied else None, interval)


def _clustered(
    plain: Moments, clusters: ClusterCosts, units: int, mean: float, rate: float, per_unit: float
) -> Moments:
    """The moments over clusters: squares of the sums of their residuals, times C/(C-1).

    The plain ones where these make the ratio's variance smaller, which is more often chance than not.
    """
    c = clusters
    if c.clusters < 2:
        return plain
    scale = c.clusters / (c.clusters - 1) / units**2
    found = Moments(
        scale * max(0.0, c.cost_cost - 2 * mean * c.units_cost + mean**2 * c.units_units),
        scale * max(0.0, c.replied_replied - 2 * rate * c.units_replied + rate**2 * c.units_units),
        scale * (c.replied_cost - mean * c.units_replied - rate * c.units_cost + mean * rate * c.units_units),
    )
    # Of cost - ratio · replied, multiplied by the rate so that none is no matter.
    one, two = (
        rate**2 * each.cost - 2 * rate * per_unit * each.both + per_unit**2 * each.rate
        for each in (plain, found)
    )
    return found if two >= one else plain


def draw_units(
    counts: Counts, plan: Plan, fixed_per_unit: Mapping[str, float]
) -> dict[tuple[str, str], Draws]:
    """Resample the units of known cost, arm by arm and stratum by stratum.

    Units of the same bucket of cost that replied alike are exchangeable, so a multinomial draw of the
    buckets' sizes is the bootstrap over units.
    """
    by_cell: dict[tuple[str, str], list[CostCounts]] = {}
    for row in counts.costs:
        if row.cost_usd is not None and row.units > 0:
            by_cell.setdefault((row.arm, row.stratum), []).append(row)
    found = {}
    for number, cell in enumerate(sorted(by_cell)):
        rows = by_cell[cell]
        sizes = np.array([row.units for row in rows], dtype=float)
        cost = np.array([row.cost_usd for row in rows], dtype=float) + fixed_per_unit.get(cell[0], 0.0)
        replied = np.array([row.replied for row in rows], dtype=float)
        total = int(sizes.sum())
        shares = sizes / total
        drawn = np.random.default_rng([plan.seed, number]).multinomial(total, shares, size=plan.bootstrap)
        found[cell] = Draws(
            total,
            float(shares @ replied),
            float(shares @ cost),
            drawn @ replied / total,
            drawn @ cost / total,
        )
    return found


def compare_money(
    plan: Plan,
    cells: Cells,
    costs: Mapping[str, ArmCost],
    draws: Mapping[tuple[str, str], Draws],
    widen: float = 1.0,
    scale: LookScale | None = None,
) -> Money | None:
    """Saving, economic margin and net value of a treatment; None where the cost of an arm is unknown.

    Strata count by their share of the information, as in the effect. `widen` is the square root of the
    design effect, by which draws are spread about the estimate where units depend on each other. `scale`
    makes what is said against the control hold over all looks; None: there is one.
    """
    one, two = costs[cells.treatment], costs[cells.control]
    if one.per_unit is None or two.per_unit is None or one.per_message is None or two.per_message is None:
        return None
    arms = {}
    for arm in (cells.treatment, cells.control):
        found = _standardised(cells, draws, arm, widen)
        if found is None:
            return None
        arms[arm] = found
    treatment, control = arms[cells.treatment], arms[cells.control]
    saving_per_unit = control.cost - treatment.cost
    value = plan.value_per_reply_usd
    margin = None
    if value is not None:
        margin = -saving_per_unit / value
        if plan.scale == "ratio":
            margin = 1 + margin / control.rate if control.rate > 0 else None
    once = LookScale(plan.confidence, look_confidence=plan.confidence)
    over_all = scale or once
    net = None if value is None else _net_value(over_all, value, treatment, control)
    by_arm = {} if value is None else {arm: _net_value(once, value, found) for arm, found in arms.items()}
    return Money(
        two.per_message - one.per_message, saving_per_unit, margin, net, by_arm,
        _acceptability(over_all, treatment, control, value),
    )  # fmt: skip


def _standardised(
    cells: Cells, draws: Mapping[tuple[str, str], Draws], arm: str, widen: float
) -> Draws | None:
    """One arm over its strata, in the proportions that both arms are given."""
    found = [draws.get((arm, stratum)) for stratum in cells.strata]
    if not found or any(each is None for each in found):
        return None
    known = [each for each in found if each is not None]
    shares = np.array(cells.weights) / cells.information
    rate = float(sum(share * each.rate for share, each in zip(shares, known, strict=True)))
    cost = float(sum(share * each.cost for share, each in zip(shares, known, strict=True)))
    rates = np.sum([share * each.rates for share, each in zip(shares, known, strict=True)], axis=0)
    costs = np.sum([share * each.costs for share, each in zip(shares, known, strict=True)], axis=0)
    return Draws(
        sum(each.units for each in known),
        rate,
        cost,
        rate + widen * (rates - rate),
        cost + widen * (costs - cost),
    )


def _net_value(scale: LookScale, value: float, arm: Draws, other: Draws | None = None) -> NetValue:
    estimate = value * arm.rate - arm.cost
    drawn = value * arm.rates - arm.costs
    if other is not None:
        estimate -= value * other.rate - other.cost
        drawn = drawn - (value * other.rates - other.costs)
    return NetValue(
        1000 * estimate,
        scale.interval(1000 * estimate, 1000 * drawn),
        scale.probability(estimate, drawn),
        scale.look_confidence,
    )


def _acceptability(
    scale: LookScale, treatment: Draws, control: Draws, value: float | None
) -> list[tuple[float, float]]:
    """Around the given value, or where the saving and the interval of the rates have their balance."""
    rates, costs = treatment.rates - control.rates, treatment.costs - control.costs
    spread = float(np.quantile(np.abs(rates), 0.5))
    saving = abs(float(costs.mean()))
    centre = value or (saving / spread if spread > 0 and saving > 0 else 1.0)
    grid = centre * np.geomspace(*_CURVE_DECADES, _CURVE_POINTS)
    rate, cost = treatment.rate - control.rate, treatment.cost - control.cost
    return [
        (float(each), scale.probability(float(each) * rate - cost, each * rates - costs)) for each in grid
    ]


def _fieller(
    numerator: float,
    denominator: float,
    v11: float,
    v22: float,
    v12: float,
    confidence: float,
    clusters: int | None = None,
) -> Interval | None:
    from scipy.special import ndtri, stdtrit

    from llmbench.stats import fieller_interval

    z = float(ndtri(0.5 + confidence / 2))
    if clusters is not None and clusters > 1:
        z = float(stdtrit(clusters - 1, 0.5 + confidence / 2))
    # Rounding of like costs leaves a little covariance where there can be none.
    bound = math.sqrt(v11) * math.sqrt(v22)
    v12 = min(bound, max(-bound, v12))
    # Zero within the limits of the rate: no finite cost per reply can be ruled out.
    low, high = tuple(fieller_interval(numerator, denominator, v11, v22, covariance=v12, critical_value=z))[
        :2
    ]
    if math.isnan(low) or math.isnan(high):
        return None
    return Interval(float(low), float(high))
