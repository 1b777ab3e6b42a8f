from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import xlog1py, xlogy

from llmbench.stats.score import (
    ScoreParts,
    difference_parts,
    excess,
    ratio_parts,
    restricted_rates_of_difference,
    restricted_rates_of_ratio,
    score_statistic,
    skewness_corrected,
)
from llmbench.stats.score_arrays import difference_parts_of, ratio_parts_of, score_statistics

arms = st.integers(1, 300).flatmap(
    lambda n: st.tuples(st.one_of(st.integers(0, n), st.sampled_from([0, n])), st.just(n))
)
differences = st.one_of(
    st.floats(-0.99, 0.99).map(lambda d: round(d, 9)), st.sampled_from([-1e-6, 0.0, 1e-6, 0.9, -0.9])
)
ratios = st.one_of(st.floats(0.05, 20.0), st.sampled_from([0.9, 1.0, 1.25]))


def _log_likelihood(x1: int, n1: int, x2: int, n2: int, p1: float, p2: float) -> float:
    return float(xlogy(x1, p1) + xlog1py(n1 - x1, -p1) + xlogy(x2, p2) + xlog1py(n2 - x2, -p2))


def _likeliest(likelihood: Any, low: float, high: float) -> float:
    found = minimize_scalar(
        lambda p: -likelihood(p), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return max(-float(found.fun), likelihood(low), likelihood(high))


@settings(max_examples=150, deadline=None)
@given(arms, arms, differences)
def test_rates_at_a_difference_are_the_likeliest(
    first: tuple[int, int], second: tuple[int, int], difference: float
) -> None:
    counts = (*first, *second)
    p1, p2 = restricted_rates_of_difference(*counts, difference)
    assert 0 <= p1 <= 1
    assert 0 <= p2 <= 1
    assert p1 - p2 == pytest.approx(difference, abs=1e-12)

    def likelihood(p: float) -> float:
        return _log_likelihood(*counts, min(1.0, max(0.0, p + difference)), p)

    best = _likeliest(likelihood, max(0.0, -difference), min(1.0, 1 - difference))
    assert likelihood(p2) >= best - 1e-7 * max(1.0, abs(best))


@settings(max_examples=150, deadline=None)
@given(arms, arms, ratios)
def test_rates_at_a_ratio_are_the_likeliest(
    first: tuple[int, int], second: tuple[int, int], ratio: float
) -> None:
    counts = (*first, *second)
    p1, p2 = restricted_rates_of_ratio(*counts, ratio)
    assert 0 <= p1 <= 1
    assert 0 <= p2 <= 1
    assert p1 == pytest.approx(ratio * p2, abs=1e-12)

    def likelihood(p: float) -> float:
        return _log_likelihood(*counts, min(1.0, p * ratio), p)

    best = _likeliest(likelihood, 0.0, min(1.0, 1 / ratio))
    assert likelihood(p2) >= best - 1e-7 * max(1.0, abs(best))


@pytest.mark.parametrize("n", [10**6, 10**8, 10**10])
def test_rates_stay_accurate_at_huge_n_and_tiny_rates(n: int) -> None:
    """With three successes in n, p n tends to the solution for Poisson counts whatever n is."""
    for shift in (-2.5, 0.5, 6.0):
        _, p2 = restricted_rates_of_difference(3, n, 2, n, shift / n)
        low, high = max(0.0, -shift), 50.0
        poisson = minimize_scalar(
            lambda m, shift=shift: -(xlogy(3, m + shift) + xlogy(2, m) - 2 * m),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert p2 * n == pytest.approx(float(poisson.x), rel=2e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(arms, arms), min_size=1, max_size=20), differences, ratios)
def test_many_tables_at_once_are_each_table_alone(
    tables: list[tuple[tuple[int, int], tuple[int, int]]], difference: float, ratio: float
) -> None:
    columns = np.array([(*first, *second) for first, second in tables], dtype=float).T
    for many, one, null in (
        (difference_parts_of, difference_parts, difference),
        (ratio_parts_of, ratio_parts, ratio),
    ):
        for unbiased in (True, False):
            found = many(*columns, null, unbiased=unbiased)
            expected = [one(*first, *second, null, unbiased=unbiased) for first, second in tables]
            assert np.allclose(np.array(found).T, np.array(expected), rtol=1e-7, atol=1e-14)
            statistics = [score_statistic(parts, skewness=False) for parts in expected]
            assert np.allclose(score_statistics(*found[:2]), statistics, rtol=1e-6, atol=1e-9)


@settings(max_examples=200)
@given(st.floats(-8, 8), st.floats(-0.5, 0.5))
def test_skewness_correction_solves_its_equation(z: float, a: float) -> None:
    # Left of the turning point only: beyond it the parabola gives a statistic twice.
    if 1 + 2 * a * z > 0:
        assert skewness_corrected(z + a * (z**2 - 1), a) == pytest.approx(z, abs=1e-6)


@settings(max_examples=200)
@given(st.floats(-10, 10), st.floats(1e-6, 5), st.floats(-2, 2))
def test_skewness_correction_never_turns_back(statistic: float, further: float, a: float) -> None:
    assert skewness_corrected(statistic + further, a) > skewness_corrected(statistic, a)
    assert skewness_corrected(-statistic, -a) == pytest.approx(-skewness_corrected(statistic, a))


@settings(max_examples=300)
@given(st.floats(-1, 1), st.floats(1e-4, 1), st.floats(-0.1, 0.1), st.floats(0.5, 4))
def test_excess_has_the_sign_of_the_statistic_beyond_its_critical_value(
    score: float, variance: float, third_moment: float, critical: float
) -> None:
    parts = ScoreParts(score, variance, third_moment)
    for skewness in (False, True):
        beyond = score_statistic(parts, skewness=skewness) - critical
        if abs(beyond) > 1e-9:
            assert (excess(parts, critical, skewness=skewness) > 0) == (beyond > 0)


def test_no_variance_is_infinite_evidence_or_none() -> None:
    assert score_statistic(ScoreParts(0.1, 0.0, 0.0), skewness=True) == math.inf
    assert score_statistic(ScoreParts(-0.1, 0.0, 0.0), skewness=False) == -math.inf
    assert score_statistic(ScoreParts(0.0, 0.0, 0.0), skewness=True) == 0


def test_statistic_falls_as_the_second_arm_rises() -> None:
    """What the exact test relies on: for every table, null and either scale."""
    seeded = random.Random(20250123)
    for n1, n2 in ((5, 5), (10, 3), (3, 20), (30, 30), (1, 7), (60, 4)):
        x1, x2 = np.meshgrid(np.arange(n1 + 1.0), np.arange(n2 + 1.0), indexing="ij")
        sizes = np.full_like(x1, n1), np.full_like(x1, n2)
        nulls = [(difference_parts_of, seeded.uniform(-0.9, 0.9)) for _ in range(8)]
        nulls += [(ratio_parts_of, math.exp(seeded.uniform(-2, 2))) for _ in range(8)]
        for parts_of, null in nulls:
            score, variance, _ = parts_of(x1, sizes[0], x2, sizes[1], null, unbiased=False)
            statistics = score_statistics(score, variance)
            assert np.diff(statistics, axis=1).max() <= 1e-9
            assert np.diff(statistics, axis=0).min() >= -1e-9
