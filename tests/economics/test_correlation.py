from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from llmbench.economics.correlation import correlated
from llmbench.errors import UsageError

APART = np.random.default_rng(20250123).random((40_000, 4))


def test_apart_is_as_given() -> None:
    assert correlated(APART, 0.0) is APART


@pytest.mark.parametrize("correlation", [0.25, 0.5, 0.9])
def test_each_column_stays_uniform(correlation: float) -> None:
    found = correlated(APART, correlation)
    assert found.min() > 0
    assert found.max() < 1
    for column in found.T:
        assert stats.kstest(column, "uniform").pvalue > 0.001


@pytest.mark.parametrize("correlation", [0.25, 0.5, 0.9])
def test_any_two_columns_have_the_rank_correlation_of_the_copula(correlation: float) -> None:
    found = stats.spearmanr(correlated(APART, correlation)).statistic
    expected = 6 / math.pi * math.asin(correlation / 2)
    assert found[np.triu_indices(4, 1)] == pytest.approx(expected, abs=0.015)


def test_it_is_one_factor_that_they_share() -> None:
    """The definition: normal scores that are part common, part their own. Chance that all four are high."""
    rng = np.random.default_rng(1)
    scores = math.sqrt(0.5) * rng.standard_normal((200_000, 1)) + math.sqrt(0.5) * rng.standard_normal(
        (200_000, 4)
    )
    brute = (stats.norm.cdf(scores) > 0.8).all(axis=1).mean()
    assert (correlated(APART, 0.5) > 0.8).all(axis=1).mean() == pytest.approx(brute, abs=0.004)
    assert (APART > 0.8).all(axis=1).mean() < brute / 5


def test_ends_of_the_uniform_numbers_have_a_score() -> None:
    assert np.isfinite(correlated(np.array([[0.0, 0.5], [1.0, 0.0]]), 0.5)).all()


@pytest.mark.parametrize("correlation", [-0.1, 1.0, math.nan, "half"])
def test_a_correlation_that_cannot_be_meant_is_refused(correlation: float) -> None:
    with pytest.raises(UsageError, match="from 0 \\(apart\\) to below 1"):
        correlated(APART, correlation)
