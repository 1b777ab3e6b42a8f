from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from llmbench.errors import UsageError
from llmbench.stats import (
    cluster_moments,
    clustered_comparison,
    clustered_margin_test,
    mean_and_standard_error,
    ratio_of_totals,
)


def _drawn(seed: int, clusters: int, cells: int, spread: float = 0.1) -> tuple[Any, Any]:
    """Units and successes per cluster; the rates of a cluster's cells move together."""
    random = np.random.default_rng(seed)
    units = random.integers(0, 12, size=(clusters, cells))
    rates = np.clip(random.normal(0.3, spread, size=(clusters, 1)), 0.01, 0.99)
    return units, random.binomial(units, np.broadcast_to(rates, units.shape))


def test_one_unit_a_cluster_is_the_plain_delta_method() -> None:
    random = np.random.default_rng(20250123)
    arm = random.integers(0, 2, 500)
    units = np.stack([arm == 0, arm == 1], axis=1).astype(int)
    successes = units * random.binomial(1, 0.2, (500, 1))
    found = clustered_comparison(cluster_moments(units, successes))
    n, x = units.sum(axis=0), successes.sum(axis=0)
    p = x / n
    variance = (p * (1 - p) / n) * 500 / 499
    assert found.difference == pytest.approx(p[0] - p[1])
    assert found.difference_standard_error == pytest.approx(math.sqrt(variance.sum()))
    assert found.log_ratio_standard_error == pytest.approx(math.sqrt((variance / p**2).sum()))
    assert found.design_effect == pytest.approx(1)
    assert found.degrees_of_freedom == 499


def test_arms_in_clusters_of_their_own_are_two_ratios_of_totals() -> None:
    """Where no cluster has both arms the variances add; each is that of `ratio_of_totals`."""
    units, successes = _drawn(1, 60, 2)
    units[:30, 1], successes[:30, 1], units[30:, 0], successes[30:, 0] = 0, 0, 0, 0
    keep = units.sum(axis=1) > 0
    found = clustered_comparison(cluster_moments(units, successes))
    spread = 0.0
    for arm in (0, 1):
        # Clusters without the arm add nothing to its sum, but count in C / (C - 1).
        ratio = ratio_of_totals(successes[keep, arm], units[keep, arm])
        spread += ratio.standard_error**2
    assert found.difference_standard_error == pytest.approx(math.sqrt(spread))
    assert found.degrees_of_freedom == keep.sum() - 1


def test_every_cluster_with_both_arms_in_equal_number_is_a_paired_comparison() -> None:
    random = np.random.default_rng(5)
    units = np.full((40, 2), 6)
    successes = random.binomial(units, 0.3)
    found = clustered_comparison(cluster_moments(units, successes))
    mean, standard_error = mean_and_standard_error((successes[:, 0] - successes[:, 1]) / 6)
    assert found.difference == pytest.approx(mean)
    assert found.difference_standard_error == pytest.approx(standard_error)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_variance_by_summing_over_clusters(seed: int, strata: int) -> None:
    units, successes = _drawn(seed, 30, 2 * strata)
    found = clustered_comparison(cluster_moments(units, successes), 0.9)
    n, x = units.sum(axis=0), successes.sum(axis=0)
    if (n == 0).any() or math.isnan(found.difference_standard_error):
        return
    weights = n[:strata] * n[strata:] / (n[:strata] + n[strata:])
    weights = weights / weights.sum()
    signs = np.concatenate([weights, -weights])
    rates = x / n
    clusters = int(units.any(axis=1).sum())
    off = (successes - rates * units) / n
    difference = off @ signs
    expected = math.sqrt(clusters / (clusters - 1) * float(difference @ difference))
    assert found.difference_standard_error == pytest.approx(expected, rel=1e-6)
    p1, p2 = weights @ rates[:strata], weights @ rates[strata:]
    log_ratio = off[:, :strata] @ weights / p1 - off[:, strata:] @ weights / p2
    expected = math.sqrt(clusters / (clusters - 1) * float(log_ratio @ log_ratio))
    assert found.log_ratio_standard_error == pytest.approx(expected, rel=1e-6)
    assert found.ratio == pytest.approx(p1 / p2)
    t = stdtrit(clusters - 1, 0.95)
    low, high = found.difference_interval
    assert high - low == pytest.approx(2 * t * found.difference_standard_error)
    assert found.ratio_interval.high == pytest.approx(found.ratio * math.exp(t * expected))
    statistic = found.difference / found.difference_standard_error
    assert found.p_value == pytest.approx(2 * stdtr(clusters - 1, -abs(statistic)))


