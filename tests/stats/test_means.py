from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import clopper_pearson_interval, mean_and_standard_error, mean_interval

# Sizes of the test sets in EleutherAI's harness.
TASK_SIZES = {
    "lambada_openai": 5153,
    "piqa": 1838,
    "winogrande": 1267,
    "arc_easy": 2376,
    "arc_challenge": 1172,
    "sciq": 1000,
    "logiqa": 651,
    "wsc": 104,
}

samples = st.lists(st.floats(-100, 100).map(lambda x: round(x, 3)), min_size=2, max_size=25)
clustered_samples = st.lists(
    st.tuples(st.floats(-100, 100).map(lambda x: round(x, 3)), st.integers(0, 5)), min_size=2, max_size=25
)


def test_pinned_clustered_value() -> None:
    mean, standard_error = mean_and_standard_error(range(20), [i % 4 for i in range(20)])
    assert mean == 9.5
    assert standard_error == pytest.approx(0.6454972, abs=5e-8)


def test_published_standard_errors_of_a_runner(validation: Path) -> None:
    """Every mean of acc and acc_norm; where no size of the task is published, its first row implies it and
    all others must agree.
    """
    sizes = dict(TASK_SIZES)
    checked = 0
    with (validation / "runner_stderr" / "lm_eval_stderr.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["metric"] not in {"acc", "acc_norm"}:
                continue
            value, error = float(row["value"]), float(row["stderr"])
            n = sizes.setdefault(row["task"], round(value * (1 - value) / error**2 + 1))
            right = round(value * n)
            estimate = mean_and_standard_error(np.repeat([1.0, 0.0], [right, n - right]))
            assert estimate.mean == pytest.approx(value, abs=1e-12), row
            assert estimate.standard_error == pytest.approx(error, abs=1e-12), row
            checked += 1
    assert checked == 4064
    assert len(sizes) == 65


def test_published_win_rates_and_standard_errors(validation: Path) -> None:
    folder = validation / "preferences"
    with (folder / "ae2_preference_wide.csv").open(encoding="utf-8", newline="") as file:
        items = list(csv.DictReader(file))
    leaderboard = folder / "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv"
    checked = 0
    with leaderboard.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = [item.get(row[""], "") for item in items]
            preferences = [float(cell) for cell in cells if cell not in {"", "nan"}]
            if not preferences:
                continue
            wins = [0.5 if preference == 0 else preference - 1 for preference in preferences]
            mean, standard_error = mean_and_standard_error(wins)
            assert 100 * mean == pytest.approx(float(row["win_rate"]), abs=1e-6), row[""]
            assert 100 * standard_error == pytest.approx(float(row["standard_error"]), abs=1e-6), row[""]
            checked += 1
    assert checked >= 57


@pytest.mark.parametrize(
    ("accuracy", "n", "percent"),
    [(0.655, 5000, 0.67), (0.630, 5000, 0.68), (0.753, 2500, 0.86), (0.780, 2500, 0.83)],
)
def test_standard_errors_of_the_worked_example_of_miller(accuracy: float, n: int, percent: float) -> None:
    right = round(accuracy * n)
    standard_error = mean_and_standard_error([1] * right + [0] * (n - right)).standard_error
    assert 100 * standard_error == pytest.approx(percent, abs=0.006)


@settings(max_examples=60, deadline=None)
@given(samples)
def test_unclustered_is_the_textbook_formula(values: list[float]) -> None:
    mean, standard_error = mean_and_standard_error(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-9)
    assert standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(values)), abs=1e-9)
    alone = mean_and_standard_error(values, [f"item {i}" for i in range(len(values))])
    assert alone.standard_error == pytest.approx(standard_error, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(clustered_samples)
def test_clustered_is_the_pairwise_definition(rows: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in rows], [label for _, label in rows]
    mean = sum(values) / len(values)
    count = len(set(clusters))
    estimate = mean_and_standard_error(values, clusters)
    if count < 2:
        assert math.isnan(estimate.standard_error)
        return
    pairs = sum(
        (values[i] - mean) * (values[j] - mean)
        for i in range(len(rows))
        for j in range(len(rows))
        if clusters[i] == clusters[j]
    )
    expected = math.sqrt(max(0.0, count / (count - 1) * pairs)) / len(rows)
    assert estimate.standard_error == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(samples, st.sampled_from([0.8, 0.95, 0.99]))
def test_interval_is_that_of_the_t_test(values: list[float], confidence: float) -> None:
    if np.std(values) < 1e-6:
        return
    expected = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
    assert mean_interval(values, confidence=confidence) == pytest.approx(
        (expected.low, expected.high), rel=1e-9, abs=1e-9
    )


def test_clustered_interval_has_one_degree_of_freedom_less_than_clusters() -> None:
    low, high = mean_interval(range(20), [i % 4 for i in range(20)])
    assert high - 9.5 == pytest.approx(scipy.stats.t.ppf(0.975, 3) * 0.6454972, abs=1e-6)
    assert 9.5 - low == pytest.approx(high - 9.5)


@pytest.mark.parametrize(("values", "mean"), [([], math.nan), ([0.25], 0.25)])
def test_fewer_than_two_values_have_no_standard_error(values: list[float], mean: float) -> None:
    estimate = mean_and_standard_error(values)
    assert estimate.mean == pytest.approx(mean, nan_ok=True)
    assert math.isnan(estimate.standard_error)
    assert all(math.isnan(limit) for limit in mean_interval(values))


def test_one_cluster_has_no_standard_error() -> None:
    assert math.isnan(mean_and_standard_error([1, 2, 3], ["a", "a", "a"]).standard_error)
    assert all(math.isnan(limit) for limit in mean_interval([1, 2, 3], ["a", "a", "a"]))


def test_values_without_spread_are_a_point_only_where_their_range_is_unknown() -> None:
    assert mean_interval([0.1] * 3) == pytest.approx((0.1, 0.1))
    # 0.1 + 0.1 + 0.1 differs from 0.3 in the last bit: rounding is not spread.
    low, high = mean_interval([0.1] * 3, value_range=(0, 1))
    assert low < 0.05
    assert high > 0.5
    # Outside the range that was claimed, the range is not known.
    assert mean_interval([7.0] * 3, value_range=(0, 1)) == (7, 7)


@pytest.mark.parametrize("n", [2, 10, 200])
def test_constant_scores_have_the_exact_binomial_limits(n: int) -> None:
    assert mean_interval([1.0] * n, value_range=(0, 1)) == pytest.approx(clopper_pearson_interval(n, n))
    assert mean_interval([0.0] * n, value_range=(0, 1)) == pytest.approx(clopper_pearson_interval(0, n))


def test_constant_clusters_count_as_one_draw_each() -> None:
    clusters = [i // 5 for i in range(50)]
    interval = mean_interval([1.0] * 50, clusters, value_range=(0, 1))
    assert interval == pytest.approx(clopper_pearson_interval(10, 10))
    # Every cluster has the same mean, though its values differ: still no spread between clusters.
    alternating = mean_interval([i % 2 for i in range(40)], [i // 4 for i in range(40)], value_range=(0, 1))
    assert alternating.low < 0.4
    assert alternating.high > 0.6


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (([1, math.nan],), "values"),
        (([1, math.inf],), "values"),
        (("12",), "values"),
        (([1, 2], ["a"]), "clusters"),
        (([1, 2], ["a", None]), "clusters"),
        (([1, 2], None, 95), "confidence"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=parameter):
        mean_interval(*arguments)


def test_coverage_of_the_clustered_interval() -> None:
    """Clusters of one effect each: the clustered interval keeps its level, the plain one does not."""
    random = np.random.default_rng(20250123)
    clusters = np.repeat(np.arange(30), 5)
    covered = plain = 0
    for _ in range(1000):
        values = random.normal(size=30)[clusters] + random.normal(size=150)
        low, high = mean_interval(values, clusters)
        covered += low <= 0 <= high
        low, high = mean_interval(values)
        plain += low <= 0 <= high
    assert 0.93 <= covered / 1000 <= 0.97
    assert plain / 1000 < 0.85
