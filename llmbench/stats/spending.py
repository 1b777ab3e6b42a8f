"""Planned looks at a running test: how much of alpha each look may spend, and what follows from it.

Lan and DeMets (1983), Biometrika 70:659. A test of planned looks stops at the first look whose z is beyond
its critical value; the bounds depend on the looks so far only, so their times need not be those planned.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.brownian import Walk
from llmbench.stats.checks import check_choice, check_number, check_open_unit, check_sides, finite_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CrossingProbabilities",
    "SpendingSchedule",
    "alpha_spending_bounds",
    "crossing_probabilities",
    "sequential_inflation",
    "spending_schedule",
    "stagewise_p_value",
]

Kind = Literal["obrien-fleming", "pocock"]

_LEAST_STEP = 1e-4
_LEAST_SPENT = 1e-11
"""Below this the integration has no digits left; the bound of the look alone is on the safe side."""
_HIGHEST = 40.0


@shown
class SpendingSchedule(NamedTuple):
    """The looks of a test, one value of each per look."""

    information_fractions: tuple[float, ...]
    critical_values: tuple[float, ...]
    """The z from which on the look stops the test; infinite where the look has nothing to spend."""
    spent: tuple[float, ...]
    """Alpha spent up to and with the look, on both sides where there are two."""
    confidences: tuple[float, ...]
    """2 Φ(critical value) - 1: two-sided intervals of these confidences hold at all looks together with
    confidence 1 - alpha (sides=2) or 1 - 2 alpha (sides=1): repeated confidence intervals, Jennison and
    Turnbull (1989), JRSS B 51:305."""


@shown
class CrossingProbabilities(NamedTuple):
    """Probability that the test stops at each look, by the side on which it does."""

    upper: tuple[float, ...]
    lower: tuple[float, ...]
    """Zero throughout for a one-sided test."""

    @property
    def total(self) -> float:
        """Probability that any look stops the test: its type-I error where there is no effect."""
        return math.fsum(self.upper) + math.fsum(self.lower)


def alpha_spending_bounds(
    information_fractions: ArrayLike, alpha: float = 0.05, sides: int = 2, kind: Kind = "obrien-fleming"
) -> NDArray[np.float64]:
    """Critical z of each look by alpha spending: `spending_schedule` has what else belongs to them.

    `information_fractions` ascend, one per look: the units at that look over those planned in the end.
    They may be unequal, end before 1 (a test still running), and overrun 1 at the last look. `kind` is
    the function of Lan and DeMets (1983) that is spent by: "obrien-fleming", 2 - 2 Φ(z_{a/2} / √t), hardly
    anything early; or "pocock", a ln(1 + (e - 1) t), about the same at each look. Two-sided bounds are
    symmetric and spend a = alpha / 2 on each side. Raises UsageError.

    The classical designs of O'Brien and Fleming (1979) and Pocock (1977), for equal steps, differ a
    little from these.

    >>> print(alpha_spending_bounds([0.25, 0.5, 0.75, 1]).round(4))
    [4.3326 2.9631 2.359  2.0141]
    """
    return np.array(spending_schedule(information_fractions, alpha, sides, kind).critical_values)


def spending_schedule(
    information_fractions: ArrayLike, alpha: float = 0.05, sides: int = 2, kind: Kind = "obrien-fleming"
) -> SpendingSchedule:
    """As `alpha_spending_bounds`, with the alpha spent and the confidence of intervals at each look. Raises
    UsageError.

    >>> schedule = spending_schedule([0.5, 1.0], alpha=0.025, sides=1)
    >>> print([round(spent, 6) for spent in schedule.spent])
    [0.001525, 0.025]
    """
    times = _check_fractions(information_fractions)
    check_open_unit("alpha", alpha)
    check_sides(sides)
    check_choice("kind", kind, ("obrien-fleming", "pocock"))
    each = alpha / sides
    if each >= 0.5:
        raise UsageError(f"alpha ({alpha!r}) must be below 0.5 on each side.")
    spent = [_spent(min(time, 1.0), each, kind) for time in times]
    bounds: list[float] = []
    walk = Walk()
    for look, time in enumerate(times):
        amount = spent[look] - (spent[look - 1] if look else 0.0)
        bounds.append(_bound(walk, time, amount))
        if look + 1 < len(times):
            walk.go_on(-bounds[-1] if sides == 2 else -math.inf, bounds[-1], time, times[look + 1])
    return SpendingSchedule(
        tuple(times),
        tuple(bounds),
        tuple(sides * amount for amount in spent),
        tuple(float(1 - 2 * ndtr(-bound)) for bound in bounds),
    )


def crossing_probabilities(
    critical_values: ArrayLike, information_fractions: ArrayLike, drift: float = 0.0, sides: int = 2
) -> CrossingProbabilities:
    """Probability that each look is the one that stops the test, for any critical values.

    `drift` is the expected z of all the information planned (fraction 1): 0 without an effect, and
    z_{1-alpha} + z_power for the effect that a test of one look is planned for. `sum(.upper)` is then the
    power. A one-sided test has no lower bound. Raises UsageError.

    Looking four times at 5% each:

    >>> print(f"{crossing_probabilities([1.96] * 4, [0.25, 0.5, 0.75, 1]).total:.3f}")
    0.126
    """
    times = _check_fractions(information_fractions)
    check_sides(sides)
    check_number("drift", drift)
    bounds = _check_bounds(critical_values, len(times))
    upper, lower = [], []
    walk = Walk(drift)
    for look, (time, bound) in enumerate(zip(times, bounds, strict=True)):
        upper.append(walk.above(bound, time))
        lower.append(walk.below(-bound, time) if sides == 2 else 0.0)
        if look + 1 < len(times):
            walk.go_on(-bound if sides == 2 else -math.inf, bound, time, times[look + 1])
    return CrossingProbabilities(tuple(upper), tuple(lower))


def sequential_inflation(
    information_fractions: ArrayLike,
    alpha: float = 0.05,
    sides: int = 2,
    kind: Kind = "obrien-fleming",
    power: float = 0.8,
) -> float:
    """Units that a test with looks needs at most, over those of a test with one look at the end.

    Both with the same alpha and power, against the same effect. Raises UsageError, also where the
    last fraction is not 1.

    >>> print(f"{sequential_inflation([0.25, 0.5, 0.75, 1], alpha=0.025, sides=1):.4f}")
    1.0196
    """
    check_open_unit("power", power)
    times, bounds, _, _ = spending_schedule(information_fractions, alpha, sides, kind)
    if times[-1] != 1:
        raise UsageError(f"information_fractions must end at 1 for a plan, not {times[-1]!r}.")
    if power <= alpha / sides:
        raise UsageError(f"power ({power!r}) must be above alpha ({alpha!r}).")
    one_look = float(ndtri(1 - alpha / sides) + ndtri(power))

    def missing(drift: float) -> float:
        return math.fsum(crossing_probabilities(bounds, times, drift, sides).upper) - power

    drift = float(brentq(missing, 0.0, one_look + 5, xtol=1e-10))
    return (drift / one_look) ** 2


def stagewise_p_value(
    statistic: float, critical_values: ArrayLike, information_fractions: ArrayLike, sides: int = 1
) -> float:
    """The p-value of a test that stopped at the last of the looks given, with the z `statistic` there.

    More extreme than this result is a stop at an earlier look on the same side, or a larger z at this
    one: the stage-wise ordering of Tsiatis, Rosner and Mehta (1984), Biometrics 40:797. One-sided it is
    of the alternative "greater"; two-sided, twice the smaller tail. `critical_values` are of the earlier
    looks at least; one for this look is not used. At or below the alpha spent so far exactly where the
    statistic is beyond this look's bound. Raises UsageError.

    >>> bounds = alpha_spending_bounds([0.5, 1.0], alpha=0.025, sides=1)
    >>> print(f"{stagewise_p_value(2.2, bounds, [0.5, 1.0]):.4f}")
    0.0146
    """
    check_number("statistic", statistic)
    times = _check_fractions(information_fractions)
    check_sides(sides)
    given = _bounds(critical_values)
    if given.ndim != 1 or len(given) not in {len(times) - 1, len(times)}:
        raise UsageError(
            f"critical_values must be one per look ({len(times)}), or one per earlier look, "
            f"not of shape {given.shape}."
        )
    bounds = _check_bounds(given[: len(times) - 1], len(times) - 1)
    walk = Walk()
    up = down = 0.0
    for look, bound in enumerate(bounds):
        up += walk.above(bound, times[look])
        down += walk.below(-bound, times[look])
        walk.go_on(-bound if sides == 2 else -math.inf, bound, times[look], times[look + 1])
    up += walk.above(statistic, times[-1])
    down += walk.below(statistic, times[-1])
    return min(1.0, up if sides == 1 else 2 * min(up, down))


def _spent(time: float, alpha: float, kind: str) -> float:
    if kind == "pocock":
        return alpha * math.log1p((math.e - 1) * time)
    return 2 * float(ndtr(ndtri(alpha / 2) / math.sqrt(time)))


def _bound(walk: Walk, time: float, amount: float) -> float:
    """The z above which `amount` of probability lies, among the paths still under way."""
    if amount <= 0:
        return math.inf
    if amount < _LEAST_SPENT or walk.time == 0:
        return -float(ndtri(amount))
    return float(brentq(lambda z: walk.above(z, time) - amount, -_HIGHEST, _HIGHEST, xtol=1e-12))


def _check_fractions(information_fractions: ArrayLike) -> list[float]:
    array = finite_array("information_fractions", information_fractions)
    if not len(array):
        raise UsageError("information_fractions is empty; it needs one fraction per look.")
    if array[0] < _LEAST_STEP:
        raise UsageError(
            f"information_fractions must begin at {_LEAST_STEP:g} or later, not {float(array[0])!r}."
        )
    if (np.diff(array) < _LEAST_STEP * (1 - 1e-9)).any():
        raise UsageError(
            f"information_fractions must ascend by at least {_LEAST_STEP:g} from look to look: "
            f"{array.tolist()}."
        )
    if (array[:-1] >= 1).any():
        raise UsageError(
            "Only the last of information_fractions may reach 1, where all of alpha is spent: "
            f"{array.tolist()}."
        )
    return [float(value) for value in array]


def _bounds(critical_values: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(critical_values)
    except ValueError:  # lists of different length
        array = np.array(None)
    if array.dtype.kind not in "iuf":
        raise UsageError("critical_values must be a list or array of numbers, one per look.")
    return array.astype(float)


def _check_bounds(critical_values: ArrayLike, looks: int) -> list[float]:
    # An infinite bound is a look that cannot stop the test.
    array = _bounds(critical_values)
    if array.shape != (looks,):
        raise UsageError(f"critical_values must be one per look ({looks}), not of shape {array.shape}.")
    if not (array > 0).all():
        raise UsageError(f"critical_values must be above 0, not {array.tolist()}.")
    return [float(value) for value in array]
