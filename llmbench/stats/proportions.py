"""Intervals of one proportion."""

from __future__ import annotations

import math
from statistics import NormalDist

from llmbench.errors import UsageError
from llmbench.stats.checks import check_confidence, check_count
from llmbench.stats.intervals import Interval

__all__ = ["clopper_pearson_interval", "wilson_interval"]


def wilson_interval(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion: every rate that the score test does not reject.

    Close to nominal coverage from small n on, and never outside [0, 1]; of no trials it is (0, 1).
    Whole counts only: of scores between 0 and 1 take `mean_interval`. Raises UsageError.
    Source: Wilson (1927), JASA 22:209.

    >>> low, high = wilson_interval(100, 200)
    >>> print(f"{low:.7f} {high:.7f}")
    0.4313609 0.5686391
    """
    successes, n = _check_binomial(successes, n, confidence)
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / n
    shrink = 1 + z**2 / n
    centre = (rate + z**2 / (2 * n)) / shrink
    half_width = z * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / shrink
    # At 0 and n one limit is exactly 0 or 1; rounding would leave it a hair beside.
    low = 0.0 if successes == 0 else max(0.0, centre - half_width)
    high = 1.0 if successes == n else min(1.0, centre + half_width)
    return Interval(low, high)


def clopper_pearson_interval(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Exact interval of a proportion: covers at least `confidence` whatever the rate, so it is wide.

    Of no trials it is (0, 1). Raises UsageError.
    Source: Clopper and Pearson (1934), Biometrika 26:404, as quantiles of beta distributions.

    >>> low, high = clopper_pearson_interval(13, 16)
    >>> print(f"{low:.4f} {high:.4f}")
    0.5435 0.9595
    """
    from scipy.special import betaincinv

    successes, n = _check_binomial(successes, n, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(low, high)


def _check_binomial(successes: float, n: float, confidence: float) -> tuple[int, int]:
    check_confidence(confidence)
    checked_n = check_count("n", n)
    checked_successes = check_count("successes", successes)
    if checked_successes > checked_n:
        raise UsageError(f"successes ({checked_successes}) must not exceed n ({checked_n}).")
    return checked_successes, checked_n
