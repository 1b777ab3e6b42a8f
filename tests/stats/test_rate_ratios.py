from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import equality_test, margin_test, rate_ratio_interval
from llmbench.stats.score_limits import ratio_lower_limit

METHODS = ("miettinen-nurminen", "koopman", "katz-log", "scas")
SCORE_TESTS = {
    "miettinen-nurminen": "miettinen-nurminen",
    "koopman": "farrington-manning",
    "scas": "scas",
}
arms = st.integers(1, 400).flatmap(
    lambda n: st.tuples(st.one_of(st.integers(0, n), st.sampled_from([0, n])), st.just(n))
)


@pytest.mark.parametrize(
    ("method", "counts", "expected", "tolerance"),
    [
        # Fagerland and Newcombe (2013).
        ("miettinen-nurminen", (24, 73, 53, 65), (0.280, 0.560), 6e-4),
        ("miettinen-nurminen", (29, 55, 11, 11), (0.397, 0.742), 6e-4),
        ("miettinen-nurminen", (7, 18, 1, 18), (1.296, 42.544), 6e-4),
        # Fagerland, Lydersen and Laake (2017), chapter 4.
        ("miettinen-nurminen", (7, 34, 1, 34), (1.2086, 43.0330), 6e-5),
        ("koopman", (7, 34, 1, 34), (1.2209, 42.5757), 6e-5),
        ("katz-log", (7, 34, 1, 34), (0.9096, 53.8695), 6e-5),
        # Gart and Nam (1988), the score interval without the correction.
        ("koopman", (8, 15, 4, 15), (0.815, 5.336), 6e-4),
        ("koopman", (6, 10, 6, 20), (0.844, 4.594), 6e-4),
        # The documentation of the R package ratesci.
        ("scas", (5, 56, 0, 29), (0.7696, math.inf), 6e-5),
    ],
)
def test_published(method: Any, counts: Any, expected: tuple[float, float], tolerance: float) -> None:
    assert rate_ratio_interval(*counts, method=method) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("counts", "expected"), [((8, 15, 4, 15), (0.806, 6.148)), ((6, 10, 6, 20), (0.822, 4.954))]
)
def test_published_skewness_correction_alone(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    """Gart and Nam (1988), without N / (N - 1)."""
    x1, n1, x2, n2 = counts
    low = ratio_lower_limit(x1, n1, x2, n2, 1.959964, skewness=True, unbiased=False)
    high = 1 / ratio_lower_limit(x2, n2, x1, n1, 1.959964, skewness=True, unbiased=False)
    assert (low, high) == pytest.approx(expected, abs=6e-4)


@settings(max_examples=80, deadline=None)
@given(arms, arms, st.sampled_from([0.8, 0.95, 0.99]), st.sampled_from(sorted(SCORE_TESTS)))
def test_score_interval_is_what_its_test_does_not_reject(
    first: tuple[int, int], second: tuple[int, int], confidence: float, method: Any
) -> None:
    low, high = rate_ratio_interval(*first, *second, confidence, method)
    assert 0 <= low <= high
    if first[0] and second[0]:
        assert low <= (first[0] / first[1]) / (second[0] / second[1]) <= high
    critical = NormalDist().inv_cdf(0.5 + confidence / 2)
    for null in np.exp(np.linspace(-6, 6, 41)).tolist():
        if abs(math.log(null / max(low, 1e-9))) > 1e-6 and abs(math.log(null / min(high, 1e9))) > 1e-6:
            test = margin_test(*first, *second, null, method=SCORE_TESTS[method])  # type: ignore[arg-type]
            assert (low <= null <= high) == (abs(test.statistic) <= critical)


@settings(max_examples=80, deadline=None)
@given(arms, arms, st.sampled_from([0.5, 0.9, 0.95, 0.9999]), st.sampled_from(METHODS))
def test_exchanging_the_arms_inverts(
    first: tuple[int, int], second: tuple[int, int], confidence: float, method: Any
) -> None:
    low, high = rate_ratio_interval(*first, *second, confidence, method)
    assert 0 <= low <= high
    exchanged = rate_ratio_interval(*second, *first, confidence, method)
    inverted = (1 / high, 1 / low if low > 0 else math.inf)
    assert exchanged == pytest.approx(inverted, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 10, 10**8])
def test_edges_have_limits(method: Any, n: int) -> None:
    assert rate_ratio_interval(0, n, 0, n, method=method) == (0, math.inf)
    low, high = rate_ratio_interval(0, n, n, n, method=method)
    assert low == 0
    assert high > 0
    low, high = rate_ratio_interval(n, n, 0, n, method=method)
    assert 0 <= low < math.inf
    assert high == math.inf
    low, high = rate_ratio_interval(n, n, n, n, method=method)
    assert 0 <= low <= 1 <= high
    assert rate_ratio_interval(0, 0, 3, 10, method=method) == (0, math.inf)
    assert rate_ratio_interval(3, 10, 0, 0, method=method) == (0, math.inf)


@settings(max_examples=60, deadline=None)
@given(arms, arms)
def test_one_is_left_out_exactly_where_equality_is_rejected(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    low, high = rate_ratio_interval(*first, *second)
    test = equality_test(*first, *second)
    if abs(test.p_value - 0.05) > 1e-6:
        assert (low <= 1 <= high) == (test.p_value > 0.05)


def test_huge_samples_agree_with_katz() -> None:
    counts = 10**6, 10**8, 999_000, 10**8
    expected = rate_ratio_interval(*counts, method="katz-log")
    for method in ("miettinen-nurminen", "scas"):
        assert rate_ratio_interval(*counts, method=method) == pytest.approx(expected, rel=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((3, 2, 1, 2), "x1"),
        ((1, 2, 3, 2), "x2"),
        ((1, 2.5, 1, 2), "n1"),
        ((1, 2, 1, 2, 1.0), "confidence"),
        ((1, 2, 1, 2, 0.95, "newcombe"), "method"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        rate_ratio_interval(*arguments)
