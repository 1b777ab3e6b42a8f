from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import (
    equality_test,
    margin_test,
    rate_difference_interval,
    rate_ratio_interval,
    stratified_difference_interval,
    stratified_equality_test,
    stratified_margin_test,
    stratified_ratio_interval,
)

METHODS = ("miettinen-nurminen", "scas")

# Nine trials of compression stockings (Roderick et al. 2005), and REPROVE by region (Torres et al. 2018),
# as analysed in the documentation of the R package ratesci.
STOCKINGS = (
    [15, 0, 11, 4, 7, 8, 5, 0, 7],
    [97, 8, 50, 110, 65, 25, 126, 104, 80],
    [37, 5, 23, 16, 7, 8, 17, 4, 16],
    [103, 10, 48, 110, 32, 25, 126, 92, 81],
)
REPROVE = ([21, 76, 73, 75], [29, 96, 124, 107], [19, 73, 91, 87], [27, 95, 130, 118])

stratum = st.integers(1, 60).flatmap(
    lambda n1: st.integers(1, 60).flatmap(
        lambda n2: st.tuples(st.integers(0, n1), st.just(n1), st.integers(0, n2), st.just(n2))
    )
)
tables = st.lists(stratum, min_size=1, max_size=6)


def test_published_skewness_corrected() -> None:
    found = stratified_difference_interval(*STOCKINGS, method="scas")
    assert found == pytest.approx((-0.163, -0.0866), abs=6e-4)
    test = stratified_equality_test(*STOCKINGS, method="scas")
    assert test.statistic == pytest.approx(-6.50, abs=6e-3)
    assert test.p_value == pytest.approx(8.25e-11, rel=1e-3)
    margin = stratified_margin_test(*REPROVE, -0.125, "difference", method="scas")
    assert margin == pytest.approx((2.45, 0.00711), abs=6e-3)
    assert margin.p_value == pytest.approx(0.00711, abs=6e-6)
    # R's mantelhaen.test without continuity correction.
    assert stratified_equality_test(*REPROVE).p_value == pytest.approx(0.206, abs=6e-4)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_equality_is_cochran_mantel_haenszel(rows: list[tuple[int, int, int, int]]) -> None:
    observed = expected = variance = 0.0
    for x1, n1, x2, n2 in rows:
        total, successes = n1 + n2, x1 + x2
        observed += x1
        expected += n1 * successes / total
        variance += n1 * n2 * successes * (total - successes) / (total**2 * (total - 1))
    found = stratified_equality_test(*zip(*rows, strict=True))  # type: ignore[arg-type]
    if variance > 0:
        assert found.statistic == pytest.approx((observed - expected) / math.sqrt(variance), abs=1e-9)
    else:
        assert found.p_value == 1
    ratio = stratified_margin_test(*zip(*rows, strict=True), 1.0)  # type: ignore[arg-type]
    assert ratio.statistic == pytest.approx(found.statistic, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(stratum, st.sampled_from(METHODS), st.sampled_from([0.8, 0.95, 0.999]))
def test_one_stratum_is_the_plain_comparison(
    row: tuple[int, int, int, int], method: Any, confidence: float
) -> None:
    alone = [[value] for value in row]
    difference = stratified_difference_interval(*alone, confidence, method=method)
    assert difference == pytest.approx(rate_difference_interval(*row, confidence, method), abs=1e-9)
    ratio = stratified_ratio_interval(*alone, confidence, method=method)
    assert ratio == pytest.approx(rate_ratio_interval(*row, confidence, method), rel=1e-8)
    for margin, scale in ((0.8, "ratio"), (-0.1, "difference")):
        found = stratified_margin_test(*alone, margin, scale, method=method)  # type: ignore[arg-type]
        assert found == pytest.approx(margin_test(*row, margin, scale, method=method), abs=1e-9)  # type: ignore[arg-type]
    if method == "miettinen-nurminen":
        assert stratified_equality_test(*alone) == pytest.approx(equality_test(*row), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(tables, st.sampled_from(METHODS))
def test_intervals_are_what_the_tests_do_not_reject(
    rows: list[tuple[int, int, int, int]], method: Any
) -> None:
    columns: Any = list(zip(*rows, strict=True))
    critical = NormalDist().inv_cdf(0.975)
    low, high = stratified_difference_interval(*columns, method=method)
    assert -1 <= low <= high <= 1
    for null in np.linspace(-0.95, 0.95, 20).tolist():
        statistic = stratified_margin_test(*columns, null, "difference", method=method).statistic
        if abs(abs(statistic) - critical) > 1e-6 and method == "miettinen-nurminen":
            assert (low <= null <= high) == (abs(statistic) <= critical)
    low, high = stratified_ratio_interval(*columns, method=method)
    assert 0 <= low <= high
    for null in np.exp(np.linspace(-4, 4, 20)).tolist():
        statistic = stratified_margin_test(*columns, null, method=method).statistic
        if abs(abs(statistic) - critical) > 1e-6 and method == "miettinen-nurminen":
            assert (low <= null <= high) == (abs(statistic) <= critical)


@settings(max_examples=30, deadline=None)
@given(tables, st.sampled_from(METHODS))
def test_exchanging_the_arms_mirrors(rows: list[tuple[int, int, int, int]], method: Any) -> None:
    x1, n1, x2, n2 = (list(column) for column in zip(*rows, strict=True))
    low, high = stratified_difference_interval(x1, n1, x2, n2, method=method)
    mirrored = stratified_difference_interval(x2, n2, x1, n1, method=method)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


def test_strata_undo_simpsons_paradox() -> None:
    """Equal rates in both epochs, a split that changed with the rate: totals see a difference."""
    x1, n1, x2, n2 = [50, 810], [5000, 27_000], [50, 90], [5000, 3000]
    pooled = rate_difference_interval(sum(x1), sum(n1), sum(x2), sum(n2))
    assert pooled.low > 0
    low, high = stratified_difference_interval(x1, n1, x2, n2)
    assert low < 0 < high
    assert low == pytest.approx(-high, rel=0.2)
    assert stratified_equality_test(x1, n1, x2, n2).p_value == pytest.approx(1.0)


def test_a_stratum_with_one_arm_only_says_nothing() -> None:
    extended = [[*column, value] for column, value in zip(REPROVE, (4, 9, 0, 0), strict=True)]
    assert stratified_difference_interval(*extended) == stratified_difference_interval(*REPROVE)
    alone = [4], [9], [0], [0]
    assert stratified_difference_interval(*alone) == (-1, 1)
    assert stratified_ratio_interval(*alone) == (0, math.inf)
    assert all(math.isnan(value) for value in stratified_margin_test(*alone, 0.9))
    assert all(math.isnan(value) for value in stratified_equality_test(*alone))


@pytest.mark.parametrize("method", METHODS)
def test_edges(method: Any) -> None:
    nothing = [0, 0], [10, 20], [0, 0], [30, 5]
    low, high = stratified_difference_interval(*nothing, method=method)
    assert -1 < low < 0 < high < 1
    assert stratified_ratio_interval(*nothing, method=method) == (0, math.inf)
    everything = [10, 20], [10, 20], [0, 0], [30, 5]
    assert stratified_difference_interval(*everything, method=method).high == 1
    assert stratified_ratio_interval(*everything, method=method).high == math.inf
    huge = [10**6] * 2, [10**8] * 2, [10**5] * 2, [10**7] * 2
    low, high = stratified_ratio_interval(*huge, method=method)
    assert 0.99 < low < 1 < high < 1.01


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (([1, 2], [3, 3], [1], [3, 3]), "x1, n1, x2 and n2"),
        (([4, 2], [3, 3], [1, 1], [3, 3]), r"x1\[0\]"),
        (([1, 2], [3, 3], [1, 1.5], [3, 3]), r"x2\[1\]"),
        (([1, 2], [3, 3], [1, None], [3, 3]), r"x2\[1\]"),
        ((1, [3], [1], [3]), "x1"),
        (([1], [3], [1], [3], 95), "confidence"),
        (([1], [3], [1], [3], 0.95, "equal"), "weights"),
        (([1], [3], [1], [3], 0.95, "mantel-haenszel", "wald"), "method"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    for interval in (stratified_difference_interval, stratified_ratio_interval):
        with pytest.raises(UsageError, match=f"^{parameter}"):
            interval(*arguments)
