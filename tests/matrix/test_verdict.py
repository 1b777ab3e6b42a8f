"""The sentence and the decision, from comparisons and a confirmation made by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from llmbench.matrix.compare import Comparison
from llmbench.matrix.confirmation import Confirmation
from llmbench.matrix.verdict import decide, decisive
from llmbench.results import Decision
from llmbench.stats import Interval

COMPARISON = Comparison(
    baseline="base", candidate="a", difference=0.005, ci=Interval(-0.02, 0.03), p_value=0.7, p_adjusted=0.7,
    p_not_worse_adjusted=0.01, n=400, mde=0.05, margin=0.03, verdict="not worse", reason="by test",
)  # fmt: skip
CONFIRMATION = Confirmation("a", 2, 200, 200, 0.82, 0.83, -0.01, Interval(-0.02, 0.01), 0.5)


def cell(name: str, score: float) -> Any:
    return SimpleNamespace(
        cell=name, score=score, cost_per_1k_calls=None, cost_usd=0.0, missing=0, ungraded=0, n=400, priced=400
    )


CELLS = {"base": cell("base", 0.815), "a": cell("a", 0.82), "b": cell("b", 0.84)}


def test_scores_and_difference_are_of_the_same_items() -> None:
    other = replace(COMPARISON, candidate="b", verdict="cannot tell")
    verdict = decide([COMPARISON, other], CELLS, CONFIRMATION)
    assert verdict.decision is Decision.GO
    assert verdict.summary == (
        "a is not worse than base over all 400 items. On the 200 that had no part in picking it: 82.0% "
        "against 83.0%, difference −1.0 points (interval −2.0 to +1.0, margin 3 points)."
    )
    assert decide([COMPARISON], CELLS).summary == (
        "a is not worse than base: 82.0% against 81.5% on 400 items, difference +0.5 points (interval "
        "−2.0 to +3.0, margin 3 points)."
    )


@pytest.mark.parametrize("kind", ["better", "not worse"])
def test_what_held_out_items_do_not_show_is_a_condition(kind: Any) -> None:
    chosen = replace(COMPARISON, verdict=kind)
    verdict = decide(
        [chosen, replace(COMPARISON, candidate="b", verdict="worse")],
        CELLS,
        CONFIRMATION._replace(ci=Interval(-0.039, 0.014)),
    )
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert verdict.summary.startswith("a is not worse than base")
    assert any(reason.startswith("The condition: the held-out items alone") for reason in verdict.reasons)


def test_better_is_said_where_held_out_items_say_it_too() -> None:
    chosen = [replace(COMPARISON, verdict="better"), replace(COMPARISON, candidate="b", verdict="worse")]
    seen = decide(chosen, CELLS, CONFIRMATION._replace(ci=Interval(0.001, 0.05)))
    assert (seen.decision, seen.summary[:21]) == (Decision.GO, "a is better than base")
    unseen = decide(chosen, CELLS, CONFIRMATION)
    assert (unseen.decision, unseen.summary[:24]) == (Decision.GO, "a is not worse than base")


def test_of_good_candidates_the_picked_one_is_decisive() -> None:
    other = replace(COMPARISON, candidate="b", verdict="better")
    assert decisive([COMPARISON, other], CELLS, CONFIRMATION) is COMPARISON
    assert decisive([COMPARISON, other], CELLS) is other


def test_a_good_candidate_that_was_not_picked_is_not_confirmed() -> None:
    picked = replace(COMPARISON, verdict="cannot tell")
    other = replace(COMPARISON, candidate="b", verdict="not worse")
    verdict = decide([picked, other], CELLS, CONFIRMATION)
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert verdict.summary.startswith("b is not worse than base: 84.0% against 81.5% on 400 items")
    assert any("200 items picked a, whose verdict over all items is another" in r for r in verdict.reasons)
    assert any("run it alone against the baseline on new items" in r for r in verdict.reasons)


def test_a_picked_candidate_that_is_worse_leaves_the_undecided_one() -> None:
    picked = replace(COMPARISON, verdict="worse")
    other = replace(COMPARISON, candidate="b", verdict="cannot tell", items_needed=700)
    verdict = decide([picked, other], CELLS, CONFIRMATION)
    assert verdict.decision is Decision.HOLD
    assert "whether b is as good as base" in verdict.summary
    assert "About 700 more items" in verdict.summary


def test_one_missing_answer_is_told_as_one() -> None:
    cells = CELLS | {"a": cell("a", 0.82), "b": cell("b", 0.84)}
    cells["a"].missing, cells["b"].ungraded = 1, 2
    reasons = decide([COMPARISON], cells).reasons
    assert "a: 1 answer is missing; it is left out, never counted as wrong." in reasons
    assert "b: 2 answers have no score; they are left out, never counted as wrong." in reasons
