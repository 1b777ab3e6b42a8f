from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from llmbench.errors import UsageError
from llmbench.stats import clopper_pearson_interval, wilson_interval

SOLVERS = {"ci_single.wilson": wilson_interval, "ci_single.clopper_pearson": clopper_pearson_interval}


def test_published_cases(validation: Path) -> None:
    cases = json.loads((validation / "abtest" / "cases.json").read_text(encoding="utf-8"))["cases"]
    checked = 0
    for case in cases:
        if case["method"] in SOLVERS:
            given_ = case["inputs"]
            interval = SOLVERS[case["method"]](given_["x"], given_["n"], 1 - given_["alpha"])
            assert interval == pytest.approx(case["expected"], abs=case["tolerance"]), case["id"]
            checked += 1
    assert checked >= 4


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [
        # R's binom and DescTools, as quoted in statsmodels' tests.
        (18, 20, (0.698966, 0.972134)),
        (100, 200, (0.4313609, 0.5686391)),
        # Newcombe (1998), Statistics in Medicine 17:857, table I.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_published(successes: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(successes, n) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [
        # Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 2.
        (13, 16, (0.5435, 0.9595)),
        (10, 10, (0.6915, 1.0)),
        (0, 10, (0.0, 0.3085)),
        # Newcombe (1998), table I.
        (81, 263, (0.2527, 0.3676)),
        (0, 20, (0.0, 0.1684)),
        (1, 29, (0.0009, 0.1776)),
    ],
)
def test_clopper_pearson_published(successes: int, n: int, expected: tuple[float, float]) -> None:
    assert clopper_pearson_interval(successes, n) == pytest.approx(expected, abs=6e-5)


counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@settings(max_examples=60, deadline=None)
@given(counts, confidences)
def test_wilson_limits_are_where_the_score_test_is_at_its_critical_value(
    count: tuple[int, int], confidence: float
) -> None:
    successes, n = count
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    low, high = wilson_interval(successes, n, confidence)
    assert 0 <= low <= successes / n <= high <= 1
    for limit, end in ((low, 0.0), (high, 1.0)):
        if limit != end:
            statistic = abs(successes / n - limit) / math.sqrt(limit * (1 - limit) / n)
            assert statistic == pytest.approx(z, rel=1e-6)
    assert (low == 0) == (successes == 0)
    assert (high == 1) == (successes == n)


@settings(max_examples=60, deadline=None)
@given(counts, confidences)
def test_clopper_pearson_limits_are_where_the_binomial_tail_is_half_alpha(
    count: tuple[int, int], confidence: float
) -> None:
    successes, n = count
    low, high = clopper_pearson_interval(successes, n, confidence)
    tail = (1 - confidence) / 2
    if successes > 0:
        assert binom.sf(successes - 1, n, low) == pytest.approx(tail, rel=1e-6)
    else:
        assert low == 0
    if successes < n:
        assert binom.cdf(successes, n, high) == pytest.approx(tail, rel=1e-6)
    else:
        assert high == 1


@settings(max_examples=40, deadline=None)
@given(counts, confidences)
def test_failures_mirror_successes(count: tuple[int, int], confidence: float) -> None:
    successes, n = count
    for interval in (wilson_interval, clopper_pearson_interval):
        low, high = interval(successes, n, confidence)
        mirrored = interval(n - successes, n, confidence)
        assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.93])
def test_clopper_pearson_covers_by_enumeration(rate: float) -> None:
    n = 60
    coverage = sum(
        binom.pmf(k, n, rate)
        for k in range(n + 1)
        if clopper_pearson_interval(k, n)[0] <= rate <= clopper_pearson_interval(k, n)[1]
    )
    assert coverage >= 0.95


def test_wilson_mean_coverage_by_enumeration() -> None:
    n = 60
    intervals = [wilson_interval(k, n) for k in range(n + 1)]
    rates = [r / 200 for r in range(1, 200)]
    coverages = [
        sum(
            binom.pmf(k, n, rate)
            for k, interval in enumerate(intervals)
            if interval.low <= rate <= interval.high
        )
        for rate in rates
    ]
    assert sum(coverages) / len(coverages) == pytest.approx(0.95, abs=0.008)


@pytest.mark.parametrize("interval", [wilson_interval, clopper_pearson_interval])
def test_no_trials_say_nothing(interval: Any) -> None:
    assert interval(0, 0) == (0, 1)


@pytest.mark.parametrize("interval", [wilson_interval, clopper_pearson_interval])
@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((3, 2), "successes"),
        ((-1, 2), "successes"),
        ((0.5, 2), "successes"),
        ((1, -2), "n"),
        ((1, math.nan), "n"),
        ((1, 2, 1.0), "confidence"),
        ((1, 2, 95), "confidence"),
    ],
)
def test_bad_input_names_the_parameter(interval: Any, arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        interval(*arguments)
