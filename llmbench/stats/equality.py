"""Tests that two independent proportions are equal."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from llmbench.errors import UsageError
from llmbench.stats.checks import check_choice
from llmbench.stats.intervals import TestResult
from llmbench.stats.two_arms import Alternative, check_arms, normal_test

__all__ = ["EqualityMethod", "equality_test"]

EqualityMethod = Literal["score", "pooled-z", "fisher", "fisher-midp", "boschloo", "barnard"]
_METHODS = ("score", "pooled-z", "fisher", "fisher-midp", "boschloo", "barnard")
_MOST_OUTCOMES = 2_000_000
_TIE = 1e-7
"""Outcomes whose chances agree to this share count as equally likely, as in R and scipy."""


def equality_test(
    x1: float,
    n1: float,
    x2: float,
    n2: float,
    alternative: Alternative = "two-sided",
    method: EqualityMethod = "score",
) -> TestResult:
    """Test of p1 = p2; alternative "greater" is p1 > p2.

    - "score": z with the pooled rate and N - 1 in place of N, the statistic of Miettinen and Nurminen's
      interval at no difference: Campbell (2007), Statistics in Medicine 26:3661;
    - "pooled-z": the same with N, whose square is Pearson's χ²;
    - "fisher": exact given both margins, two-sided over all outcomes that are no more likely; conservative;
    - "fisher-midp": the same, but outcomes exactly as likely as the observed one count half; close to
      nominal: Lancaster (1961), JASA 56:223;
    - "boschloo", "barnard": exact and unconditional, ordered by Fisher's p-value and by the pooled z,
      Boschloo (1970), Statistica Neerlandica 24:1 and Barnard (1947), Biometrika 34:123; two-sided
      Boschloo is twice the smaller one-sided p-value. Seconds from about 1,000 trials on.

    The statistic is z for "score", "pooled-z" and "barnard", the odds ratio of the sample for the two of
    Fisher's, Fisher's p-value for "boschloo". NaN where an arm has no trials. Raises UsageError.

    >>> statistic, p_value = equality_test(7, 34, 1, 34)
    >>> print(f"{statistic:.4f} {p_value:.4f}")
    2.2417 0.0250
    """
    check_choice("alternative", alternative, ("two-sided", "greater", "less"))
    check_choice("method", method, _METHODS)
    counts = check_arms(x1, n1, x2, n2)
    if counts[1] == 0 or counts[3] == 0:
        return TestResult(math.nan, math.nan)
    if method in {"score", "pooled-z"}:
        return normal_test(_pooled_z(*counts, unbiased=method == "score"), alternative)
    if method in {"fisher", "fisher-midp"}:
        return _fisher(*counts, alternative, mid=method == "fisher-midp")
    return _unconditional(*counts, alternative, method)


def _pooled_z(x1: int, n1: int, x2: int, n2: int, *, unbiased: bool) -> float:
    total = n1 + n2
    pooled = (x1 + x2) / total
    variance = pooled * (1 - pooled) * (1 / n1 + 1 / n2)
    if unbiased:
        variance *= total / (total - 1)
    return (x1 / n1 - x2 / n2) / math.sqrt(variance) if variance > 0 else 0.0


def _fisher(x1: int, n1: int, x2: int, n2: int, alternative: str, *, mid: bool) -> TestResult:
    from scipy.stats import hypergeom

    given = hypergeom(n1 + n2, x1 + x2, n1)
    equal = float(given.pmf(x1))
    if alternative == "greater":
        p_value = float(given.sf(x1 - 1))
    elif alternative == "less":
        p_value = float(given.cdf(x1))
    else:
        least, most = max(0, x1 + x2 - n2), min(n1, x1 + x2)
        chances = given.pmf(np.arange(least, most + 1))
        extreme = chances <= equal * (1 + _TIE)
        p_value = float(chances[extreme].sum())
        equal = float(chances[extreme & (chances >= equal * (1 - _TIE))].sum())
    if mid:
        p_value -= equal / 2
    return TestResult(_odds_ratio(x1, n1, x2, n2), min(1.0, max(0.0, p_value)))


def _odds_ratio(x1: int, n1: int, x2: int, n2: int) -> float:
    above, below = x1 * (n2 - x2), x2 * (n1 - x1)
    return above / below if below else math.inf if above else math.nan


def _unconditional(x1: int, n1: int, x2: int, n2: int, alternative: Alternative, method: str) -> TestResult:
    from scipy.stats import barnard_exact, boschloo_exact

    if (n1 + 1) * (n2 + 1) > _MOST_OUTCOMES:
        raise UsageError(
            f"n1 = {n1} and n2 = {n2} have too many outcomes to go through for method {method!r}; "
            "with so many trials take method='score'."
        )
    # Neither orders the outcomes of such a table; scipy says NaN, or complains.
    if x1 + x2 in {0, n1 + n2}:
        return TestResult(1.0 if method == "boschloo" else 0.0, 1.0)
    table = [[x1, x2], [n1 - x1, n2 - x2]]
    found: Any
    if method == "boschloo":
        found = boschloo_exact(table, alternative=alternative)
    else:
        found = barnard_exact(table, alternative=alternative)
    return TestResult(float(found.statistic), min(1.0, float(found.pvalue)))
