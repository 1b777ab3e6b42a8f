"""How many items and leads a decision takes: all of its gates sized together.

To go on, every required gate must pass. Six gates that each pass a good candidate with chance 80% pass it
together with 26%, so each has to be sized for more. The chances of gates of different samples multiply; of
gates measured on the same sample no independence is assumed (Bonferroni: the chance to miss one is at most
the sum of the chances to miss each). What no sample changes, such as the range of a saving, is a factor
beside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmbench.decision.planned_gates import PlannedGate
from llmbench.errors import UsageError
from llmbench.shown import shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["GateNeed", "GatesPlan", "plan_gates"]

_MOST_UNITS = 1e12
_SLACK = 1e-5


@shown
class GateNeed(NamedTuple):
    """One gate of a plan."""

    gate: str
    sample: str
    units: int | None
    """Of its sample in this plan; None where it has none."""
    power: float
    """Its own chance to pass with these."""
    alone: int | None
    """Units that it would need for the target as the only gate."""


@shown
@dataclass(frozen=True, slots=True)
class GatesPlan:
    """What all gates together need. Made by `plan_gates`."""

    gates: tuple[GateNeed, ...]
    units: Mapping[str, int]
    """Of each sample."""
    power: float
    """Chance at least that a candidate as good as expected passes all gates."""
    power_one_by_one: float
    """The same bound, were each gate sized as if it were the only one."""
    usd: float | None
    """Of all units; None where no price was given."""

    def to_pandas(self) -> pd.DataFrame:
        """One row a gate."""
        import pandas as pd

        return pd.DataFrame(self.gates, columns=list(GateNeed._fields))


def plan_gates(
    gates: Sequence[PlannedGate], power: float = 0.8, *, usd_per_unit: Mapping[str, float] | None = None
) -> GatesPlan:
    """Units of each sample, so that a candidate as good as expected passes all gates with chance `power`.

    Without `usd_per_unit` (USD of one more unit, by sample) every sample gets the same chance; with it they
    get what makes the whole cheapest. Raises UsageError where no sample is large enough.

    >>> from llmbench.decision.planned_gates import MeanGate, RatesGate, SureGate
    >>> plan = plan_gates([
    ...     MeanGate("quality", 0.0, -0.03, spread=0.35),
    ...     RatesGate("replies", 0.05, 0.05, 0.9),
    ...     SureGate("saving", 0.97),
    ... ])
    >>> dict(plan.units), f"{plan.power:.3f}", f"{plan.power_one_by_one:.3f}"
    ({'items': 1473, 'leads': 74178}, '0.800', '0.621')
    """
    _check(gates, power)
    samples = list(dict.fromkeys(each.sample for each in gates if each.sample))
    of = {sample: [each for each in gates if each.sample == sample] for sample in samples}
    sure = math.prod(each.power(1) for each in gates if not each.sample)
    if sure <= power:
        names = ", ".join(each.gate for each in gates if not each.sample)
        raise UsageError(
            f"{names} pass with chance {sure:.2f} by themselves, whatever is measured: power {power:g} "
            "cannot be reached. Ask for less, or expect more of them."
        )
    target = power / sure
    needed = {sample: _units(of[sample], target ** (1 / len(samples))) for sample in samples}
    if usd_per_unit is not None and len(samples) > 1:
        needed = _cheapest(of, needed, target, [_price(usd_per_unit, sample) for sample in samples])
    units = {sample: math.ceil(n - 1e-6) for sample, n in needed.items()}
    alone = {each.gate: math.ceil(_units([each], power) - 1e-6) for each in gates if each.sample}
    separate = {sample: max(alone[each.gate] for each in of[sample]) for sample in samples}
    return GatesPlan(
        gates=tuple(
            GateNeed(
                each.gate, each.sample, units.get(each.sample), each.power(units.get(each.sample, 1)),
                alone.get(each.gate),
            )
            for each in gates
        ),
        units=units,
        power=sure * math.prod(_chance(of[sample], units[sample]) for sample in samples),
        power_one_by_one=sure * math.prod(_chance(of[sample], separate[sample]) for sample in samples),
        usd=None
        if usd_per_unit is None
        else math.fsum(n * _price(usd_per_unit, sample) for sample, n in units.items()),
    )  # fmt: skip


def _chance(gates: Sequence[PlannedGate], n: float) -> float:
    """To pass all gates of one sample, whatever their dependence."""
    return max(0.0, 1 - math.fsum(1 - each.power(n) for each in gates))


def _units(gates: Sequence[PlannedGate], wanted: float) -> float:
    low, high = 1.0, 2.0
    while _chance(gates, high) < wanted:
        low, high = high, 2 * high
        if high > _MOST_UNITS:
            raise UsageError(f"No realistic number of {gates[0].sample} passes {gates[0].gate!r}.")
    if _chance(gates, low) >= wanted:
        return low
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _chance(gates, middle) >= wanted else (middle, high)
    return high


def _cheapest(
    of: Mapping[str, Sequence[PlannedGate]],
    equal: Mapping[str, float],
    target: float,
    prices: Sequence[float],
) -> dict[str, float]:
    """The cheapest units with the same joint chance. The problem is convex: log P is concave in n."""
    import numpy as np
    from scipy.optimize import NonlinearConstraint, minimize

    start = np.array([equal[sample] for sample in of])
    price = np.array(prices) * start
    price /= price.sum()

    def cost(scale: NDArray[np.float64]) -> float:
        return float(price @ np.exp(scale))

    def joint(scale: NDArray[np.float64]) -> list[float]:
        chances = [_chance(gates, n) for gates, n in zip(of.values(), start * np.exp(scale), strict=True)]
        return [math.fsum(math.log(max(chance, 1e-300)) for chance in chances) - math.log(target)]

    found = minimize(
        cost, np.zeros(len(start)), method="SLSQP", bounds=[(-1.5, 1.5) for _ in start],
        constraints=NonlinearConstraint(joint, 0, math.inf),
    )  # fmt: skip
    scale = np.asarray(found.x)
    if not found.success or joint(scale)[0] < -_SLACK:
        return dict(equal)
    while joint(scale)[0] < 0:
        scale = scale + _SLACK
    return dict(zip(of, (float(n) for n in start * np.exp(scale)), strict=True))


def _price(usd_per_unit: Mapping[str, float], sample: str) -> float:
    found = usd_per_unit.get(sample)
    if found is None or not 0 < found < math.inf:
        raise UsageError(f"usd_per_unit[{sample!r}] must be a price above 0; it is {found!r}.")
    return found


def _check(gates: Sequence[PlannedGate], power: float) -> None:
    if not 0 < power < 1:
        raise UsageError(f"power is a chance strictly between 0 and 1, not {power!r}.")
    names = [each.gate for each in gates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"Gate {twice[0]!r} is planned twice; give each a name of its own.")
    if not any(each.sample for each in gates):
        raise UsageError("No gate has a sample that could be larger, so there is nothing to plan.")
