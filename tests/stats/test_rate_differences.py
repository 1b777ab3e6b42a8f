from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import margin_test, rate_difference_interval, wilson_interval
from llmbench.stats.score_limits import difference_lower_limit

METHODS = ("miettinen-nurminen", "newcombe", "mee", "agresti-caffo", "wald", "scas")
SCORE_TESTS = {
    "miettinen-nurminen": "miettinen-nurminen",
    "mee": "farrington-manning",
    "scas": "scas",
}
arms = st.integers(3, 400).flatmap(
    lambda n: st.tuples(st.one_of(st.integers(0, n), st.sampled_from([0, n])), st.just(n))
)


@pytest.mark.parametrize(
    ("method", "counts", "expected", "digits"),
    [
        # Fagerland, Lydersen and Laake (2015), and their book's package, for 7/34 against 1/34.
        ("miettinen-nurminen", (7, 34, 1, 34), (0.027, 0.345), 3),
        ("mee", (7, 34, 1, 34), (0.0284, 0.3439), 4),
        ("newcombe", (7, 34, 1, 34), (0.0189, 0.3404), 4),
        ("agresti-caffo", (7, 34, 1, 34), (0.0116, 0.3217), 4),
        ("wald", (7, 34, 1, 34), (0.0292, 0.3238), 4),
        ("miettinen-nurminen", (0, 16, 15, 72), (-0.3164, -0.0056), 4),
        # All methods of the R package ratesci for 5/56 against 0/29 (Newcombe's example d).
        ("scas", (5, 56, 0, 29), (-0.0186, 0.1867), 4),
        ("miettinen-nurminen", (5, 56, 0, 29), (-0.0326, 0.1933), 4),
        ("mee", (5, 56, 0, 29), (-0.0313, 0.1926), 4),
        ("newcombe", (5, 56, 0, 29), (-0.0381, 0.1926), 4),
        ("wald", (5, 56, 0, 29), (0.0146, 0.1640), 4),
        ("agresti-caffo", (5, 56, 0, 29), (-0.0289, 0.1712), 4),
        # The trial REPROVE, as in that package's documentation.
        ("scas", (245, 356, 270, 370), (-0.108, 0.0246), 3),
    ],
)
def test_published(method: Any, counts: Any, expected: tuple[float, float], digits: int) -> None:
    found = rate_difference_interval(*counts, method=method)
    assert found == pytest.approx(expected, abs=0.6 * 10**-digits)


@pytest.mark.parametrize(
    ("counts", "expected", "tolerance"),
    [
        # Gart and Nam (1990), without N / (N - 1).
        ((7, 25, 2, 25), (-0.014, 0.414), 6e-4),
        ((5, 56, 0, 29), (-0.0172, 0.1859), 6e-5),
    ],
)
def test_published_skewness_correction_alone(
    counts: tuple[int, int, int, int], expected: tuple[float, float], tolerance: float
) -> None:
    x1, n1, x2, n2 = counts
    low = difference_lower_limit(x1, n1, x2, n2, 1.959964, skewness=True, unbiased=False)
    high = -difference_lower_limit(x2, n2, x1, n1, 1.959964, skewness=True, unbiased=False)
    assert (low, high) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Mens E-Mail", "No E-Mail", (0.005024, 0.008649)),
        ("Womens E-Mail", "No E-Mail", (0.001507, 0.004751)),
        ("Mens E-Mail", "Womens E-Mail", (0.001751, 0.005667)),
    ],
)
def test_hillstrom_conversion(
    validation: Path, first: str, second: str, expected: tuple[float, float]
) -> None:
    units: Counter[str] = Counter()
    converted: Counter[str] = Counter()
    with (validation / "experiments" / "hillstrom.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            units[row["segment"]] += 1
            converted[row["segment"]] += int(row["conversion"])
    found = rate_difference_interval(converted[first], units[first], converted[second], units[second])
    assert found == pytest.approx(expected, abs=6e-7)


@settings(max_examples=80, deadline=None)
@given(arms, arms, st.sampled_from([0.8, 0.95, 0.99]), st.sampled_from(sorted(SCORE_TESTS)))
def test_score_interval_is_what_its_test_does_not_reject(
    first: tuple[int, int], second: tuple[int, int], confidence: float, method: Any
) -> None:
    low, high = rate_difference_interval(*first, *second, confidence, method)
    estimate = first[0] / first[1] - second[0] / second[1]
    assert -1 <= low <= estimate <= high <= 1
    critical = NormalDist().inv_cdf(0.5 + confidence / 2)
    for null in np.linspace(-1, 1, 41)[1:-1]:
        if min(abs(null - low), abs(null - high)) > 1e-6:
            test = margin_test(*first, *second, float(null), "difference", method=SCORE_TESTS[method])  # type: ignore[arg-type]
            assert (low <= null <= high) == (abs(test.statistic) <= critical)
    for limit, end in ((low, -1.0), (high, 1.0)):
        if limit != end:
            test = margin_test(*first, *second, limit, "difference", method=SCORE_TESTS[method])  # type: ignore[arg-type]
            assert abs(test.statistic) == pytest.approx(critical, rel=1e-5)


@settings(max_examples=80, deadline=None)
@given(arms, arms, st.sampled_from([0.5, 0.9, 0.95, 0.9999]), st.sampled_from(METHODS))
def test_symmetries(first: tuple[int, int], second: tuple[int, int], confidence: float, method: Any) -> None:
    low, high = rate_difference_interval(*first, *second, confidence, method)
    assert -1 <= low <= high <= 1
    exchanged = rate_difference_interval(*second, *first, confidence, method)
    assert (-high, -low) == pytest.approx(exchanged, abs=1e-9)
    failures = [(n - x, n) for x, n in (first, second)]
    mirrored = rate_difference_interval(*failures[0], *failures[1], confidence, method)
    assert (-high, -low) == pytest.approx(mirrored, abs=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 10, 10**8])
