from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats

from llmbench.errors import UsageError
from llmbench.stats import bootstrap_interval, mean_interval, ratio_of_totals
from llmbench.stats.resampling import _bca_levels


def _skewed(n: int) -> Any:
    return np.random.default_rng(7).lognormal(size=n)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_agrees_with_scipy_up_to_resampling_noise(method: Any) -> None:
    values = _skewed(60)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, method=method, n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    interval = bootstrap_interval(values, np.mean, method=method, resamples=10_000)
    assert interval == pytest.approx((expected.low, expected.high), abs=0.03 * width)


def test_bca_and_percentile_differ_on_skewed_values() -> None:
    values = _skewed(60)
    bca, percentile = (bootstrap_interval(values, np.mean, method=m) for m in ("bca", "percentile"))
    assert bca.low > percentile.low
    assert bca.high > percentile.high


def test_percentile_is_the_enumeration_of_all_resamples() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0])
    means = [np.mean([a, b, c, d]) for a in values for b in values for c in values for d in values]
    interval = bootstrap_interval(values, np.mean, method="percentile", confidence=0.8, resamples=20_000)
    assert interval == pytest.approx(tuple(np.quantile(means, [0.1, 0.9])), abs=0.26)


def test_symmetric_values_agree_with_t() -> None:
    values = np.random.default_rng(3).normal(size=400)
    expected = mean_interval(values)
    width = expected.high - expected.low
    assert bootstrap_interval(values, np.mean) == pytest.approx(expected, abs=0.06 * width)


def test_clusters_are_drawn_whole() -> None:
    effects = np.random.default_rng(5).normal(size=40)
    values = np.repeat(effects, 10)
    clusters = np.repeat(np.arange(40), 10)
    expected = mean_interval(values, clusters)
    width = expected.high - expected.low
    interval = bootstrap_interval(values, np.mean, clusters)
    assert interval == pytest.approx(expected, abs=0.1 * width)
    plain = bootstrap_interval(values, np.mean)
    assert (plain.high - plain.low) < 0.5 * width


def test_clusters_of_unequal_size_recompute_the_reported_statistic() -> None:
    """A resample of clusters has another number of rows, and the statistic sees just those."""
    sizes: set[int] = set()

    def observed_mean(rows: Any) -> float:
        sizes.add(len(rows))
        return float(rows.mean())

    bootstrap_interval([1, 2, 3, 4, 5, 6], observed_mean, ["a", "a", "a", "b", "b", "c"], resamples=200)
    assert {3, 9, 6} <= sizes
    assert max(sizes) == 9


def test_rows_of_a_matrix_stay_together() -> None:
    random = np.random.default_rng(11)
    correct = (random.random(300) < 0.6).astype(float)
    rows = np.column_stack([0.002 * (1 + correct), correct])
    ratio, standard_error = ratio_of_totals(rows[:, 0], rows[:, 1])
    low, high = bootstrap_interval(rows, lambda r: float(r[:, 0].sum() / r[:, 1].sum()))
    assert (low, high) == pytest.approx(
        (ratio - 1.96 * standard_error, ratio + 1.96 * standard_error), abs=0.35 * standard_error
    )


def test_ties_with_the_estimate_are_no_bias() -> None:
    """Half of 20 right is symmetric; counting ties on one side only would shift the interval."""
    low, high = bootstrap_interval([0, 1] * 10, np.mean, resamples=5000)
    assert low + high == pytest.approx(1, abs=0.02)


def test_bca_levels_are_unknown_where_the_correction_fails() -> None:
    tails, replicates = np.array([0.025, 0.975]), np.array([0.0, 1.0, 2.0])
    usual = _bca_levels(tails, 1.0, replicates, np.array([0.9, 1.0, 1.1]))
    assert usual == pytest.approx(tails)
    for estimate, left_out in ((1.0, [1.0, math.inf]), (5.0, [0.9, 1.1])):
        assert np.isnan(_bca_levels(tails, estimate, replicates, np.array(left_out))).all()
    # One unit with all the influence accelerates by 1/6: the pole is six standard errors out.
    one_outlier = np.array([-1e6] + [0.0] * 10_000)
    assert np.isfinite(_bca_levels(tails, 1.0, replicates, one_outlier)).all()
    far = np.array([1e-12, 1 - 1e-12])
    assert np.isnan(_bca_levels(far, 1.0, replicates, one_outlier)).all()


def test_seed_decides() -> None:
    values = _skewed(30)
    assert bootstrap_interval(values, np.mean, seed=1) == bootstrap_interval(values, np.mean, seed=1)
    assert bootstrap_interval(values, np.mean, seed=1) != bootstrap_interval(values, np.mean, seed=2)


def test_a_constant_statistic_is_a_point() -> None:
    assert bootstrap_interval([2.0] * 20, np.mean) == (2, 2)


@pytest.mark.parametrize(("values", "clusters"), [([], None), ([1.0], None), ([1, 2, 3], ["x", "x", "x"])])
def test_fewer_than_two_units_tell_nothing(values: Any, clusters: Any) -> None:
    assert all(math.isnan(limit) for limit in bootstrap_interval(values, np.mean, clusters))


def test_a_statistic_undefined_on_some_resample_has_no_interval() -> None:
    def per_correct(rows: Any) -> float:
        return float(rows[:, 0].sum() / rows[:, 1].sum()) if rows[:, 1].sum() else math.inf

    rows = [[0.1, 1], [0.1, 0], [0.1, 0], [0.1, 0]]
    assert all(math.isnan(limit) for limit in bootstrap_interval(rows, per_correct))
    # Undefined only with a certain unit left out, which a resample may well do too.
    assert all(math.isnan(limit) for limit in bootstrap_interval(rows, per_correct, method="percentile"))


def test_coverage_of_bca_on_skewed_values() -> None:
    random = np.random.default_rng(20250123)
    covered = 0
    for _ in range(150):
        low, high = bootstrap_interval(random.exponential(size=50), np.mean, resamples=400)
        covered += low <= 1 <= high
    assert 0.88 <= covered / 150 <= 0.99


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"values": [1, math.nan]}, "values"),
        ({"values": [[[1]]]}, "values"),
        ({"values": ["1", "2"]}, "values"),
        ({"clusters": ["x"]}, "clusters"),
        ({"confidence": 95}, "confidence"),
        ({"resamples": 10}, "resamples"),
        ({"seed": -1}, "seed"),
        ({"method": "basic"}, "method"),
    ],
)
def test_bad_input_names_the_parameter(arguments: dict[str, Any], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        bootstrap_interval(**{"values": [1, 2], "statistic": np.mean, **arguments})
