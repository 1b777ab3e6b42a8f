from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from llmbench.matrix.strengths import pairwise_strengths
from llmbench.stats import bradley_terry, mean_interval


def table(scores: dict[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"cell": cell, "item_id": f"i{k}", "score": score}
            for cell, values in scores.items()
            for k, score in enumerate(values)
        ]
    )


def cells(scores: dict[str, list[float]]) -> Any:
    return [
        SimpleNamespace(cell=cell, score_ci=mean_interval([v for v in values if v == v]))
        for cell, values in scores.items()
    ]


def test_are_bradley_terry_among_all_that_met_the_opponent() -> None:
    scores = {
        "base": [0.5] * 30,
        "a": [1, 1, 1, 0.5, 0, 1, 0.5, 1, 1, 0] * 3,
        "b": [0, 0, 1, 0.5, 0, 0, 0.5, 1, 0, 0] * 3,
    }
    found = pairwise_strengths(table(scores), cells(scores), "base")
    assert [each.cell for each in found] == ["a", "b"]
    assert (found[0].wins, found[0].ties, found[0].losses) == (18, 6, 6)
    together = bradley_terry([[0, 3, 7], [7, 0, 0], [3, 0, 0]])
    assert found[0].log_strength == pytest.approx(together[1] - together[0])
    assert found[1].log_strength == pytest.approx(together[2] - together[0])
    low, high = mean_interval(scores["a"])
    assert found[0].ci is not None
    assert found[0].ci == pytest.approx((math.log(low / (1 - low)), math.log(high / (1 - high))))


def test_a_column_of_past_answers_is_an_opponent_too() -> None:
    scores = {"a": [1.0, 0.0, 1.0], "b": [0.0, 0.0, 1.0]}
    assert [each.cell for each in pairwise_strengths(table(scores), cells(scores), "old")] == ["a", "b"]


def test_who_won_everything_has_no_finite_strength() -> None:
    scores = {
        "base": [0.5] * 3,
        "all": [1.0] * 3,
        "none": [0.0] * 3,
        "missing": [math.nan] * 3,
        "some": [1.0, 0.0, 0.0],
    }
    found = pairwise_strengths(table(scores), cells(scores), "base")
    assert [each.cell for each in found] == ["all", "some", "none", "missing"]
    assert [each.log_strength is None for each in found] == [True, False, True, True]
    assert found[0].ci is None


def test_two_competitors_need_no_ratings() -> None:
    scores = {"base": [0.5] * 3, "a": [1.0, 0.0, 1.0]}
    assert pairwise_strengths(table(scores), cells(scores), "base") == ()
