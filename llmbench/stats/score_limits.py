"""Limits of score intervals: where the statistic crosses its critical value.

Only lower limits are searched. An upper limit is the lower one with the two arms exchanged: negated for a
difference, inverted for a ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

from llmbench.stats.score import ScoreParts, difference_parts, excess, ratio_parts

__all__ = [
    "difference_lower_limit",
    "likely_width",
    "lower_limit_of_difference",
    "lower_limit_of_ratio",
    "ratio_lower_limit",
]

_NEAR_END = 1e-12
"""How close to a difference of -1 the statistic is still evaluated: at -1 itself no variance is left."""
_LOWEST_LOG = -600.0
_NUDGE = 1e-9
_RELATIVE_ERROR = 1e-13


def difference_lower_limit(
    x1: int, n1: int, x2: int, n2: int, critical: float, *, skewness: bool = False, unbiased: bool = True
) -> float:
    """Lower score limit of p1 - p2, in [-1, 1]."""
    return lower_limit_of_difference(
        lambda value: difference_parts(x1, n1, x2, n2, value, unbiased=unbiased),
        x1 / n1 - x2 / n2,
        likely_width(x1, n1, x2, n2, critical),
        critical,
        skewness=skewness,
    )


def ratio_lower_limit(
    x1: int, n1: int, x2: int, n2: int, critical: float, *, skewness: bool = False, unbiased: bool = True
) -> float:
    """Lower score limit of p1 / p2, in [0, inf)."""
    if x1 == 0:
        return 0.0
    estimate = (x1 / n1) / ((x2 or 0.5) / n2)
    width = critical * math.sqrt(1 / x1 + 1 / (x2 + 0.5))
    return lower_limit_of_ratio(
        lambda value: ratio_parts(x1, n1, x2, n2, value, unbiased=unbiased),
        estimate,
        width,
        critical,
        skewness=skewness,
    )


def likely_width(x1: int, n1: int, x2: int, n2: int, critical: float) -> float:
    """About how far from the estimate a limit of the difference lies: where to start searching."""
    p1, p2 = x1 / n1, x2 / n2
    return critical * math.sqrt((p1 * (1 - p1) + critical / n1) / n1 + (p2 * (1 - p2) + critical / n2) / n2)


def lower_limit_of_difference(
    parts: Callable[[float], ScoreParts], estimate: float, width: float, critical: float, *, skewness: bool
) -> float:
    """The lowest difference whose statistic does not exceed `critical`."""
    end = _NEAR_END - 1
    if estimate <= end:
        return -1.0
    limit = _crossing(
        lambda value: excess(parts(value), critical, skewness=skewness), estimate, width, end, -end
    )
    return -1.0 if limit <= end else limit


def lower_limit_of_ratio(
    parts: Callable[[float], ScoreParts], estimate: float, width: float, critical: float, *, skewness: bool
) -> float:
    """The lowest ratio whose statistic does not exceed `critical`; `width` is on the log scale."""
    limit = _crossing(
        lambda value: excess(parts(math.exp(value)), critical, skewness=skewness),
        math.log(estimate),
        width,
        _LOWEST_LOG,
        -_LOWEST_LOG,
    )
    return 0.0 if limit <= _LOWEST_LOG else math.exp(limit)


def _crossing(
    excess_at: Callable[[float], float], estimate: float, width: float, lowest: float, highest: float
) -> float:
    """Where `excess_at`, positive far below the estimate, falls to zero; `lowest` where it never is positive.

    The bracket grows from the estimate outwards. Below a confidence of about .7 the skewness correction
    can put the lower limit above the estimate, hence the other direction.
    """
    inside = estimate
    value = excess_at(inside)
    if value > 0:
        return _bracketed(excess_at, inside, width, highest)
    if value == 0:
        # No variance is left at the estimate of 0/n against 0/n: a root, but not the limit.
        inside -= _NUDGE * width
        if excess_at(inside) >= 0:
            return estimate
    return _bracketed(excess_at, inside, -width, lowest)


def _bracketed(excess_at: Callable[[float], float], start: float, step: float, end: float) -> float:
    rejected = step > 0
    here = start
    while True:
        there = start + step
        if (there >= end) if step > 0 else (there <= end):
            there = end
        if (excess_at(there) > 0) != rejected:
            break
        if there == end:
            return end
        here = there
        step *= 2
    return float(brentq(excess_at, here, there, xtol=_RELATIVE_ERROR * abs(step)))
