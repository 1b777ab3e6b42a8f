"""Tests of two independent proportions against a margin: non-inferiority and its relatives."""

from __future__ import annotations

import math
from typing import Literal

from llmbench.stats.checks import check_choice
from llmbench.stats.intervals import TestResult
from llmbench.stats.score import difference_parts, ratio_parts, score_statistic
from llmbench.stats.two_arms import OneSided, Scale, check_arms, check_margin, normal_test

__all__ = ["MarginMethod", "margin_test"]

MarginMethod = Literal["miettinen-nurminen", "farrington-manning", "chan-exact", "scas"]
_METHODS = ("miettinen-nurminen", "farrington-manning", "chan-exact", "scas")


def margin_test(
    x1: float,
    n1: float,
    x2: float,
    n2: float,
    margin: float,
    scale: Scale = "ratio",
    alternative: OneSided = "greater",
    method: MarginMethod = "miettinen-nurminen",
) -> TestResult:
    """One-sided test of p1 against p2 and a margin, which is the null value itself.

    With `scale` "ratio" and alternative "greater" the null is p1 / p2 <= `margin`: 0.9 asks whether arm 1
    keeps more than 90% of arm 2's rate. With `scale` "difference" it is p1 - p2 <= `margin`: -0.003 asks
    whether it loses less than 0.3 points. Where low is good the margin lies above 1 (or 0) and the
    alternative is "less".

    - "miettinen-nurminen", "scas": p is below .025 exactly where the 95% interval of
      `rate_difference_interval` or `rate_ratio_interval` by the same method lies beyond the margin;
    - "farrington-manning": without N / (N - 1), Farrington and Manning (1990), Statistics in Medicine 9:1447;
    - "chan-exact": the exact unconditional p-value of Chan (1998), Statistics in Medicine 17:1403, for
      counts too small for the others; up to 200,000 trials.

    The statistic is the signed score, normal under the null, and positive in favour of "greater". NaN
    where an arm has no trials. Raises UsageError, also for a margin that no two rates can have.

    >>> statistic, p_value = margin_test(20, 35, 30, 55, -0.3, "difference", method="farrington-manning")
    >>> print(f"{statistic:.4f} {p_value:.7f}")
    3.1546 0.0008037
    """
    check_choice("alternative", alternative, ("greater", "less"))
    check_choice("method", method, _METHODS)
    null = check_margin(margin, scale)
    counts = check_arms(x1, n1, x2, n2)
    if counts[1] == 0 or counts[3] == 0:
        return TestResult(math.nan, math.nan)
    if method == "chan-exact":
        return _chan(*counts, null, scale, alternative)
    parts_of = ratio_parts if scale == "ratio" else difference_parts
    parts = parts_of(*counts, null, unbiased=method != "farrington-manning")
    return normal_test(score_statistic(parts, skewness=method == "scas"), alternative)


def _chan(x1: int, n1: int, x2: int, n2: int, margin: float, scale: str, alternative: str) -> TestResult:
    from llmbench.stats.exact_margin import chan_exact_test

    if alternative == "greater":
        return chan_exact_test(x1, n1, x2, n2, margin, scale)
    # "p1 is below the margin" is "p2 is above its inverse" of the arms exchanged.
    found = chan_exact_test(x2, n2, x1, n1, 1 / margin if scale == "ratio" else -margin, scale)
    return TestResult(-found.statistic, found.p_value)
