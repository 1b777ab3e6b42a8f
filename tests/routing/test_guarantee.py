from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.routing.guarantee import betting_p_values, excess_losses, fixed_sequence
from llmbench.routing.routing_gain import gain_over_a_coin
from llmbench.stats import mean_and_standard_error


def by_definition(losses: list[float], high: float) -> float:
    """Forty gamblers, each with his own constant stake; 1 over the most they ever had on average."""
    stakes = [(place + 0.5) / 40 / high for place in range(40)]
    wealth, richest = [1.0] * 40, 1.0
    for loss in losses:
        wealth = [own * (1 - stake * loss) for own, stake in zip(wealth, stakes, strict=True)]
        richest = max(richest, sum(wealth) / 40)
    return 1 / richest


def test_betting_is_its_definition() -> None:
    random = np.random.default_rng(0)
    losses = random.choice([-1, -0.05, 0, 0.95], p=[0.1, 0.6, 0.2, 0.1], size=(60, 3))
    found = betting_p_values(losses, -1, 0.95)
    for column, p_value in zip(losses.T, found, strict=True):
        assert p_value == pytest.approx(by_definition(column.tolist(), 0.95), rel=1e-12)


@pytest.mark.parametrize("values", [(0.95, -1.0), (0.95, -0.05), (0.5, -0.25), (0.95, -0.01)])
def test_betting_is_valid_by_enumeration(values: tuple[float, float]) -> None:
    """All 2^12 samples of a true null of two values, weighted by their chance."""
    high, low = values
    p = -low / (high - low)  # mean 0
    level = 0.2
    rejected = 0.0
    samples = np.array(list(itertools.product(values, repeat=12))).T
    p_values = betting_p_values(samples, -1, 0.95)
    wins = (samples == high).sum(axis=0)
    rejected = float(((p**wins * (1 - p) ** (12 - wins))[p_values <= level]).sum())
    assert rejected <= level


def test_betting_adds_up_units() -> None:
    """A unit of three counts once; the smaller one by its share of the largest."""
    losses, units = [[-0.3], [-0.1], [-0.2], [-0.3], [0.3]], [7, 7, 7, 2, 2]
    sums = [[-0.6 / 3], [0.0]]
    assert betting_p_values(losses, -1, 0.95, units=units) == pytest.approx(betting_p_values(sums, -1, 0.95))


def test_betting_refuses_losses_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"losses must be numbers in -1\.\.0\.95"):
        betting_p_values([[1.0]], -1, 0.95)
    with pytest.raises(UsageError, match="losses must be numbers"):
        betting_p_values([[math.nan]], -1, 0.95)
    with pytest.raises(UsageError, match="low must be below 0"):
        betting_p_values([[0.5]], 0.1, 0.95)


def test_betting_of_nothing_shows_nothing() -> None:
    assert betting_p_values(np.zeros((0, 2)), -1, 0.95).tolist() == [1.0, 1.0]


def test_excess_losses_are_above_0_where_more_than_the_tolerance_is_lost() -> None:
    found = excess_losses([1.0, 1.0, 0.0], [[1.0], [0.0], [1.0]], 0.05)
    assert found.ravel().tolist() == pytest.approx([-0.05, 0.95, -1.0])


def test_fixed_sequence_stops_at_the_first_that_does_not_pass() -> None:
    assert fixed_sequence([0.2, 0.01], 0.05).steps == 0
    assert fixed_sequence([0.01, math.nan, 0.01], 0.05).steps == 1
    assert fixed_sequence([0.01, 0.05], 0.05).steps == 2
    assert fixed_sequence([], 0.05).steps == 0


def test_gain_is_its_definition() -> None:
    """Routed quality minus that of a coin with the same shares, averaged over thresholds."""
    random = np.random.default_rng(1)
    choices, scores = random.integers(3, size=(50, 8)), random.random((50, 3))
    by_threshold = []
    for column in choices.T:
        routed = scores[np.arange(50), column].mean()
        coin = sum((column == m).mean() * scores[:, m].mean() for m in range(3))
        by_threshold.append(routed - coin)
    assert gain_over_a_coin(choices, scores, np.arange(50)).difference == pytest.approx(np.mean(by_threshold))


def test_gain_of_clusters_has_their_standard_error() -> None:
    random = np.random.default_rng(2)
    choices, scores = random.integers(2, size=(60, 1)), random.random((60, 2))
    units = np.repeat(np.arange(20), 3)
    share = (choices == 1).ravel() - (choices == 1).mean()
    terms = share * ((scores[:, 1] - scores[:, 1].mean()) - (scores[:, 0] - scores[:, 0].mean()))
    error = mean_and_standard_error(terms, units.tolist()).standard_error
    found = gain_over_a_coin(choices, scores, units)
    assert (found.interval.high - found.interval.low) / 2 == pytest.approx(2.093024 * error, rel=1e-5)


def test_gain_of_one_choice_is_unknown() -> None:
    found = gain_over_a_coin(np.zeros((10, 4), dtype=int), np.ones((10, 2)), np.arange(10))
    assert math.isnan(found.p_value)
