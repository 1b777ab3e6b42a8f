from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from llmbench.errors import UsageError
from llmbench.stats import (
    discordance_spread,
    items_needed,
    mean_and_standard_error,
    minimum_detectable_paired_difference,
    paired_difference,
    resolution_ratio,
)


def test_worked_example_of_miller() -> None:
    # Variance of the differences 1/9, difference 3 points, power .8: 969 items.
    assert math.ceil(items_needed(0.03, 1 / 3)) == 969
    # Answers drawn once each with variance 1/6 per model add to it: 3,876; of ten draws each: 1,260.
    assert math.ceil(items_needed(0.03, math.sqrt(1 / 9 + 2 / 6))) == 3876
    assert math.ceil(items_needed(0.03, math.sqrt(1 / 9 + 2 / 60))) == 1260


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.01, 2),
    st.integers(2, 5000),
    st.sampled_from([0.01, 0.05, 0.1]),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_items_and_difference_invert_each_other(sd: float, n: int, alpha: float, power: float) -> None:
    difference = minimum_detectable_paired_difference(sd, n, alpha, power)
    assert items_needed(difference, sd, alpha, power) == pytest.approx(n)
    # By definition: shifted by that difference, the test statistic exceeds its critical value with `power`.
    assert norm.sf(norm.isf(alpha / 2) - difference * math.sqrt(n) / sd) == pytest.approx(power)


def test_items_of_a_pilot_give_their_own_spread() -> None:
    differences = [0, 1, -1, 0, 0, 1, 0, None, 1, 0]
    known = [d for d in differences if d is not None]
    sd = float(np.std(known, ddof=1))
    assert minimum_detectable_paired_difference(differences) == pytest.approx(
        minimum_detectable_paired_difference(sd, 9)
    )
    assert minimum_detectable_paired_difference(differences, n=900) == pytest.approx(
        minimum_detectable_paired_difference(sd, 900)
    )
    assert items_needed(-0.1, differences) == pytest.approx(items_needed(0.1, sd))


def test_clusters_make_the_set_smaller() -> None:
    differences = [i % 3 - 1 for i in range(9) for _ in range(4)]
    clusters = [i for i in range(9) for _ in range(4)]
    standard_error = mean_and_standard_error(differences, clusters).standard_error
    mde = minimum_detectable_paired_difference(differences, clusters=clusters)
    assert mde == pytest.approx((norm.isf(0.025) + norm.ppf(0.8)) * standard_error)
    # Four copies of one observation: nearly four times as many items are needed.
    assert items_needed(0.05, differences, clusters=clusters) / items_needed(
        0.05, differences
    ) == pytest.approx(4 * (9 / 8) / (36 / 35))


def test_power_is_reached_in_simulation() -> None:
    random = np.random.default_rng(20250123)
    discordance, difference = 0.2, 0.08
    n = math.ceil(items_needed(difference, discordance_spread(discordance, difference)))
    found = 0
    for _ in range(1500):
        b, c, same = random.multinomial(
            n, [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
        )
        a = np.repeat([1, 0, 1], [b, c, same])
        other = np.repeat([0, 1, 1], [b, c, same])
        found += paired_difference(a, other).p_value < 0.05
    assert found / 1500 == pytest.approx(0.8, abs=0.035)


@pytest.mark.parametrize("differences", [[], [0.3], [0, 0, 0], [0.1, 0.1, 0.1], [None, 1]])
def test_a_sample_without_spread_plans_nothing(differences: list[float]) -> None:
    assert math.isnan(minimum_detectable_paired_difference(differences))
    assert math.isnan(items_needed(0.03, differences))


def test_discordance_spread_is_that_of_the_differences() -> None:
    differences = [1] * 30 + [-1] * 10 + [0] * 160
    assert discordance_spread(0.2, 0.1) == pytest.approx(np.std(differences))


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: items_needed(0, 0.5), "difference must not be zero"),
        (lambda: items_needed(math.nan, 0.5), "difference must be"),
        (lambda: items_needed(0.1, 0.5, alpha=0), "alpha"),
        (lambda: items_needed(0.1, 0.5, power=80), "power"),
        (lambda: items_needed(0.1, 0.5, alpha=0.05, power=0.01), "power"),
        (lambda: items_needed(0.1, -0.5), "differences"),
        (lambda: items_needed(0.1, 0.5, clusters=["x"]), "clusters"),
        (lambda: minimum_detectable_paired_difference(0.5), "n is needed"),
        (lambda: minimum_detectable_paired_difference(0.5, 0), "n must be at least 1"),
        (lambda: minimum_detectable_paired_difference([1, 0], clusters=["x"]), "clusters"),
        (lambda: discordance_spread(0), "discordance"),
        (lambda: discordance_spread(0.1, 0.2), "difference"),
    ],
)
def test_bad_input_names_the_parameter(call: Any, parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        call()


def test_resolution_ratio_is_items_over_items_needed_for_what_was_seen() -> None:
    random = np.random.default_rng(11)
    differences = random.choice([-1, 0, 0, 0, 1, 1], size=300).astype(float)
    needed = items_needed(float(differences.mean()), differences)
    assert resolution_ratio(differences) == pytest.approx(300 / needed)
    assert resolution_ratio([1, -1, 1, -1]) == 0
    assert math.isnan(resolution_ratio([0.5, 0.5]))
    assert math.isnan(resolution_ratio([]))
    clusters = [i % 30 for i in range(300)]
    needed = items_needed(float(differences.mean()), differences, clusters=clusters)
    assert resolution_ratio(differences, clusters=clusters) == pytest.approx(300 / needed)
