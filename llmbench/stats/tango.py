"""Tango's score test and interval of the difference of two paired proportions.

Source: Tango (1998), Statistics in Medicine 17:891. With b items that only the first got right, c that
only the second did, and a difference δ under test, q is the maximum-likelihood probability of "only
the second" given δ, and the statistic is (b - c - nδ) / √(n (2q + δ(1 - δ))). At δ = 0 it is McNemar's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from llmbench.errors import UsageError
from llmbench.stats.checks import check_confidence, check_count, check_number
from llmbench.stats.intervals import Interval

__all__ = ["tango_interval", "tango_statistic"]


def tango_statistic(only_first: float, only_second: float, n: float, difference: float = 0.0) -> float:
    """Score statistic, normal under the null that first minus second is `difference`.

    It falls as `difference` grows, and is infinite at a difference of ±1 that the counts rule out.
    Raises UsageError for counts that do not fit together, n = 0, or a difference outside [-1, 1].

    >>> print(f"{tango_statistic(6, 16, 161):.3f}")
    -2.132
    """
    b, c, total = _check_counts(only_first, only_second, n)
    check_number("difference", difference)
    if not -1 <= difference <= 1:
        raise UsageError(f"difference must lie in [-1, 1], not {difference!r}.")
    return _statistic(b, c, total, difference)


def tango_interval(only_first: float, only_second: float, n: float, confidence: float = 0.95) -> Interval:
    """Every difference (first minus second) of paired proportions that the score test does not reject.

    `only_first` and `only_second` count the discordant items out of `n`. The interval exists without
    discordant items too, and never leaves [-1, 1]. Raises UsageError.

    >>> low, high = tango_interval(6, 16, 161)
    >>> print(f"{low:.4f} {high:.4f}")
    -0.1240 -0.0054
    """
    b, c, total = _check_counts(only_first, only_second, n)
    check_confidence(confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    estimate = (b - c) / total
    low = _last_true(estimate, -1.0, lambda difference: _statistic(b, c, total, difference) <= z)
    high = _last_true(estimate, 1.0, lambda difference: _statistic(b, c, total, difference) >= -z)
    return Interval(low, high)


def _check_counts(only_first: float, only_second: float, n: float) -> tuple[int, int, int]:
    b, c = check_count("only_first", only_first), check_count("only_second", only_second)
    total = check_count("n", n, least=1)
    if b + c > total:
        raise UsageError(f"only_first + only_second ({b + c}) must not exceed n ({total}).")
    return b, c, total


def _statistic(b: int, c: int, n: int, difference: float) -> float:
    # q is the root of 2n·q² + linear·q + constant = 0 that makes all four probabilities valid; of
    # the two ways to write it, each is exact where the other cancels.
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear**2 - 8 * n * constant))
    q = -2 * constant / (linear + root) if linear > 0 else (root - linear) / (4 * n)
    numerator = b - c - n * difference
    variance = n * (2 * q + difference * (1 - difference))
    # No variance is left at a difference of ±1, and at 0 without discordant items.
    if variance <= 0:
        return 0.0 if numerator == 0 else math.copysign(math.inf, numerator)
    return numerator / math.sqrt(variance)


def _last_true(inside: float, outside: float, holds: Callable[[float], bool]) -> float:
    """The last point from `inside` towards `outside` at which `holds`, to the last bit, by bisection."""
    if holds(outside):
        return outside
    while True:
        middle = (inside + outside) / 2
        if middle in {inside, outside}:
            return inside
        if holds(middle):
            inside = middle
        else:
            outside = middle