def test_margin_test_belongs_to_the_intervals() -> None:
    moments = cluster_moments(*_drawn(3, 50, 4))
    found = clustered_comparison(moments)
    for interval, scale in ((found.difference_interval, "difference"), (found.ratio_interval, "ratio")):
        at_low = clustered_margin_test(moments, interval.low, scale)  # type: ignore[arg-type]
        at_high = clustered_margin_test(moments, interval.high, scale, "less")  # type: ignore[arg-type]
        assert at_low.p_value == pytest.approx(0.025)
        assert at_high.p_value == pytest.approx(0.025)
    both = clustered_margin_test(moments, 0.0, "difference", "two-sided")
    assert both.p_value == pytest.approx(found.p_value)


def test_coverage_under_clustering() -> None:
    """Beta-binomial clusters: the clustered interval covers, the design effect is what ICC says."""
    random = np.random.default_rng(20250123)
    covered, effects = 0, []
    for _ in range(400):
        rates = random.beta(0.8, 3.2, size=(120, 1))  # ICC = 1 / (1 + 4)
        units = np.zeros((120, 2), dtype=int)
        units[:60, 0] = units[60:, 1] = 6
        found = clustered_comparison(cluster_moments(units, random.binomial(units, rates)))
        covered += found.difference_interval.low <= 0 <= found.difference_interval.high
        effects.append(found.design_effect)
    assert 0.92 <= covered / 400 <= 0.98
    assert np.mean(effects) == pytest.approx(1 + 5 * 0.2, rel=0.06)


def test_what_cannot_be_told_is_nan() -> None:
    units = [[5, 0], [4, 0], [0, 6], [0, 5]]
    for successes in ([[0, 0], [0, 0], [0, 2], [0, 1]], [[5, 0], [4, 0], [0, 2], [0, 1]]):
        found = clustered_comparison(cluster_moments(units, successes))
        assert not math.isnan(found.difference)
        assert math.isnan(found.difference_standard_error)
        assert all(math.isnan(limit) for limit in (*found.difference_interval, *found.ratio_interval))
        assert math.isnan(clustered_margin_test(cluster_moments(units, successes), 0.9).p_value)
    one = cluster_moments([[5, 6]], [[1, 2]])
    assert math.isnan(clustered_comparison(one).difference_standard_error)
    one_arm = cluster_moments([[5, 0], [3, 0]], [[1, 0], [2, 0]])
    assert math.isnan(clustered_comparison(one_arm).difference)
    assert clustered_comparison(one_arm).degrees_of_freedom == 1


def test_bad_input_names_the_parameter() -> None:
    with pytest.raises(UsageError, match=r"^units is"):
        cluster_moments([[1, 2]], [[1, 2, 3]])
    with pytest.raises(UsageError, match=r"^successes must"):
        cluster_moments([[1, 2]], [[2, 1]])
    moments = cluster_moments(*_drawn(3, 10, 2))
    with pytest.raises(UsageError, match=r"^units needs"):
        replace(moments, units=[1, 2, 3])
    with pytest.raises(UsageError, match=r"^units_units must be 2 x 2"):
        replace(moments, units_units=[[1.0]])
    with pytest.raises(UsageError, match=r"^clusters"):
        replace(moments, clusters=-1)
    with pytest.raises(UsageError, match=r"^margin"):
        clustered_margin_test(moments, -0.1)
    with pytest.raises(UsageError, match=r"^confidence"):
        clustered_comparison(moments, 95)
