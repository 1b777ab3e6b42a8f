from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from llmbench.matrix.compare import compare
from llmbench.matrix.confirmation import Confirmation, confirm, held_out
from llmbench.matrix.summary import ItemScores
from llmbench.stats import paired_difference


def scores(values: Any) -> ItemScores:
    array = np.asarray(values, dtype=float)
    return ItemScores(array, np.nan_to_num(array), np.nan_to_num(array, nan=1.0), 1)


def confirmed(
    given: dict[str, ItemScores],
    clusters: Sequence[str] | None = None,
    *,
    share: float = 0.5,
    seed: int = 1,
    costs: dict[str, float] | None = None,
) -> Confirmation | None:
    cells: Any = {name: SimpleNamespace(cost_per_1k_calls=(costs or {}).get(name)) for name in given}
    comparisons = compare("base", given, clusters, margin=0.03, confidence=0.95)
    return confirm("base", comparisons, cells, given, clusters, share=share, confidence=0.95, seed=seed)


def test_the_items_that_pick_have_no_part_in_the_difference() -> None:
    random = np.random.default_rng(1)
    given = {name: scores(random.random(300) < 0.6) for name in ("base", "a", "b", "c")}
    out = held_out(300, None, 0.5, seed=1)
    found = confirmed(given)
    assert found is not None
    differences = {name: given[name].mean - given["base"].mean for name in "abc"}
    assert found.candidate == max("abc", key=lambda name: differences[name][~out].mean())
    expected = paired_difference(given[found.candidate].mean[out], given["base"].mean[out])
    assert (found.difference, found.ci, found.p_value) == tuple(expected)
    assert (found.candidates, found.picked_on, found.n) == (3, 150, 150)

    # Other answers to the held-out items change the difference, and never the pick.
    changed = {name: scores(np.where(out, random.random(300) < 0.6, s.mean)) for name, s in given.items()}
    again = confirmed(changed)
    assert again is not None
    assert again.candidate == found.candidate
    assert again.difference != found.difference


def test_the_best_of_ten_equals_is_no_better() -> None:
    """The best of ten as good as the baseline looks better on all items; confirmed, it does not."""
    random = np.random.default_rng(20250123)
    naive, honest, covered = [], [], []
    for seed in range(120):
        given = {name: scores(random.random(240) < 0.5) for name in ("base", *"abcdefghij")}
        found = confirmed(given, seed=seed)
        assert found is not None
        assert found.difference is not None
        assert found.ci is not None
        naive.append(max(float((given[name].mean - given["base"].mean).mean()) for name in "abcdefghij"))
        honest.append(found.difference)
        covered.append(found.ci.low <= 0 <= found.ci.high)
    assert np.mean(naive) > 0.04
    assert abs(np.mean(honest)) < 3 * np.std(honest) / np.sqrt(len(honest))
    assert np.mean(covered) > 0.9


def test_clusters_stay_on_one_side() -> None:
    clusters = [f"c{k % 40}" for k in range(200)]
    out = held_out(200, clusters, 0.5, seed=3)
    sides = {
        label: {bool(side) for name, side in zip(clusters, out, strict=True) if name == label}
        for label in clusters
    }
    assert all(len(side) == 1 for side in sides.values())
    assert sum(side == {True} for side in sides.values()) == 20
    random = np.random.default_rng(2)
    given = {name: scores(random.random(200) < 0.6) for name in ("base", "a", "b")}
    found = confirmed(given, clusters, seed=3)
    assert found is not None
    expected = paired_difference(
        given[found.candidate].mean[out],
        given["base"].mean[out],
        [c for c, o in zip(clusters, out, strict=True) if o],
    )
    assert found.ci == expected.interval


def test_equals_are_picked_by_cost() -> None:
    right = scores([1, 0] * 100)
    given = {"base": right, "dear": right, "cheap": right, "unknown": right}
    found = confirmed(given, costs={"dear": 2.0, "cheap": 1.0})
    assert found is not None
    assert found.candidate == "cheap"


def test_a_candidate_without_answers_is_not_picked_before_one_with() -> None:
    given = {"base": scores([1, 0] * 60), "dead": scores([np.nan] * 120), "alive": scores([0, 1] * 60)}
    found = confirmed(given)
    assert found is not None
    assert found.candidate == "alive"


def test_nothing_to_pick() -> None:
    one = {"base": scores([1, 0] * 60), "a": scores([1, 0] * 60)}
    assert confirmed(one) is None
    assert confirmed({**one, "b": scores([0, 1] * 60)}, share=0) is None


def test_so_few_items_that_none_is_held_out_leave_it_unknown() -> None:
    found = confirmed({name: scores([1]) for name in ("base", "a", "b")}, share=0.4)
    assert found is not None
    assert (found.n, found.difference, found.ci) == (0, None, None)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_share_is_of_the_items(share: float) -> None:
    assert held_out(200, None, share, seed=5).sum() == round(200 * share)
    assert not (held_out(200, None, share, seed=5) == held_out(200, None, share, seed=6)).all()


def test_held_out_answers_never_move_the_pick() -> None:
    """Not by the verdict over all items either: A is ahead where it is picked, B far ahead elsewhere."""
    out = held_out(400, None, 0.5, seed=1)
    base = (np.random.default_rng(0).random(400) < 0.5).astype(float)
    ahead, elsewhere = base.copy(), base.copy()
    ahead[np.flatnonzero((base == 0) & ~out)[:3]] = 1
    elsewhere[np.flatnonzero((base == 0) & out)[:40]] = 1
    given = {"base": scores(base), "a": scores(ahead), "b": scores(elsewhere)}
    comparisons = compare("base", given, None, margin=0.03, confidence=0.95)
    assert [c.verdict for c in comparisons] == ["not worse", "better"]
    found = confirmed(given)
    assert found is not None
    assert (found.candidate, found.difference) == ("a", 0.0)
    assert found.score == found.baseline_score == pytest.approx(base[out].mean())


@pytest.mark.slow
@pytest.mark.parametrize(("n", "candidates", "ahead"), [(800, 8, 0.03), (400, 20, 0.02)])
def test_the_interval_on_held_out_items_lies_above_the_truth_as_seldom_as_it_says(
    n: int, candidates: int, ahead: float
) -> None:
    """2.5% of 300: 7.5, and at most 16 by 3 standard deviations; of the difference no bias is seen."""
    random = np.random.default_rng(5)
    above, off = 0, []
    for seed in range(300):
        chance = np.clip(random.normal(0.6, 0.25, n), 0.02, 0.98)
        better = np.clip(chance + ahead, 0, 1)
        given = {"base": scores(random.random(n) < chance)}
        given |= {f"c{k}": scores(random.random(n) < better) for k in range(candidates)}
        found = confirmed(given, seed=seed)
        assert found is not None
        assert found.ci is not None
        assert found.difference is not None
        truth = float((better - chance).mean())
        above += found.ci.low > truth
        off.append(found.difference - truth)
    assert above <= 16
    assert abs(np.mean(off)) < 3 * np.std(off) / np.sqrt(len(off))
