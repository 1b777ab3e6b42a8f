from __future__ import annotations

import csv
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import (
    mcnemar,
    mean_and_standard_error,
    paired_difference,
    paired_margin_test,
    tango_interval,
    tango_statistic,
)

NAN = math.nan

answers = st.sampled_from([0.0, 1.0])
scores = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
binary_pairs = st.lists(st.tuples(answers, answers), min_size=2, max_size=80)
scored_rows = st.lists(st.tuples(scores, scores, st.integers(0, 6)), min_size=2, max_size=40)


def _table(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[int], list[int]]:
    first = [1] * (both + only_first) + [0] * (only_second + neither)
    second = [1] * both + [0] * only_first + [1] * only_second + [0] * neither
    return first, second


def test_published_paired_table() -> None:
    # Cavo (2012): Fagerland, Lydersen and Laake (2017), chapter 8 (score interval, McNemar's p).
    difference, interval, p_value = paired_difference(*_table(59, 6, 16, 80))
    assert difference == pytest.approx(-0.0621, abs=6e-5)
    assert interval == pytest.approx((-0.1240, -0.0054), abs=6e-5)
    assert p_value == pytest.approx(0.033006, abs=6e-7)


def test_published_exact_mcnemar(validation: Path) -> None:
    with (validation / "clustered" / "contingency_table_r_results.csv").open(encoding="utf-8") as file:
        published = float(next(csv.DictReader(file))["homog_binom_p"])
    result = mcnemar(*_table(23, 15, 19, 31))
    assert result.statistic == 15
    assert result.p_value == pytest.approx(published, abs=1e-12)


def test_mcnemar_published_in_a_book() -> None:
    # Same table of Cavo (2012): exact conditional p.
    assert mcnemar(*_table(59, 6, 16, 80)).p_value == pytest.approx(0.052479, abs=6e-7)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (0, 7), (5, 5), (6, 16), (40, 23)])
def test_mcnemar_is_the_binomial_test_of_the_discordant_items(b: int, c: int) -> None:
    expected = scipy.stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar(*_table(9, b, c, 4)).p_value == pytest.approx(expected)


def test_mcnemar_leaves_out_missing_and_refuses_scores() -> None:
    assert mcnemar([1, NAN, 1, 0], [0, 1, 1, None]) == (1, 1)
    assert all(math.isnan(value) for value in mcnemar([], []))
    with pytest.raises(UsageError, match="only 0 and 1"):
        mcnemar([0.5, 1], [0, 1])


@settings(max_examples=60, deadline=None)
@given(binary_pairs, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_binary_is_tango_and_p_agrees_with_the_interval(
    pairs: list[tuple[float, float]], confidence: float
) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    only_first, only_second = pairs.count((1, 0)), pairs.count((0, 1))
    difference, interval, p_value = paired_difference(a, b, confidence=confidence)
    assert difference == pytest.approx((only_first - only_second) / len(pairs))
    assert interval == tango_interval(only_first, only_second, len(pairs), confidence)
    assert p_value == pytest.approx(
        2 * scipy.stats.norm.sf(abs(tango_statistic(only_first, only_second, len(pairs))))
    )
    assert (interval.low > 0 or interval.high < 0) == (p_value < 1 - confidence)


@settings(max_examples=60, deadline=None)
@given(scored_rows, st.booleans(), st.sampled_from([0.8, 0.95]))
def test_p_agrees_with_the_interval_whatever_the_method(
    rows: list[tuple[float, float, int]], clustered: bool, confidence: float
) -> None:
    a, b, labels = (list(column) for column in zip(*rows, strict=True))
    clusters = labels if clustered else None
    result = paired_difference(a, b, clusters, confidence)
    if math.isnan(result.p_value):
        assert all(math.isnan(limit) for limit in result.interval)
        assert clustered
        assert len(set(labels)) < 2
        return
    assert result.interval.low <= result.difference + 1e-12
    assert result.interval.high >= result.difference - 1e-12
    assert (result.interval.low > 0 or result.interval.high < 0) == (result.p_value < 1 - confidence)
    mirrored = paired_difference(b, a, clusters, confidence)
    assert mirrored.difference == pytest.approx(-result.difference, abs=1e-12)
    assert mirrored.interval == pytest.approx((-result.interval.high, -result.interval.low), abs=1e-9)
    assert mirrored.p_value == pytest.approx(result.p_value, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(scored_rows, st.booleans(), st.sampled_from([-0.3, -0.03, 0.0, 0.1]))
def test_margin_test_agrees_with_the_interval(
    rows: list[tuple[float, float, int]], clustered: bool, margin: float
) -> None:
    a, b, labels = (list(column) for column in zip(*rows, strict=True))
    clusters = labels if clustered else None
    interval = paired_difference(a, b, clusters, 0.95).interval
    if math.isnan(interval.low):
        assert math.isnan(paired_margin_test(a, b, margin, clusters).p_value)
        return
    above = paired_margin_test(a, b, margin, clusters, "greater")
    below = paired_margin_test(a, b, margin, clusters, "less")
    assert above.statistic == below.statistic
    # At the limit itself both sides are within rounding of each other.
    if min(abs(limit - margin) for limit in interval) > 1e-9:
        assert (interval.low > margin) == (above.p_value < 0.025)
        assert (interval.high < margin) == (below.p_value < 0.025)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=30))
