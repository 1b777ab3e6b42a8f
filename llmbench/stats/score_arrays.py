"""The score statistics of `score` for many tables at once: strata, and all outcomes of an experiment.

Every argument is an array (or a number) of whole counts as floats; all broadcast together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = ["corrected_statistics", "difference_parts_of", "ratio_parts_of", "score_statistics"]

_STEPS = 100
_CLOSE = 2e-15


def difference_parts_of(
    x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, difference: float, *, unbiased: bool = True
) -> tuple[Numbers, Numbers, Numbers]:
    """Score, variance and third central moment against p1 - p2 = `difference`, table by table."""
    x1, n1, x2, n2 = np.broadcast_arrays(x1, n1, x2, n2)
    # As in `difference_parts`: rates close to 1 are taken as failure rates close to 0.
    often = 2 * (x1 + x2) > n1 + n2
    x1, x2 = np.where(often, n2 - x2, x1), np.where(often, n1 - x1, x2)
    n1, n2 = np.where(often, n2, n1), np.where(often, n1, n2)
    p2 = _restricted_second_rates(x1, n1, x2, n2, difference)
    p1 = np.clip(p2 + difference, 0, 1)
    variance1, variance2 = p1 * (1 - p1) / n1, p2 * (1 - p2) / n2
    return (
        x1 / n1 - x2 / n2 - difference,
        (variance1 + variance2) * _inflation(n1 + n2, unbiased),
        variance1 * (1 - 2 * p1) / n1 - variance2 * (1 - 2 * p2) / n2,
    )


def ratio_parts_of(
    x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, ratio: float, *, unbiased: bool = True
) -> tuple[Numbers, Numbers, Numbers]:
    """Score, variance and third central moment against p1 = `ratio` · p2, table by table."""
    x1, n1, x2, n2 = np.broadcast_arrays(x1, n1, x2, n2)
    linear = ratio * (n1 + x2) + n2 + x1
    root = np.sqrt((ratio * (n1 + x2) - n2 - x1) ** 2 + 4 * ratio * (n1 - x1) * (n2 - x2))
    p2 = np.minimum(1.0, 2 * (x1 + x2) / (linear + root))
    p1 = np.minimum(1.0, ratio * p2)
    variance1, variance2 = p1 * (1 - p1) / n1, ratio**2 * p2 * (1 - p2) / n2
    return (
        x1 / n1 - ratio * x2 / n2,
        (variance1 + variance2) * _inflation(n1 + n2, unbiased),
        variance1 * (1 - 2 * p1) / n1 - ratio * variance2 * (1 - 2 * p2) / n2,
    )


def score_statistics(score: Numbers, variance: Numbers) -> Numbers:
    """Score / √variance; infinite where the null rules the data out, 0 where both are zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = score / np.sqrt(variance)
    return np.where((variance <= 0) & (score == 0), 0.0, statistic)


def corrected_statistics(statistic: Numbers, sixth_of_skewness: Numbers) -> Numbers:
    """`skewness_corrected` of `score`, elementwise."""
    a = sixth_of_skewness
    discriminant = 1 + 4 * a * (statistic + a)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = 2 * (statistic + a) / (1 + np.sqrt(np.maximum(0.0, discriminant)))
        return np.where(discriminant >= 0, inside, statistic + a - 1 / (4 * a))


def _inflation(total: Numbers, unbiased: bool) -> Numbers:
    return total / (total - 1) if unbiased else np.ones_like(total)


def _restricted_second_rates(
    x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, difference: float
) -> Numbers:
    if difference == 0:
        return (x1 + x2) / (n1 + n2)
    least, most = max(0.0, -difference), min(1.0, 1 - difference)
    if least >= most:
        return np.full(x1.shape, least)
    at_low = _is_steepest_at_zero(x1, n1, x2, n2, difference)
    at_high = ~at_low & _is_steepest_at_zero(n1 - x1, n1, n2 - x2, n2, -difference)
    low, high = np.full(x1.shape, least), np.full(x1.shape, most)
    rate = _closed_form(x1, n1, x2, n2, difference)
    rate = np.where((low < rate) & (rate < high), rate, (low + high) / 2)
    for _ in range(_STEPS):
        p1 = rate + difference
        binomial1, binomial2 = p1 * (1 - p1), rate * (1 - rate)
        lack1, lack2 = x1 - n1 * p1, x2 - n2 * rate
        slope = lack1 * binomial2 + lack2 * binomial1
        low, high = np.where(slope > 0, rate, low), np.where(slope < 0, rate, high)
        bend = lack1 * (1 - 2 * rate) + lack2 * (1 - 2 * p1) - n1 * binomial2 - n2 * binomial1
        with np.errstate(divide="ignore", invalid="ignore"):
            closer = rate - slope / bend
        closer = np.where((bend < 0) & (low < closer) & (closer < high), closer, (low + high) / 2)
        closer = np.where(slope == 0, rate, closer)
        settled = at_low | at_high | (np.abs(closer - rate) <= _CLOSE * closer)
        rate = closer
        if settled.all():
            break
    return np.where(at_low, least, np.where(at_high, most, rate))


def _is_steepest_at_zero(
    x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, difference: float
) -> NDArray[np.bool_]:
    if difference < 0:
        x1, n1, x2, n2, difference = x2, n2, x1, n1, -difference
    return np.asarray((x2 == 0) & (x1 / difference - (n1 - x1) / (1 - difference) - n2 <= 0))


def _closed_form(x1: Numbers, n1: Numbers, x2: Numbers, n2: Numbers, difference: float) -> Numbers:
    total = n1 + n2
    third = ((n1 + 2 * n2) * difference - total - x1 - x2) / (3 * total)
    linear = ((n2 * difference - total - 2 * x2) * difference + x1 + x2) / total
    constant = x2 * difference * (1 - difference) / total
    v = third**3 - third * linear / 2 + constant / 2
    u = np.copysign(np.sqrt(np.maximum(0.0, third**2 - linear / 3)), v)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(u == 0, 0.0, np.clip(v / u**3, -1, 1))
    return np.asarray(2 * u * np.cos((np.pi + np.arccos(cosine)) / 3) - third)