def test_edges_have_limits(method: Any, n: int) -> None:
    low, high = rate_difference_interval(0, n, 0, n, method=method)
    assert -1 <= low <= 0 <= high <= 1
    assert low == pytest.approx(-high, abs=1e-12)
    assert rate_difference_interval(n, n, n, n, method=method) == pytest.approx((low, high), abs=1e-9)
    low, high = rate_difference_interval(n, n, 0, n, method=method)
    if method != "agresti-caffo" or n < 100:
        assert high == 1
    assert low >= -1
    assert rate_difference_interval(0, n, n, n, method=method) == pytest.approx((-high, -low), abs=1e-12)


def test_score_interval_of_one_empty_arm_is_wilson_of_the_other() -> None:
    """Where arm 1 has no success among very many, Mee's interval of the difference is that of arm 2."""
    low, high = rate_difference_interval(0, 10**9, 12, 200, method="mee")
    wilson = wilson_interval(12, 200)
    assert (-high, -low) == pytest.approx(wilson, abs=1e-6)


@pytest.mark.parametrize("method", ["miettinen-nurminen", "mee", "newcombe"])
def test_huge_samples_agree_with_wald(method: Any) -> None:
    counts = 10**6, 10**8, 999_000, 10**8
    expected = rate_difference_interval(*counts, method="wald")
    assert rate_difference_interval(*counts, method=method) == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("method", ["miettinen-nurminen", "scas"])
def test_tiny_rates_depend_on_the_counts_only(method: Any) -> None:
    found = [
        np.array(rate_difference_interval(7, n, 2, n // 10, method=method)) * n
        for n in (10**6, 10**8, 10**10)
    ]
    assert found[0] == pytest.approx(found[2], rel=1e-4)
    assert found[1] == pytest.approx(found[2], rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_an_arm_without_trials_says_nothing(method: Any) -> None:
    assert rate_difference_interval(0, 0, 3, 10, method=method) == (-1, 1)
    assert rate_difference_interval(3, 10, 0, 0, method=method) == (-1, 1)


def test_confidence_widens() -> None:
    for method in METHODS:
        widths = []
        for confidence in (0.5, 0.8, 0.95, 0.99, 0.9999, 1 - 1e-9):
            low, high = rate_difference_interval(30, 1000, 300, 9000, confidence, method)  # type: ignore[arg-type]
            widths.append(high - low)
        assert widths == sorted(widths)
        assert math.isfinite(widths[-1])


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((3, 2, 1, 2), "x1"),
        ((1, 2, 3, 2), "x2"),
        ((0.5, 2, 1, 2), "x1"),
        ((1, -2, 1, 2), "n1"),
        ((1, 2, 1, math.nan), "n2"),
        ((1, 2, 1, 2, 95), "confidence"),
        ((1, 2, 1, 2, 0.95, "score"), "method"),
        ((1, 2, 1, 2, 0.95, "koopman"), "method"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        rate_difference_interval(*arguments)
