from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmbench.errors import UsageError
from llmbench.stats.checks import (
    check_choice,
    check_confidence,
    check_count,
    check_number,
    check_open_unit,
    check_same_items,
    check_value_range,
    cluster_codes,
    finite_array,
    number_array,
    paired_arrays,
)


@pytest.mark.parametrize("value", [3, 3.0, np.int32(3), np.float64(3)])
def test_count_accepts_whole_numbers_of_any_type(value: Any) -> None:
    assert check_count("n", value) == 3


@pytest.mark.parametrize("value", [True, np.True_, "3", None, math.nan, math.inf, 10**400, 3.5, -1, [3]])
def test_count_refuses_what_is_not_a_count(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^n must be"):
        check_count("n", value)


def test_confidence_in_percent_is_told_how_to_write_it() -> None:
    with pytest.raises(UsageError, match=r"write 0\.95, not 95"):
        check_confidence(95)


@pytest.mark.parametrize("value", [0, 1, -0.5, 100, math.nan, "0.95", None, True])
def test_confidence_must_be_a_share(value: Any) -> None:
    with pytest.raises(UsageError, match="confidence"):
        check_confidence(value)


def test_whole_numbers_that_no_float_holds_are_refused() -> None:
    with pytest.raises(UsageError, match="values must be a list or array of numbers"):
        finite_array("values", [1, 10**400])


def test_number_and_open_unit_name_the_parameter() -> None:
    with pytest.raises(UsageError, match="margin must be a finite number"):
        check_number("margin", math.inf)
    with pytest.raises(UsageError, match="q must lie strictly between 0 and 1"):
        check_open_unit("q", 1)


def test_choice_lists_what_is_allowed() -> None:
    with pytest.raises(UsageError, match="method must be one of 'a', 'b', not 'c'"):
        check_choice("method", "c", ("a", "b"))


@pytest.mark.parametrize("value", [(1, 0), (0, 0), (0, math.inf), (0,), "01", 1])
def test_value_range_must_be_an_ascending_pair(value: Any) -> None:
    with pytest.raises(UsageError, match="value_range"):
        check_value_range(value)


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 2],
        [1, math.nan, 2],
        [1, pd.NA, 2],
        [Decimal(1), None, Decimal(2)],
        pd.Series([1, None, 2]),
        pd.Series([1, None, 2], dtype="Int64"),
        pd.array([1, None, 2], dtype="Float64"),
        np.ma.masked_array([1, 7, 2], [False, True, False]),
    ],
)
def test_missing_values_of_every_kind_become_nan(values: Any) -> None:
    np.testing.assert_array_equal(number_array("a", values), [1, math.nan, 2])
    with pytest.raises(UsageError, match=r"^a\[1\] is missing"):
        finite_array("a", values)


@pytest.mark.parametrize(
    "values",
    [
        "12", ["1"], [1, "1"], [1, "1", None], np.array(["1.5"]), pd.Series(["1"]), 5, None, {1, 2}, {1: 2},
        iter([1, 2]), [1, [2]], [1 + 2j], [datetime(2025, 1, 23, tzinfo=UTC)], [object()],
        np.array(["2025-01-23"], dtype="datetime64[D]"),
    ],
)  # fmt: skip
def test_what_is_not_numbers_is_refused(values: Any) -> None:
    with pytest.raises(UsageError, match=r"^a must be a list or array of numbers"):
        number_array("a", values)


def test_infinity_and_shape_are_named() -> None:
    with pytest.raises(UsageError, match=r"^a\[2\] is infinite"):
        number_array("a", [0, 1, math.inf])
    with pytest.raises(UsageError, match=r"^a\[1\]\[0\] is missing"):
        finite_array("a", [[0, 1], [None, 1]], dimensions=(1, 2))
    with pytest.raises(UsageError, match=r"a must have 1 dimension\(s\), not 2"):
        number_array("a", [[1]])


def test_lengths_must_agree() -> None:
    with pytest.raises(UsageError, match="a has 2 values and b has 3"):
        paired_arrays("a", [1, 2], "b", [1, 2, 3])


def test_pandas_columns_of_different_items_are_refused() -> None:
    column = pd.Series([1, 0, 1], index=["x", "y", "z"])
    with pytest.raises(UsageError, match="labels of a and b differ"):
        paired_arrays("a", column, "b", column[::-1])
    with pytest.raises(UsageError, match="labels of a and b differ"):
        paired_arrays("a", column, "b", column.rename({"x": "w"}))


def test_pandas_columns_with_equal_or_unrelated_labels_are_taken_by_position() -> None:
    column = pd.Series([1, 0, 1], index=["x", "y", "z"])
    check_same_items("a", column, "b", column.copy())
    check_same_items("a", column, "b", column.reset_index(drop=True))
    check_same_items("a", column, "b", [1, 0, 1])


def test_cluster_codes_number_labels_in_order_of_appearance() -> None:
    codes = cluster_codes(["b", "a", "b", ("c", 1)], "a", [0] * 4, 4)
    assert codes is not None
    assert codes.tolist() == [0, 1, 0, 2]
    assert cluster_codes(None, "a", [0] * 4, 4) is None


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        (["x", None], r"clusters\[1\] is missing"),
        (["x", math.nan], r"clusters\[1\] is missing"),
        ([pd.NA, "x"], r"clusters\[0\] is missing"),
        ([["x"], ["y"]], r"clusters\[0\] must be a label"),
        (["x"], "clusters has 1 labels for the 2 values of a"),
        ("xy", "clusters must be None or a list"),
        (3, "clusters must be None or a list"),
    ],
)
def test_bad_clusters_are_refused(clusters: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cluster_codes(clusters, "a", [0, 0], 2)


def test_clusters_of_other_items_are_refused() -> None:
    column = pd.Series([1, 0], index=["x", "y"])
    with pytest.raises(UsageError, match="labels of a and clusters differ"):
        cluster_codes(pd.Series(["p", "q"], index=["y", "x"]), "a", column, 2)
