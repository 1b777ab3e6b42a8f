from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest

from llmbench.matrix.reliability import cell_reliability


def table(scores: dict[str, list[list[float]]]) -> pd.DataFrame:
    """Scores of cells by item and repeat."""
    rows = [
        {"cell": cell, "item_id": f"i{item}", "repeat": repeat, "score": score}
        for cell, items in scores.items()
        for item, repeats in enumerate(items)
        for repeat, score in enumerate(repeats)
    ]
    return pd.DataFrame(rows)


def test_shares_are_those_counted_by_hand() -> None:
    items = [[1, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]]
    (found,) = cell_reliability(table({"m": items}), ["m"])
    assert (found.repeats, found.items) == (3, 4)
    assert found.pass_at_k == pytest.approx(sum(any(item) for item in items) / 4)
    assert found.pass_hat_k == pytest.approx(sum(all(item) for item in items) / 4)


def test_an_item_with_fewer_answers_counts_where_it_can() -> None:
    items = [[1, 0], [1, math.nan], [1, 1]]
    (found,) = cell_reliability(table({"m": items}), ["m"])
    assert found.items == 3
    assert found.pass_hat_k == pytest.approx(0.5)  # of the two items with both answers


def test_more_answers_an_item_buy_what_the_variance_within_says() -> None:
    items = [list(each) for each in itertools.product([0.0, 1.0], repeat=2)] * 5
    (found,) = cell_reliability(table({"m": items}), ["m"])
    assert found.between is not None
    assert found.within == pytest.approx(0.25)  # half of the items vary, by 1/2 each time
    assert found.se_one == pytest.approx(math.sqrt((found.between + 0.25) / 20))
    assert found.se_now == pytest.approx(math.sqrt((found.between + 0.125) / 20))
    assert found.se_many == pytest.approx(math.sqrt(found.between / 20))


def test_one_answer_an_item_says_nothing() -> None:
    assert cell_reliability(table({"m": [[1.0], [0.0]]}), ["m"]) == ()
    assert cell_reliability(table({"m": [[math.nan, math.nan]]}), ["m"]) == ()
