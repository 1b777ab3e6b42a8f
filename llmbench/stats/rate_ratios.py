"""Intervals of the ratio of two independent proportions."""

from __future__ import annotations

import math
from typing import Literal

from llmbench.stats.checks import check_choice
from llmbench.stats.intervals import Interval
from llmbench.stats.score_limits import ratio_lower_limit
from llmbench.stats.two_arms import check_arms, critical_value

__all__ = ["RatioMethod", "rate_ratio_interval"]

RatioMethod = Literal["miettinen-nurminen", "koopman", "katz-log", "scas"]
_METHODS = ("miettinen-nurminen", "koopman", "katz-log", "scas")


def rate_ratio_interval(
    x1: float,
    n1: float,
    x2: float,
    n2: float,
    confidence: float = 0.95,
    method: RatioMethod = "miettinen-nurminen",
) -> Interval:
    """Interval of p1 / p2 from `x1` successes of `n1` trials and `x2` of `n2`, within [0, inf].

    - "miettinen-nurminen": every ratio that the score test does not reject (see `margin_test`);
    - "scas": the same, corrected for skewness (Laud 2017); the score interval of a ratio leans towards
      1, more so the smaller the counts and the more uneven the arms;
    - "koopman": Miettinen and Nurminen's without N / (N - 1), Koopman (1984), Biometrics 40:513;
    - "katz-log": Wald on the log scale, Katz et al. (1978), Biometrics 34:469, to compare with. It says
      nothing, (0, inf), where an arm has no success, and is a point where neither arm has a failure.

    Without a success in arm 1 the lower limit is 0, without one in arm 2 the upper is infinite. Of an
    arm without trials nothing is known: (0, inf). Raises UsageError.

    >>> low, high = rate_ratio_interval(29, 55, 11, 11)
    >>> print(f"{low:.3f} {high:.3f}")
    0.397 0.742
    >>> low, high = rate_ratio_interval(5, 56, 0, 29, method="scas")
    >>> print(f"{low:.4f} {high}")
    0.7696 inf
    """
    check_choice("method", method, _METHODS)
    counts = check_arms(x1, n1, x2, n2)
    critical = critical_value(confidence)
    if counts[1] == 0 or counts[3] == 0:
        return Interval(0.0, math.inf)
    if method == "katz-log":
        return _katz(*counts, critical)
    return _score(*counts, critical, skewness=method == "scas", unbiased=method != "koopman")


def _score(
    x1: int, n1: int, x2: int, n2: int, critical: float, *, skewness: bool, unbiased: bool
) -> Interval:
    low = ratio_lower_limit(x1, n1, x2, n2, critical, skewness=skewness, unbiased=unbiased)
    inverse = ratio_lower_limit(x2, n2, x1, n1, critical, skewness=skewness, unbiased=unbiased)
    return Interval(low, 1 / inverse if inverse > 0 else math.inf)


def _katz(x1: int, n1: int, x2: int, n2: int, critical: float) -> Interval:
    if x1 == 0 or x2 == 0:
        return Interval(0.0, math.inf)
    estimate = (x1 / n1) / (x2 / n2)
    factor = math.exp(critical * math.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2))
    return Interval(estimate / factor, estimate * factor)
