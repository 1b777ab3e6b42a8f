from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from llmbench.errors import UsageError
from llmbench.stats import quantile_interval


@pytest.mark.parametrize(
    ("n", "ranks"),
    # Tables of the sign test (for example Conover, Practical Nonparametric Statistics, table A3).
    [(6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (25, (8, 18)), (50, (18, 33)), (100, (40, 61))],
)
def test_median_ranks_of_the_sign_test(n: int, ranks: tuple[int, int]) -> None:
    assert quantile_interval(range(1, n + 1), 0.5) == ranks


def _by_enumeration(n: int, q: float, confidence: float) -> tuple[float, float]:
    """Innermost ranks with P(fewer than `low` below) and P(at least `high` below) in half alpha each."""
    chances = [math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)]
    tail = (1 - confidence) / 2
    lows = [rank for rank in range(1, n + 1) if math.fsum(chances[:rank]) <= tail]
    highs = [rank for rank in range(1, n + 1) if math.fsum(chances[rank:]) <= tail]
    return max(lows, default=math.nan), min(highs, default=math.nan)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 120), st.sampled_from([0.05, 0.25, 0.5, 0.77, 0.95]), st.sampled_from([0.8, 0.95, 0.99])
)
def test_limits_are_those_of_the_enumerated_binomial(n: int, q: float, confidence: float) -> None:
    interval = quantile_interval(range(1, n + 1), q, confidence)
    assert interval == pytest.approx(_by_enumeration(n, q, confidence), nan_ok=True)


@pytest.mark.parametrize(("n", "q"), [(30, 0.5), (100, 0.5), (200, 0.95), (72, 0.95)])
def test_coverage_by_enumeration(n: int, q: float) -> None:
    low, high = quantile_interval(range(1, n + 1), q)
    assert binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q) >= 0.95


@pytest.mark.parametrize(("q", "enough"), [(0.5, 6), (0.95, 72)])
def test_a_limit_that_the_sample_cannot_give_is_nan(q: float, enough: int) -> None:
    assert math.isfinite(quantile_interval(range(enough), q).high)
    assert math.isnan(quantile_interval(range(enough - 1), q).high)


def test_order_and_ties_do_not_matter() -> None:
    random = np.random.default_rng(20250123)
    values = random.integers(0, 5, 40)
    assert quantile_interval(values, 0.5) == quantile_interval(np.sort(values)[::-1], 0.5)
    assert quantile_interval([3.0] * 40, 0.5) == (3, 3)


def test_no_values_tell_nothing() -> None:
    assert all(math.isnan(limit) for limit in quantile_interval([], 0.5))


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (([1, math.nan], 0.5), "values"),
        (([1, 2], 0), "q"),
        (([1, 2], 50), "q"),
        (([1, 2], 0.5, 1), "confidence"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        quantile_interval(*arguments)
