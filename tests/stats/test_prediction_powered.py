from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.stats import (
    JudgedSample,
    mean_interval,
    prediction_powered_difference,
    prediction_powered_mean,
)


def test_figures_of_ppi_python() -> None:
    found = prediction_powered_mean([1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 0, 1, 1, 0])
    assert found.mean == pytest.approx(0.71180556, abs=1e-8)
    assert found.interval == pytest.approx((0.39438189, 1.02922922), abs=1e-8)


def test_figures_of_ppi_python_on_published_judge_scores(validation: Path) -> None:
    with (validation / "judges" / "cje_arena_sample_scores.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if (row["slice"], row["policy"]) == ("fresh_draws", "base")
        ]
    labelled = [row for row in rows if row["oracle_label"]]
    found = prediction_powered_mean(
        [float(row["oracle_label"]) for row in labelled],
        [float(row["judge_score"]) for row in labelled],
        [float(row["judge_score"]) for row in rows if not row["oracle_label"]],
    )
    assert (found.labels, found.judged) == (480, 520)
    assert found.mean == pytest.approx(0.755210108459595, abs=1e-12)
    assert found.interval == pytest.approx((0.7357509780969417, 0.7746692388222484), abs=1e-9)


def test_weight_makes_the_variance_smallest() -> None:
    random = np.random.default_rng(8)
    truth = random.random(600)
    judge = truth + random.normal(0, 0.3, size=600)
    n = 400
    found = prediction_powered_mean(truth[:n], judge[:n], judge[n:])

    def variance(weight: float) -> float:
        return float(np.var(truth[:n] - weight * judge[:n]) / n + weight**2 * np.var(judge[n:]) / (600 - n))

    assert found.standard_error == pytest.approx(math.sqrt(variance(found.judge_weight)))
    best = min(np.linspace(0, 1, 1001), key=variance)
    assert found.judge_weight == pytest.approx(best, abs=0.03)


def test_covers_where_the_judge_is_biased_and_is_narrower_than_labels_alone() -> None:
    random = np.random.default_rng(20250123)
    covered, widths = [], []
    for _ in range(400):
        chance = random.random(1000)
        truth = (random.random(1000) < chance).astype(float)
        judge = np.clip(chance + 0.2, 0, 1)  # always too kind
        found = prediction_powered_mean(truth[:150], judge[:150], judge[150:])
        covered.append(found.interval.low <= 0.5 <= found.interval.high)
        widths.append(found.standard_error / (truth[:150].std() / math.sqrt(150)))
    assert 0.92 < np.mean(covered) < 0.975
    assert np.mean(widths) < 0.92


def test_a_judge_that_knows_nothing_leaves_the_labels_mean() -> None:
    labels = [1.0, 0.0, 1.0, 1.0]
    for there, elsewhere in (([0.5] * 4, [0.5] * 9), ([0, 1, 0, 0], [1, 0, 1]), ([1, 0, 1, 1], [])):
        found = prediction_powered_mean(labels, there, elsewhere)
        assert (found.judge_weight, found.mean) == (0, 0.75)
        assert found.standard_error == pytest.approx(np.std(labels) / 2)


def test_too_few_labels() -> None:
    one = prediction_powered_mean([1], [1], [1, 0])
    assert one.mean == 1
    assert math.isnan(one.interval.low)
    assert math.isnan(prediction_powered_mean([], [], [1, 0]).mean)


def test_clusters_without_a_judge_are_the_clustered_mean() -> None:
    labels, clusters = [1, 0, 1, 1, 0, 1, 1, 0], list("aabbccdd")
    found = prediction_powered_mean(
        labels, [0.5] * 8, [0.5] * 3, clusters_there=clusters, clusters_elsewhere=list("efg")
    )
    assert found.interval == pytest.approx(mean_interval(labels, clusters))