def test_numbers_are_compared_by_the_paired_t_test(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    if np.ptp(a - b) < 1e-3:
        return
    expected = scipy.stats.ttest_rel(a, b)
    difference, interval, p_value = paired_difference(a, b)
    assert difference == pytest.approx((a - b).mean())
    if set(np.unique([a, b])) <= {0.0, 1.0}:
        return
    limits = expected.confidence_interval(0.95)
    assert interval == pytest.approx((limits.low, limits.high), rel=1e-6, abs=1e-9)
    assert p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_clustered_is_t_on_the_clustered_standard_error_for_binary_answers_too() -> None:
    random = np.random.default_rng(20250123)
    a, b = random.integers(0, 2, 60), random.integers(0, 2, 60)
    clusters = [i % 12 for i in range(60)]
    mean, standard_error = mean_and_standard_error(a - b, clusters)
    difference, interval, p_value = paired_difference(a, b, clusters)
    half_width = scipy.stats.t.ppf(0.975, 11) * standard_error
    assert difference == mean
    assert interval == pytest.approx((mean - half_width, mean + half_width))
    assert p_value == pytest.approx(2 * scipy.stats.t.sf(abs(mean / standard_error), 11))


def test_clusters_of_one_item_each_are_none() -> None:
    a, b = _table(10, 5, 3, 10)
    assert paired_difference(a, b, range(28)) == paired_difference(a, b)
    # The only repeated label belongs to a missing item.
    holed = [NAN, *a[1:]]
    clusters = ["x", "x", *range(26)]
    assert paired_difference(holed, b, clusters) == paired_difference(a[1:], b[1:])


def test_missing_on_either_side_leaves_the_item_out() -> None:
    a = [1, 0, NAN, 1, None, 0, 1]
    b = [0, 0, 1, NAN, None, 1, 1]
    assert paired_difference(a, b) == paired_difference([1, 0, 0, 1], [0, 0, 1, 1])
    a, b, clusters = [1, 0.5, NAN, 1, 0], [0, 0, 1, 0.5, 1], ["x", "y", "z", "x", "y"]
    assert paired_difference(a, b, clusters) == paired_difference(
        [1, 0.5, 1, 0], [0, 0, 0.5, 1], ["x", "y", "x", "y"]
    )


@pytest.mark.parametrize(
    ("a", "b", "difference"), [([], [], NAN), ([1], [0], 1.0), ([1, NAN], [0.5, 1], 0.5)]
)
def test_fewer_than_two_items_tell_nothing(a: list[float], b: list[float], difference: float) -> None:
    result = paired_difference(a, b)
    assert result.difference == pytest.approx(difference, nan_ok=True)
    assert all(math.isnan(limit) for limit in result.interval)
    assert math.isnan(result.p_value)
    assert all(math.isnan(value) for value in paired_margin_test(a, b, -0.03))


def test_one_cluster_tells_nothing() -> None:
    result = paired_difference([1, 0, 1], [0, 0, 1], ["x", "x", "x"])
    assert result.difference == pytest.approx(1 / 3)
    assert math.isnan(result.p_value)


@pytest.mark.parametrize("n", [2, 10, 300])
@pytest.mark.parametrize("clustered", [False, True])
def test_equal_scores_leave_room_on_both_sides(n: int, clustered: bool) -> None:
    half = [0.5] * (2 * n)
    clusters = [i // 2 for i in range(2 * n)] if clustered else None
    difference, (low, high), p_value = paired_difference(half, half, clusters)
    draws = n if clustered else 2 * n
    assert difference == 0
    assert p_value == 1
    # Of `draws` equal differences, another one may still have this probability.
    assert (1 - high) ** draws == pytest.approx(0.025)
    assert low == -high


def test_constant_difference_is_significant_only_with_enough_items() -> None:
    for n in (3, 5, 6, 40):
        difference, (low, high), p_value = paired_difference([1.0] * n, [0.5] * n)
        assert difference == 0.5
        # The null that makes this likeliest: +0.5 with probability 2/3, -1 with 1/3; mean zero.
        assert p_value == pytest.approx(min(1.0, 2 * (2 / 3) ** n))
        assert (low > 0) == (p_value < 0.05)
        assert high < 1
        worse = paired_difference([0.5] * n, [1.0] * n)
        assert worse.interval == pytest.approx((-high, -low))
        assert worse.p_value == pytest.approx(p_value)
        below = paired_margin_test([0.5] * n, [1.0] * n, 0.0, alternative="less")
        assert below.p_value == pytest.approx((2 / 3) ** n)


def test_constant_difference_bound_is_the_worst_case_over_distributions() -> None:
    """Search distributions on a grid of differences: none with mean 0 gives the sample a higher chance."""
    n, observed = 4, 0.5
    grid = [-1.0, -0.5, 0.0, 0.5, 1.0]
    steps = 12
    highest = 0.0
    for parts in product(range(steps + 1), repeat=4):
        if sum(parts) <= steps:
            weights = [*parts, steps - sum(parts)]
            if sum(w * d for w, d in zip(weights, grid, strict=True)) <= 0:
                highest = max(highest, (weights[3] / steps) ** n)
    result = paired_margin_test([1.0] * n, [1.0 - observed] * n, 0.0)
    assert result.p_value == pytest.approx(highest)


def test_constant_difference_without_a_known_range_is_unknown() -> None:
    for result in (
        paired_difference([12.0] * 9, [10.0] * 9),
        paired_difference([0.5] * 9, [1.0] * 9, value_range=None),
    ):
        assert result.difference in {2.0, -0.5}
        assert all(math.isnan(limit) for limit in result.interval)
        assert math.isnan(result.p_value)
    graded = paired_difference([12.0] * 9, [10.0] * 9, value_range=(0, 20))
    assert graded.interval.low > -20
    assert graded.interval.high < 20
    assert paired_margin_test([12.0] * 9, [10.0] * 9, -25.0, value_range=(0, 20)).p_value == 0


def test_rounding_is_not_spread() -> None:
    a, b = [0.1 + 0.2, 0.3, 0.7], [0.0, 0.0, 0.4]
    result = paired_difference(a, b)
    assert result.difference == pytest.approx(0.3)
    assert result.p_value > 0.05


def test_tiny_p_values_do_not_vanish() -> None:
    a = [1.0] * 2000
    b = [0.0] * 1900 + [0.5] * 100
    assert 0 < paired_difference(*_table(0, 900, 0, 100)).p_value < 1e-100
    assert paired_margin_test(a[:60], b[:60], 0.5).p_value > 0
    assert paired_difference([1.0, 0.9] * 50, [0.0, 0.1] * 50).p_value > 0


def test_non_inferiority_is_decided_on_enough_items() -> None:
    few, many = _table(40, 5, 5, 50), _table(4000, 100, 100, 800)
    assert paired_margin_test(*few, margin=-0.03).p_value > 0.025
    assert paired_margin_test(*many, margin=-0.03).p_value < 0.025


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: paired_difference([1, 0], [1]), "a has 2 values and b has 1"),
        (lambda: paired_difference([1, math.inf], [1, 0]), r"a\[1\] is infinite"),
        (lambda: paired_difference(["1", "0"], [1, 0]), "a must be"),
        (lambda: paired_difference([1, 0], [1, 0], ["x"]), "clusters has 1"),
        (lambda: paired_difference([1, 0], [1, 0], confidence=95), "confidence"),
        (lambda: paired_difference([1, 0], [1, 0], value_range=(1, 0)), "value_range"),
        (lambda: paired_margin_test([1, 0], [1, 0], math.nan), "margin"),
        (lambda: paired_margin_test([1, 0], [1, 0], -3), "margin"),
        (lambda: paired_margin_test([1, 0], [1, 0], 0, alternative="two-sided"), "alternative"),
    ],
)
def test_bad_input_names_the_parameter(call: Any, parameter: str) -> None:
    with pytest.raises(UsageError, match=parameter):
        call()


def test_columns_of_different_items_are_refused() -> None:
    a = pd.Series([1, 0, 1], index=["x", "y", "z"])
    with pytest.raises(UsageError, match="labels of a and b"):
        paired_difference(a, a.sort_index(ascending=False))


@pytest.mark.parametrize(("n", "share"), [(60, (0.1, 0.1)), (100, (0.15, 0.05)), (200, (0.02, 0.05))])
def test_coverage_by_simulation(n: int, share: tuple[float, float]) -> None:
    """End to end, through answers: the binary interval covers close to its level."""
    random = np.random.default_rng(20250123)
    truth = share[0] - share[1]
    repetitions = 3000
    known: dict[tuple[int, int], bool] = {}
    covered = 0
    for _ in range(repetitions):
        b, c, _ = (int(count) for count in random.multinomial(n, [*share, 1 - sum(share)]))
        if (b, c) not in known:
            low, high = paired_difference(*_table(0, b, c, n - b - c)).interval
            known[b, c] = low <= truth <= high
        covered += known[b, c]
    assert 0.93 <= covered / repetitions <= 0.97
