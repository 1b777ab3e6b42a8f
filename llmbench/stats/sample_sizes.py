"""How many units two arms need against a margin, what a number of them can show, and how surely.

Source: Farrington and Manning (1990), Statistics in Medicine 9:1447: variance at the margin from the rates
likeliest there, variance under the plan from the planned rates. All are normal approximations.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from scipy.optimize import brentq

from llmbench.errors import UsageError
from llmbench.stats.checks import check_choice, check_open_unit, check_positive, check_sides
from llmbench.stats.score import restricted_planned_rates
from llmbench.stats.two_arms import OneSided, Scale, check_margin

__all__ = ["minimum_detectable_effect", "power", "sample_size"]

_NORMAL = NormalDist()
_ACCURACY = 1e-13


def sample_size(
    p1: float,
    p2: float,
    margin: float,
    scale: Scale = "ratio",
    alpha: float = 0.025,
    sides: int = 1,
    power: float = 0.8,
    allocation: float = 1.0,
    *,
    design_effect: float = 1.0,
) -> float:
    """Units in both arms together, unrounded, that show with chance `power` that p1 lies beyond `margin`.

    `p1` and `p2` are the rates planned with. `margin` is the null value of p1 / p2 (or, with `scale`
    "difference", of p1 - p2); the side of it on which the planned rates lie is what is to be shown. `alpha`
    is the level of the whole test, halved for `sides` = 2. `allocation` is n2 / n1: 1/9 where arm 1
    gets 90%. `design_effect` multiplies the variance, 1 + (m - 1) · ICC for clusters of m units. Round up
    per arm: n1 = N / (1 + allocation). Raises UsageError, also where the planned rates lie on the margin.

    >>> print(f"{sample_size(0.03, 0.03, 0.9, allocation=1 / 9):.0f} {sample_size(0.03, 0.03, 0.9):.0f}")
    247203 91513
    """
    plan = _plan(p1, p2, margin, scale, allocation)
    check_positive("design_effect", design_effect)
    target = _NORMAL.inv_cdf(check_open_unit("power", power))
    critical = _critical(alpha, sides)
    if plan.effect == 0:
        raise UsageError(
            f"p1 = {p1!r} and p2 = {p2!r} lie exactly on the margin {margin!r}: no number of units shows it."
        )
    spread = critical * math.sqrt(plan.null_variance) + target * math.sqrt(plan.variance)
    if spread <= 0:
        raise UsageError(f"power ({power!r}) must not be below the chance of a false positive ({alpha!r}).")
    return (1 + allocation) * (spread / plan.effect) ** 2 * design_effect


def power(
    p1: float,
    p2: float,
    margin: float,
    n: float,
    scale: Scale = "ratio",
    alpha: float = 0.025,
    sides: int = 1,
    allocation: float = 1.0,
    *,
    design_effect: float = 1.0,
) -> float:
    """Chance that `n` units in both arms together show that p1 lies beyond `margin`.

    The inverse of `sample_size`, parameters as there; of `sides` = 2 only the side of the planned rates
    counts. Rates on the margin have the power alpha / sides. Raises UsageError.

    >>> print(f"{power(0.38, 0.32, -0.02, 1020.822, 'difference', alpha=0.05):.4f}")
    0.8500
    """
    plan = _plan(p1, p2, margin, scale, allocation)
    units = check_positive("n", n) / check_positive("design_effect", design_effect)
    return _power(plan, units / (1 + allocation), _critical(alpha, sides))


def minimum_detectable_effect(
    p2: float,
    n: float,
    margin: float | None = None,
    scale: Scale = "ratio",
    alpha: float = 0.025,
    sides: int = 1,
    power: float = 0.8,
    allocation: float = 1.0,
    *,
    alternative: OneSided = "greater",
    design_effect: float = 1.0,
) -> float:
    """The true effect nearest to `margin` that `n` units in both arms show with chance `power`.

    The effect is p1 / p2, or p1 - p2 with `scale` "difference", at the rate `p2` of arm 2; `margin` is by
    default no effect, 1 or 0. Alternative "greater" looks above the margin, "less" below. Other
    parameters as in `sample_size`. NaN where even the largest effect possible is not shown; where the
    margin is further from `p2` than any rate, it may be the effect of a rate of 0 or 1. Raises UsageError.

    >>> print(f"{minimum_detectable_effect(0.03, 20_000, alpha=0.05, sides=2):.3f}")
    1.238
    """
    check_choice("alternative", alternative, ("greater", "less"))
    if margin is None:
        check_choice("scale", scale, ("ratio", "difference"))
        margin = 1.0 if scale == "ratio" else 0.0
    rate = check_open_unit("p2", p2)
    wanted = check_open_unit("power", power)
    critical = _critical(alpha, sides)
    units = check_positive("n", n) / check_positive("design_effect", design_effect)
    first = units / (1 + check_positive("allocation", allocation))
    null = check_margin(margin, scale)
    at_margin = null * rate if scale == "ratio" else rate + null
    end = 1.0 if alternative == "greater" else 0.0
    if not (at_margin < end if alternative == "greater" else at_margin > end):
        return math.nan

    def lack(p1: float) -> float:
        return _power(_plan(p1, rate, null, scale, allocation), first, critical) - wanted

    # Just inside: a rate of exactly 0 or 1 has no variance, and would always be shown.
    start, end = at_margin + (end - at_margin) * 1e-12, at_margin + (end - at_margin) * (1 - 1e-9)
    start = min(1 - 1e-15, max(1e-300, start))
    if lack(start) >= 0:
        if not 0 < at_margin < 1:
            # No rate lies as far out as the margin: the furthest there is is shown already.
            return (round(start) / rate) if scale == "ratio" else round(start) - rate
        raise UsageError(f"power ({power!r}) must not be below the chance of a false positive ({alpha!r}).")
    if lack(end) < 0:
        return math.nan
    p1 = float(brentq(lack, start, end, xtol=_ACCURACY * rate))
    return p1 / rate if scale == "ratio" else p1 - rate


class _Plan(NamedTuple):
    """Per unit of arm 1: the distance to the margin, and both variances of its estimate."""

    effect: float
    null_variance: float
    variance: float


def _plan(p1: float, p2: float, margin: float, scale: str, allocation: float) -> _Plan:
    first, second = check_open_unit("p1", p1), check_open_unit("p2", p2)
    null = check_margin(margin, scale)
    share = check_positive("allocation", allocation)
    factor = null if scale == "ratio" else 1.0
    null1, null2 = restricted_planned_rates(first, second, share, null, ratio=scale == "ratio")
    return _Plan(
        first - factor * second if scale == "ratio" else first - second - null,
        null1 * (1 - null1) + factor**2 * null2 * (1 - null2) / share,
        first * (1 - first) + factor**2 * second * (1 - second) / share,
    )


def _power(plan: _Plan, n1: float, critical: float) -> float:
    shift = abs(plan.effect) * math.sqrt(n1) - critical * math.sqrt(plan.null_variance)
    return _NORMAL.cdf(shift / math.sqrt(plan.variance))


def _critical(alpha: float, sides: int) -> float:
    level = check_open_unit("alpha", alpha)
    check_sides(sides)
    # From the lower tail: 1 less a small alpha has no digits left.
    return -_NORMAL.inv_cdf(level / sides)
