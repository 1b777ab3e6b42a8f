from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.stats import prediction_powered_mean


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


def test_what_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="labels has 2 values and judge_there has 1"):
        prediction_powered_mean([1, 0], [1], [])
    with pytest.raises(UsageError, match=r"judge_elsewhere\[0\] is missing"):
        prediction_powered_mean([1, 0], [1, 0], [math.nan])
