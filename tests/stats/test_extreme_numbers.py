"""Numbers that are no slip of statistics but of a finger: refused by name, and never an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from llmbench import stats
from llmbench.errors import UsageError

COUNTS = (5, 10, 3, 12)
TAKES: dict[str, Callable[[Any], object]] = {
    "n must": lambda bad: stats.wilson_interval(5, bad),
    "n1": lambda bad: stats.rate_difference_interval(5, bad, 3, 12),
    "n2": lambda bad: stats.equality_test(5, 10, 3, bad, method="fisher"),
    "margin": lambda bad: stats.margin_test(*COUNTS, bad),
    "allocation": lambda bad: stats.sample_size(0.3, 0.3, 0.9, allocation=bad),
    "sides": lambda bad: stats.sample_size(0.3, 0.3, 0.9, sides=bad),
    "design_effect": lambda bad: stats.power(0.3, 0.3, 0.9, 1000, design_effect=bad),
    "denominator": lambda bad: stats.fieller_interval(14, bad, 9, 4),
    r"numerators": lambda bad: stats.ratio_of_totals([0.002, bad], [1, 1]),
    "concentration": lambda bad: stats.reply_share_e_process([60], [30], 0.5, concentration=bad),
    "concentration of a split": lambda bad: stats.sequential_sample_ratio_mismatch(
        [[52, 48]], [1, 1], concentration=bad
    ),
    "centre": lambda bad: stats.reply_share_e_process([60], [30], 0.5, centre=bad),
    "true_ratio": lambda bad: stats.e_process_power([100], 0.5, true_ratio=bad),
    "alpha": lambda bad: stats.e_process_replies(0.5, alpha=bad),
    "replies": lambda bad: stats.e_process_power([100, bad], 0.5),
    "prior": lambda bad: stats.probability_best([15, 17], [300, 320], prior=(bad, 0.5)),
    "values": lambda bad: stats.mean_and_standard_error([1, 2, bad]),
    "a must|a\\[": lambda bad: stats.mcnemar([1, bad], [1, 0]),
    "repeats": lambda bad: stats.variance_components([1, 1, 0, 1], list("aabb")).standard_error(bad),
    "differences": lambda bad: stats.minimum_detectable_paired_difference(bad, n=100),
    "difference": lambda bad: stats.items_needed(bad, 0.5),
    "planned_units": lambda bad: stats.asymptotic_difference_sequence([150], [5000], [70], [2500], bad),
}


@pytest.mark.parametrize("bad", [10**400, 1e308, 1e100, "3", [[1], [2, 3]], 1j, {}], ids=repr)
@pytest.mark.parametrize("name", TAKES)
def test_what_cannot_be_counted_with_is_refused_by_name(name: str, bad: object) -> None:
    with pytest.raises(UsageError, match=name.partition(" of a split")[0]):
        TAKES[name](bad)


@pytest.mark.parametrize("name", ["allocation", "design_effect", "concentration", "repeats", "planned_units"])
def test_what_is_too_small_to_divide_by_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        TAKES[name](1e-308)


def test_a_mixture_worth_more_than_a_billion_units_has_no_digits_left() -> None:
    # With very many this split looked impossible, p being 1e-301 and less.
    with pytest.raises(UsageError, match="concentration must be at most 1e"):
        stats.sequential_sample_ratio_mismatch([[520, 480]], [0.5, 0.5], concentration=1e15)
    near = stats.sequential_sample_ratio_mismatch([[520, 480]], [0.5, 0.5], concentration=1e9)
    assert near.log_e_values[0] == pytest.approx(0.0, abs=1e-4)


def test_the_smallest_alpha_has_its_digits() -> None:
    usual = stats.sample_size(0.3, 0.3, 0.9, alpha=1e-10)
    assert stats.sample_size(0.3, 0.3, 0.9, alpha=1e-20) > usual
    assert math.isfinite(stats.items_needed(0.03, 0.5, alpha=1e-300))


def test_a_confidence_of_next_to_nothing_is_refused() -> None:
    # The search for a limit never moved.
    with pytest.raises(UsageError, match="confidence must be at least 1e-09"):
        stats.rate_difference_interval(*COUNTS, confidence=1e-200, method="scas")


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e25])
def test_the_unit_of_an_amount_does_not_change_its_ratio(scale: float) -> None:
    usual = stats.fieller_interval(14, 7, 9, 4, 2.0)
    found = stats.fieller_interval(14, 7 * scale, 9, 4 * scale**2, 2.0 * scale)
    assert found.low * scale == pytest.approx(usual.low, rel=1e-12)
    assert found.high * scale == pytest.approx(usual.high, rel=1e-12)
    assert found.g == pytest.approx(usual.g)


def test_a_denominator_that_is_next_to_nothing_rules_nothing_out() -> None:
    assert stats.fieller_interval(14, 1e-308, 9, 4).kind == "unbounded"


@pytest.mark.parametrize("bad", ["1.96", 10**400, [[1], [2, 3]], 1j, None], ids=repr)
def test_bounds_that_are_no_numbers_are_refused(bad: Any) -> None:
    with pytest.raises(UsageError, match="critical_values must be a list or array of numbers"):
        stats.crossing_probabilities([1.96, bad], [0.5, 1.0])


def test_an_array_of_no_dimension_is_no_column_of_labels() -> None:
    single: Any = np.array(5.0)
    with pytest.raises(UsageError, match="clusters must be None or a list"):
        stats.mean_and_standard_error([1, 2], clusters=single)
    with pytest.raises(UsageError, match="a must be a list"):
        stats.cohen_kappa(single, [1])
