"""What is odd in the data of a result reads as nothing, and raises nothing."""

from __future__ import annotations

from typing import Any

import pytest

from llmbench.result_data import as_count, ends_of, part_of, row_of, rows_of

ODD: list[Any] = [None, 0, 1.5, True, "text", [], [None], {}, [[1, 2]]]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_part_is_an_empty_one(odd: Any) -> None:
    assert rows_of({"arms": odd}, "arms") == []
    assert row_of({"arms": odd}, "arms", "arm", "new") == {}
    assert part_of({"costs": odd}, "costs") == {}
    assert ends_of(odd) == (None, None)


def test_a_row_without_the_field_is_not_that_of_nobody() -> None:
    assert row_of({"arms": [{"units": 9}]}, "arms", "arm", None) == {}


@pytest.mark.parametrize("end", ["0.1", float("nan"), float("inf"), True, None, 10**400])
def test_an_end_that_is_no_number_is_unknown(end: Any) -> None:
    assert ends_of([end, 0.2]) == (None, 0.2)


@pytest.mark.parametrize("count", ["3", 3.5, float("nan"), True, None, [3]])
def test_what_is_no_whole_number_is_no_count(count: Any) -> None:
    assert as_count(count) is None
