"""What can be told of a gate by an estimate and its interval, against the tests that made the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from llmbench.decision import Measured
from llmbench.decision.evidence import fail_p_value, limits
from llmbench.stats import (
    margin_test,
    paired_difference,
    paired_margin_test,
    rate_ratio_interval,
    wilson_interval,
)


def test_limits_as_they_are_where_nothing_is_to_be_allowed_for() -> None:
    assert limits(Measured(0.5, 0.4, 0.7)) == (0.4, 0.7)
    assert limits(Measured(0.5, 0.4, None)) is None
    assert limits(Measured(None)) is None


def test_limits_of_one_of_several_are_those_of_bonferroni() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 500))
    at = {c: paired_difference(a, b, confidence=c) for c in (0.95, 1 - 0.05 / 4)}
    found = limits(Measured(at[0.95].difference, *at[0.95].interval, 500, clusters=500, among=4))
    assert found == pytest.approx(at[1 - 0.05 / 4].interval)


def test_fail_of_a_clustered_difference_is_its_own_t_test() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(12), 20)
    a, b = rng.random((2, 240))
    a -= 0.1
    difference, interval, _ = paired_difference(a, b, groups, value_range=None)
    measured = Measured(difference, *interval, 240, clusters=12)
    for margin in (-0.05, 0.0, 0.05):
        direct = paired_margin_test(a, b, margin, groups, "less", value_range=None).p_value
        assert fail_p_value(measured, margin, at_least=True) == pytest.approx(direct)


@pytest.mark.parametrize("least", [0.12, 0.14, 0.2])
def test_fail_of_a_low_share_is_the_score_test(least: float) -> None:
    measured = Measured(30 / 400, *wilson_interval(30, 400), 400)
    score = (30 / 400 - least) / math.sqrt(least * (1 - least) / 400)
    assert fail_p_value(measured, least, at_least=True, unit="share") == pytest.approx(
        norm.cdf(score), rel=1e-6
    )


@pytest.mark.parametrize(("x", "n", "most"), [(30, 400, 0.05), (30, 400, 0.04), (8, 100, 0.02)])
def test_fail_of_a_high_share_errs_on_the_safe_side(x: int, n: int, most: float) -> None:
    """An interval of another kind could have the same limits: the plain scale counts where it says less."""
    measured = Measured(x / n, *wilson_interval(x, n), n)
    score = (x / n - most) / math.sqrt(most * (1 - most) / n)
    found = fail_p_value(measured, most, at_least=False, unit="share")
    assert found is not None
    assert norm.sf(score) <= found < 0.025


@pytest.mark.parametrize("x1", [380, 400, 420])
def test_fail_of_a_ratio_is_near_the_score_test_and_on_the_safe_side(x1: int) -> None:
    table = (x1, 10_000, 500, 10_000)
    measured = Measured(x1 / 500, *rate_ratio_interval(*table), 20_000)
    direct = margin_test(*table, 0.9, "ratio", "less").p_value
    found = fail_p_value(measured, 0.9, at_least=True, unit="times")
    assert found is not None
    assert direct * 0.98 <= found <= direct * 1.3


def test_an_interval_without_width_is_certain() -> None:
    assert fail_p_value(Measured(0.5, 0.5, 0.5), 0.6, at_least=True) == 0.0
    assert fail_p_value(Measured(0.5, 0.5, 0.5), 0.5, at_least=True) == 1.0
    assert fail_p_value(Measured(0.5, 0.5, None), 0.5, at_least=True) is None
