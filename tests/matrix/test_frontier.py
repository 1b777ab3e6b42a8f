from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from llmbench.errors import UsageError
from llmbench.matrix.frontier import on_frontier, quality_cost_frontier
from llmbench.matrix.power import pair_power
from llmbench.stats import items_needed, minimum_detectable_paired_difference


def table(cells: dict[str, tuple[list[float], list[float]]]) -> pd.DataFrame:
    """Scores and costs by cell; a NaN score is a missing answer."""
    rows = [
        {
            "item_id": f"i{n}", "cell": cell, "model": f"{cell}/m", "score": score, "cost_usd": cost,
            "missing": math.isnan(score),
        }
        for cell, (scores, costs) in cells.items()
        for n, (score, cost) in enumerate(zip(scores, costs, strict=True))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """The definition: as good and as cheap, and better in one of them."""
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def test_on_frontier_equals_its_definition() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        points = [(float(s), float(c)) for s, c in rng.integers(0, 4, size=(6, 2))]
        expected = [not any(beats(other, point) for other in points) for point in points]
        scores, costs = (np.array(each) for each in zip(*points, strict=True))
        assert on_frontier(scores, costs).tolist() == expected


def test_frontier_probability_equals_brute_force_over_all_samples() -> None:
    """Three items: all 27 samples, each as likely, against many drawn ones."""
    scores = {"a": [1.0, 0.0, 0.0], "b": [1.0, 1.0, 0.0], "c": [0.0, 1.0, 0.0]}
    costs = {"a": [1.0, 1.0, 1.0], "b": [2.0, 2.0, 2.0], "c": [1.0, 1.0, 1.0]}
    exact = dict.fromkeys(scores, 0.0)
    for draw in product(range(3), repeat=3):
        points = {
            cell: (
                float(np.mean([scores[cell][i] for i in draw])),
                float(np.mean([costs[cell][i] for i in draw])),
            )
            for cell in scores
        }
        for cell, point in points.items():
            exact[cell] += (not any(beats(other, point) for other in points.values())) / 27
    found = quality_cost_frontier(table({k: (scores[k], costs[k]) for k in scores}), n_boot=40_000, seed=3)
    for each in found:
        p = exact[each.cell]
        assert abs(each.probability_on_frontier - p) < 4 * math.sqrt(p * (1 - p) / 40_000) + 1e-9
    assert all(each.on_frontier for each in found)


def test_samples_in_blocks_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    cells = {name: (list(rng.random(40)), list(rng.random(40))) for name in "abc"}
    cells["a"][0][3] = math.nan
    groups = [f"g{n // 3}" for n in range(40)]
    for clusters in (None, groups):
        whole = quality_cost_frontier(table(cells), clusters, n_boot=300)
        monkeypatch.setattr("llmbench.matrix.frontier._WEIGHTS_AT_ONCE", 40 * 7)
        assert quality_cost_frontier(table(cells), clusters, n_boot=300) == whole
        monkeypatch.undo()


def test_clusters_are_drawn_whole() -> None:
    """Two clusters of two equal items: samples are as of two items."""
    scores, costs = [1.0, 1.0, 0.0, 0.0], [1.0] * 4
    other = ([0.0, 0.0, 1.0, 1.0], [1.0] * 4)
    answers = table({"a": (scores, costs), "b": other})
    (a, _) = quality_cost_frontier(answers, ["x", "x", "y", "y"], n_boot=40_000)
    # Of {xx, xy, yx, yy}, a is beaten only in yy.
    assert abs(a.probability_on_frontier - 0.75) < 4 * math.sqrt(0.75 * 0.25 / 40_000)


def test_cell_with_an_unknown_cost_is_left_out_and_a_missing_answer_is_no_zero() -> None:
    answers = table({"a": ([1.0, math.nan], [1.0, math.nan]), "b": ([1.0, 1.0], [1.0, math.nan])})
    (point,) = quality_cost_frontier(answers, n_boot=50)
    assert (point.cell, point.score, point.cost_per_1k_calls) == ("a", 1.0, 1000.0)
    assert quality_cost_frontier(answers[answers["cell"] == "b"], n_boot=50) == ()


def test_seed_and_size() -> None:
    rng = np.random.default_rng(2)
    answers = table({c: (list(rng.random(30)), list(rng.random(30))) for c in "abc"})
    assert quality_cost_frontier(answers, n_boot=100) == quality_cost_frontier(answers, n_boot=100)
    with pytest.raises(UsageError, match="n_boot"):
        quality_cost_frontier(answers, n_boot=0)


def test_power_of_a_pair() -> None:
    rng = np.random.default_rng(4)
    base, cand = rng.integers(0, 2, 200).astype(float), rng.integers(0, 2, 200).astype(float)
    cand[:10] = math.nan
    cost = [0.0] * 200
    (found,) = pair_power(table({"base": (list(base), cost), "cand": (list(cand), cost)}), "base")
    differences = (cand - base)[10:]
    assert (found.candidate, found.n) == ("cand", 190)
    assert found.mde == pytest.approx(minimum_detectable_paired_difference(differences))
    assert found.items_needed["3"] == math.ceil(items_needed(0.03, differences))


def test_power_where_nothing_varies() -> None:
    same = table({"base": ([1.0, 0.0], [0.0, 0.0]), "cand": ([1.0, 0.0], [0.0, 0.0])})
    (found,) = pair_power(same, "base")
    assert (found.mde, found.items_needed["1"]) == (None, None)
