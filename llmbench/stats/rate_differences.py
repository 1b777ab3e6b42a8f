"""Intervals of the difference of two independent proportions."""

from __future__ import annotations

import math
from typing import Literal

from llmbench.stats.checks import check_choice
from llmbench.stats.intervals import Interval
from llmbench.stats.proportions import wilson_interval
from llmbench.stats.score_limits import difference_lower_limit
from llmbench.stats.two_arms import check_arms, critical_value

__all__ = ["DifferenceMethod", "rate_difference_interval"]

DifferenceMethod = Literal["miettinen-nurminen", "newcombe", "mee", "agresti-caffo", "wald", "scas"]
_METHODS = ("miettinen-nurminen", "newcombe", "mee", "agresti-caffo", "wald", "scas")


def rate_difference_interval(
    x1: float,
    n1: float,
    x2: float,
    n2: float,
    confidence: float = 0.95,
    method: DifferenceMethod = "miettinen-nurminen",
) -> Interval:
    """Interval of p1 - p2 from `x1` successes of `n1` trials and `x2` of `n2`; never outside [-1, 1].

    - "miettinen-nurminen": every difference that the score test does not reject (see `margin_test`);
      close to nominal from small counts on;
    - "scas": the same, corrected for skewness (Laud 2017), so that both tails stay close to nominal
      where one arm is much the smaller;
    - "mee": Miettinen and Nurminen's without N / (N - 1), the interval of Farrington and Manning's test;
    - "newcombe": square-and-add of two Wilson intervals, Newcombe (1998), Statistics in Medicine 17:873,
      method 10;
    - "agresti-caffo": Wald after one success and one failure more in each arm, Agresti and Caffo (2000),
      American Statistician 54:280;
    - "wald": the textbook's, to compare with. It covers far too rarely at low counts, and is a point
      where neither arm varies.

    Of an arm without trials nothing is known: (-1, 1). Raises UsageError.

    >>> low, high = rate_difference_interval(7, 34, 1, 34)
    >>> print(f"{low:.7f} {high:.7f}")
    0.0270416 0.3452912
    """
    check_choice("method", method, _METHODS)
    counts = check_arms(x1, n1, x2, n2)
    critical = critical_value(confidence)
    if counts[1] == 0 or counts[3] == 0:
        return Interval(-1.0, 1.0)
    if method == "newcombe":
        return _newcombe(*counts, confidence)
    if method == "agresti-caffo":
        return _wald(counts[0] + 1, counts[1] + 2, counts[2] + 1, counts[3] + 2, critical)
    if method == "wald":
        return _wald(*counts, critical)
    return _score(*counts, critical, skewness=method == "scas", unbiased=method != "mee")


def _score(
    x1: int, n1: int, x2: int, n2: int, critical: float, *, skewness: bool, unbiased: bool
) -> Interval:
    low = difference_lower_limit(x1, n1, x2, n2, critical, skewness=skewness, unbiased=unbiased)
    high = -difference_lower_limit(x2, n2, x1, n1, critical, skewness=skewness, unbiased=unbiased)
    return Interval(low, high)


def _wald(x1: int, n1: int, x2: int, n2: int, critical: float) -> Interval:
    p1, p2 = x1 / n1, x2 / n2
    half_width = critical * math.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    return Interval(max(-1.0, p1 - p2 - half_width), min(1.0, p1 - p2 + half_width))


def _newcombe(x1: int, n1: int, x2: int, n2: int, confidence: float) -> Interval:
    p1, p2 = x1 / n1, x2 / n2
    low1, high1 = wilson_interval(x1, n1, confidence)
    low2, high2 = wilson_interval(x2, n2, confidence)
    low = p1 - p2 - math.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + math.hypot(high1 - p1, p2 - low2)
    return Interval(max(-1.0, low), min(1.0, high))
