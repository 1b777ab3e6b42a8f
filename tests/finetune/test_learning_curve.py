"""The learning curve against its definition, and its interval against data of known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.finetune.learning_curve import learning_curve


def test_points_are_means_over_items_and_seeds() -> None:
    curve = learning_curve({(0, 0): [0, 0, 1, 1], (10, 1): [1, 0, 1, 1], (10, 2): [1, 1, 1, 1]})
    base, tuned = curve.points
    assert (base.n_train, base.seeds, base.score, base.n) == (0, 1, 0.5, 4)
    assert (tuned.n_train, tuned.seeds, tuned.score) == (10, 2, 0.875)
    assert tuned.seed_sd == pytest.approx(np.std([0.75, 1.0], ddof=1))
    assert curve.gain() == 0.375
    assert [(t.n_train, t.seed, t.score) for t in curve.trained] == [(0, 0, 0.5), (10, 1, 0.75), (10, 2, 1.0)]


def test_one_seed_has_the_interval_of_the_items_alone() -> None:
    point = learning_curve({(10, 1): [1, 0, 1, 1, 0, 1, 1, 1]}).points[0]
    values = np.array([1, 0, 1, 1, 0, 1, 1, 1])
    half = 2.364624251592785 * values.std(ddof=1) / math.sqrt(8)  # t, 7 degrees of freedom
    assert point.ci.low == pytest.approx(values.mean() - half)
    assert point.ci.high == 1.0  # kept within what a score can be
    assert math.isnan(point.seed_sd)


def test_seeds_that_agree_add_nothing_to_the_interval_of_items() -> None:
    items = [1, 0, 1, 1, 0, 1, 0, 1, 0, 1] * 4
    one = learning_curve({(10, 1): items}).points[0]
    three = learning_curve({(10, seed): items for seed in range(3)}).points[0]
    assert three.ci.low == pytest.approx(one.ci.low)
    assert three.seed_sd == 0


def test_the_interval_covers_a_mean_over_other_items_and_other_seeds() -> None:
    """Two-way random effects: items and seeds are both new in every draw."""
    rng = np.random.default_rng(20250123)
    covered = {"both": 0, "items alone": 0}
    rounds = 400
    for _ in range(rounds):
        item, seed = rng.normal(0, 0.15, 60), rng.normal(0, 0.08, 4)
        table = 0.5 + item[None, :] + seed[:, None] + rng.normal(0, 0.1, (4, 60))
        point = learning_curve({(10, s): list(row) for s, row in enumerate(table)}).points[0]
        covered["both"] += point.ci.low <= 0.5 <= point.ci.high
        naive = learning_curve({(10, 0): list(table.mean(axis=0))}).points[0]
        covered["items alone"] += naive.ci.low <= 0.5 <= naive.ci.high
    assert covered["both"] / rounds > 0.92
    assert covered["items alone"] / rounds < 0.80  # what forgetting the seeds would claim


def test_clusters_widen_the_interval() -> None:
    items = [1.0] * 10 + [0.0] * 10
    clusters = [f"c{i // 5}" for i in range(20)]
    alone, together = learning_curve({(5, 1): items}), learning_curve({(5, 1): items}, clusters)
    assert together.points[0].ci.low < alone.points[0].ci.low


def test_missing_answers_are_left_out_for_all_seeds_of_a_size() -> None:
    curve = learning_curve({(5, 1): [1, math.nan, 0, 1], (5, 2): [1, 1, 0, 1]})
    assert curve.points[0].n == 3
    assert curve.points[0].score == pytest.approx(2 / 3)
    assert [t.score for t in curve.trained] == pytest.approx([2 / 3, 3 / 4])
    nothing = learning_curve({(5, 1): [math.nan, 1.0], (5, 2): [1.0, math.nan]}).points[0]
    assert nothing.n == 0
    assert math.isnan(nothing.score)


def test_one_item_has_no_interval() -> None:
    assert math.isnan(learning_curve({(5, 1): [1.0]}).points[0].ci.low)


@pytest.mark.parametrize(
    ("scores", "clusters", "words"),
    [
        ({}, None, "at least one"),
        ({(0, 0): [1, 0], (5, 1): [1]}, None, "lists of 1 and 2 items"),
        ({(0, 0): [1, 0]}, ["a"], "clusters has 1 names for 2"),
        ({(-5, 0): [1, 0]}, None, "cannot be negative"),
    ],
)
def test_bad_input_is_named(
    scores: dict[tuple[int, int], list[float]], clusters: list[str] | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        learning_curve(scores, clusters)


def test_it_shows_itself() -> None:
    curve = learning_curve({(0, 0): [0, 1], (10, 1): [1, 1]})
    assert list(curve.to_pandas()["n_train"]) == [0, 10]
    assert "n_train" in curve._repr_html_()


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_model_that_is_never_right_has_an_interval_that_is_no_point(seeds: int) -> None:
    curve = learning_curve({(8, seed): [0.0] * 50 for seed in range(seeds)})
    for found in (curve.points[0], *curve.trained):
        assert found.ci.low == 0.0
        assert 0.01 < found.ci.high < 0.1
