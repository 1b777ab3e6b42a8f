"""Critical values and p-values that hold however often the data were looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from llmbench.abtest.plan import Plan

__all__ = ["confidence_of", "critical_value", "repeated_p_value", "upper_tail"]

_NORMAL = NormalDist()
_LEAST_ALPHA, _MOST_ALPHA = 1e-10, 0.4999


def critical_value(plan: Plan, fractions: Sequence[float], alpha: float) -> float:
    """What a one-sided z must reach at the last of the looks that were taken.

    Group-sequential: Lan and DeMets (1983), Biometrika 70:659, spending as O'Brien and Fleming; intervals
    with it are the repeated confidence intervals of Jennison and Turnbull (1989), JRSS B 51:305, which hold
    at all looks together, whatever was decided before. Anytime: of the asymptotic confidence sequence of
    `asymptotic_difference_sequence`; the ratio of the replies has an exact one of its own.
    """
    if plan.stopping_rule == "fixed":
        return _NORMAL.inv_cdf(1 - alpha)
    if plan.stopping_rule == "anytime":
        from llmbench.stats.difference_sequence import asymptotic_critical_value

        return asymptotic_critical_value(fractions[-1], alpha)
    from llmbench.stats import alpha_spending_bounds

    return float(alpha_spending_bounds(tuple(fractions), alpha=alpha, sides=1)[-1])


def repeated_p_value(plan: Plan, fractions: Sequence[float], z: float) -> float:
    """The smallest one-sided alpha at which `z` reaches the critical value of this look."""
    if math.isnan(z):
        return math.nan
    if plan.stopping_rule == "fixed":
        return upper_tail(z)
    # At the largest alpha that the bounds are made for, nothing is shown by any look.
    if z <= critical_value(plan, fractions, _MOST_ALPHA):
        return max(0.5, upper_tail(z))
    if z >= critical_value(plan, fractions, _LEAST_ALPHA):
        return _LEAST_ALPHA
    from scipy.optimize import brentq

    root = brentq(
        lambda log_alpha: critical_value(plan, fractions, math.exp(log_alpha)) - z,
        math.log(_LEAST_ALPHA), math.log(_MOST_ALPHA), xtol=1e-7,
    )  # fmt: skip
    return math.exp(float(root))


def confidence_of(z: float, widen: float = 1.0, clusters: int | None = None) -> float:
    """The two-sided confidence of an interval with that critical value, `widen` times as wide.

    With `clusters` the critical value is Student's t of the same tail, with C - 1 degrees of freedom.

    >>> round(confidence_of(1.959964), 6)
    0.95
    """
    if clusters is not None:
        from scipy.special import stdtrit

        z = float(-stdtrit(clusters - 1, upper_tail(z)))
    return min(1 - 2 * upper_tail(z * widen), 1 - 1e-13)


def upper_tail(z: float) -> float:
    """Probability of a normal number above `z`."""
    return 0.5 * math.erfc(z / math.sqrt(2))