def test_clusters_by_their_definition() -> None:
    random = np.random.default_rng(3)
    truth = np.repeat(random.integers(0, 2, 20), 3).astype(float)
    judge = np.where(random.random(60) < 0.8, truth, 1 - truth)
    items, labelled = np.repeat(np.arange(20), 3), random.permutation(60) < 25
    found = prediction_powered_mean(
        truth[labelled], judge[labelled], judge[~labelled],
        clusters_there=items[labelled], clusters_elsewhere=items[~labelled],
    )  # fmt: skip
    weight, total = found.judge_weight, 0.0
    corrections = truth - weight * judge
    for item in range(20):
        there, rest = labelled & (items == item), ~labelled & (items == item)
        pull = (corrections[there] - corrections[labelled].mean()).sum() / labelled.sum()
        pull += weight * (judge[rest] - judge[~labelled].mean()).sum() / (~labelled).sum()
        total += pull**2
    units = len(set(items[labelled]))
    assert found.standard_error == pytest.approx(math.sqrt(total * units / (units - 1)))


def test_stays_within_the_range_of_values() -> None:
    found = prediction_powered_mean(
        [1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 0, 1, 1, 0], value_range=(0, 1),
        clusters_there=range(6), clusters_elsewhere=range(6, 14),
    )  # fmt: skip
    assert found.interval.high == 1
    assert 0 < found.interval.low < 0.394  # wider than the normal one
    same = prediction_powered_mean(
        [1] * 11,
        [1] * 11,
        [1, 0, 1],
        value_range=(0, 1),
        clusters_there=range(11),
        clusters_elsewhere=[20, 21, 22],
    )
    assert same.interval == pytest.approx(mean_interval([1.0] * 11, value_range=(0, 1)))


def _sample(truth: object, judge: object, labelled: object) -> JudgedSample:
    t, j, there = np.asarray(truth), np.asarray(judge), np.asarray(labelled)
    items = np.arange(len(t))
    return JudgedSample(t[there], j[there], j[~there], items[there], items[~there])


def test_difference_covers_and_knows_that_items_are_shared() -> None:
    random = np.random.default_rng(11)
    covered, errors, apart = [], [], []
    for _ in range(300):
        hard = random.random(400)
        samples = []
        for easier in (0.1, 0.0):
            truth = (random.random(400) < np.clip(hard + easier, 0, 1)).astype(float)
            judge = np.where(random.random(400) < 0.85, truth, 1 - truth)
            samples.append(_sample(truth, judge, random.permutation(400) < 60))
        expected = 0.1 - 0.1**2 / 2
        found = prediction_powered_difference(samples[0], samples[1], value_range=(0, 1))
        covered.append(found.interval.low <= expected <= found.interval.high)
        errors.append(found.difference - expected)
        apart.append(found.standard_error)
    assert 0.92 < np.mean(covered) < 0.98
    assert np.mean(apart) == pytest.approx(np.std(errors), rel=0.12)


def test_difference_of_labels_that_are_all_the_same_is_not_certain() -> None:
    every = np.arange(30) < 12
    right = _sample(np.ones(30), np.ones(30), every)
    found = prediction_powered_difference(right, right, value_range=(0, 1))
    assert found.difference == 0
    assert found.interval.low < -0.2
    assert found.interval.high > 0.2
    lone = JudgedSample([1], [1], [1, 0], "a", "bc")
    assert math.isnan(prediction_powered_difference(lone, right).interval.low)


def test_what_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="labels has 2 values and judge_there has 1"):
        prediction_powered_mean([1, 0], [1], [])
    with pytest.raises(UsageError, match=r"judge_elsewhere\[0\] is missing"):
        prediction_powered_mean([1, 0], [1, 0], [math.nan])
    with pytest.raises(UsageError, match="go together"):
        prediction_powered_mean([1, 0], [1, 0], [1], clusters_there=["a", "b"])
    with pytest.raises(UsageError, match="clusters has 1 labels for the 2 values of clusters_there"):
        prediction_powered_mean([1, 0], [1, 0], [1], clusters_there=["a"], clusters_elsewhere=["b"])
