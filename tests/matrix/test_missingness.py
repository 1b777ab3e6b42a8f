from __future__ import annotations

import math

import pandas as pd
import pytest

from llmbench.matrix.missingness import missing_by_reason, uneven_missing
from llmbench.stats import mcnemar


def answers(missing: dict[str, set[int]], items: int = 60) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"cell": f"{model}[p]", "model": model, "item_id": f"i{item}", "missing": item in gone,
             "score": math.nan if item in gone else 1.0, "note": None,
             "error": f"timeout after {item} s: gone" if item in gone else None}
            for model, gone in missing.items()
            for item in range(items)
        ]
    )  # fmt: skip


def test_a_model_that_lacks_other_items_is_told() -> None:
    table = answers({"base": {0}, "even": {1, 2}, "uneven": set(range(3, 18))})
    (found,) = uneven_missing(table, "base[p]", ["base[p]", "even[p]", "uneven[p]"])
    assert (found.candidate, found.missing, found.missing_baseline) == ("uneven[p]", 15, 1)
    plain = mcnemar([1] * 15 + [0], [0] * 15 + [1]).p_value
    assert found.p_adjusted == pytest.approx(2 * plain)


def test_the_same_items_missing_everywhere_are_even() -> None:
    table = answers({"base": set(range(20)), "a": set(range(20))})
    assert uneven_missing(table, "base[p]", ["base[p]", "a[p]"]) == ()


def test_an_item_is_missing_where_any_repeat_is() -> None:
    once = answers({"base": set(), "a": set(range(12))})
    twice = pd.concat([once, answers({"base": set(), "a": set()})])
    (found,) = uneven_missing(twice, "base[p]", ["base[p]", "a[p]"])
    assert found.missing == 12


def test_reasons_are_counted_without_their_numbers() -> None:
    table = answers({"base": {1}, "a": {1, 2, 3}})
    assert missing_by_reason(table) == [
        {"model": "a", "error": "timeout after # s", "answers": 3},
        {"model": "base", "error": "timeout after # s", "answers": 1},
    ]


def test_an_answer_that_was_not_judged_counts_as_lacking() -> None:
    table = answers({"base": set(), "a": set()})
    failed = (table["model"] == "a") & table["item_id"].isin([f"i{k}" for k in range(20)])
    note = "not judged: HTTP 500: down"
    table = table.assign(score=table["score"].mask(failed), note=[note if gone else None for gone in failed])
    assert missing_by_reason(table) == [{"model": "a", "error": "not judged: HTTP #", "answers": 20}]
    (found,) = uneven_missing(table, "base[p]", ["base[p]", "a[p]"])
    assert (found.candidate, found.missing, found.missing_baseline) == ("a[p]", 20, 0)


def test_an_answer_of_another_tool_without_a_score_has_no_score() -> None:
    table = answers({"base": set()}, items=2).assign(score=[1.0, math.nan], note=["fine", "9 of the remarks"])
    assert missing_by_reason(table) == [{"model": "base", "error": "no score", "answers": 1}]
