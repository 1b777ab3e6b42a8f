from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from llmbench.errors import UsageError
from llmbench.stats import minimum_detectable_effect, power, sample_size
from llmbench.stats.score_arrays import difference_parts_of, ratio_parts_of, score_statistics
from tests.stats.sizes import UNITS_AT_REPLY_RATES

rates = st.floats(0.005, 0.95)


@pytest.mark.parametrize(
    ("rate", "margin", "lopsided", "even"),
    UNITS_AT_REPLY_RATES,
)
def test_non_inferiority_at_reply_rates(rate: float, margin: float, lopsided: int, even: int) -> None:
    """The table that a plan must show first: arm 1 gets 90%, or half."""
    # The table rounds up, then or at each arm.
    assert sample_size(rate, rate, margin, allocation=1 / 9) == pytest.approx(lopsided, abs=1)
    assert sample_size(rate, rate, margin) == pytest.approx(even, abs=1)


def test_published_sizes() -> None:
    # Farrington and Manning (1990) as in gsDesign's tests, and SAS PROC POWER's fractional total.
    assert sample_size(0.4, 0.05, 0.2, "difference", alpha=0.05) == pytest.approx(159.6876, abs=1e-4)
    found = sample_size(0.38, 0.32, -0.02, "difference", alpha=0.05, power=0.85)
    assert found == pytest.approx(1020.822, abs=1e-3)
    # R's power.prop.test(n = 76.70692, p1 = .5, p2 = .75) has power .9.
    assert power(0.5, 0.75, 0, 2 * 76.70692, "difference", 0.05, 2) == pytest.approx(0.9, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    rates,
    rates,
    st.sampled_from([(0.8, "ratio"), (1.2, "ratio"), (-0.05, "difference"), (0.0, "difference")]),
    st.sampled_from([1, 2]),
    st.sampled_from([1.0, 9.0, 1 / 9]),
    st.sampled_from([0.5, 0.8, 0.99]),
)
def test_power_inverts_sample_size(
    p1: float, p2: float, null: tuple[float, Any], sides: int, allocation: float, wanted: float
) -> None:
    margin, scale = null
    effect = p1 - margin * p2 if scale == "ratio" else p1 - p2 - margin
    if abs(effect) > 1e-4:
        for design_effect in (1.0, 2.5):
            n = sample_size(
                p1, p2, margin, scale, 0.05, sides, wanted, allocation, design_effect=design_effect
            )
            found = power(p1, p2, margin, n, scale, 0.05, sides, allocation, design_effect=design_effect)
            assert found == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.01, 0.6),
    st.sampled_from([(None, "ratio"), (0.9, "ratio"), (-0.02, "difference"), (None, "difference")]),
    st.sampled_from(["greater", "less"]),
    st.sampled_from([1.0, 1 / 9]),
)
def test_detectable_effect_inverts_sample_size(
    rate: float, null: tuple[float | None, Any], alternative: Any, allocation: float
) -> None:
    margin, scale = null
    n = 20_000
    effect = minimum_detectable_effect(rate, n, margin, scale, alternative=alternative, allocation=allocation)
    if math.isnan(effect):
        return
    p1 = effect * rate if scale == "ratio" else rate + effect
    at = margin if margin is not None else 1.0 if scale == "ratio" else 0.0
    assert (effect > at) == (alternative == "greater")
    if p1 in {0.0, 1.0}:
        # The margin is further out than any rate.
        assert not 0 < rate + at < 1
        return
    assert sample_size(p1, rate, at, scale, allocation=allocation) == pytest.approx(n, rel=1e-6)


def test_a_margin_beyond_every_rate_is_passed_by_the_furthest_rate() -> None:
    assert minimum_detectable_effect(0.0156, 20_000, -0.02, "difference") == pytest.approx(-0.0156)
    assert minimum_detectable_effect(0.9844, 20_000, 0.02, "difference", alternative="less") == pytest.approx(
        0.0156
    )
    # Few units do not show it from the furthest rate on, but from a nearer one.
    assert minimum_detectable_effect(0.0156, 300, -0.02, "difference") > -0.0156


def test_what_cannot_be_shown_is_unknown() -> None:
    assert math.isnan(minimum_detectable_effect(0.03, 50, alternative="less"))
    assert math.isnan(minimum_detectable_effect(0.9, 20, alternative="greater"))
    assert math.isnan(minimum_detectable_effect(0.5, 10**6, 3.0))


@pytest.mark.parametrize(
    ("p1", "p2", "margin", "scale", "n1", "n2"),
    [
        (0.3, 0.3, 0.7, "ratio", 300, 300),
        (0.1, 0.1, 0.6, "ratio", 900, 300),
        (0.2, 0.1, 1.0, "ratio", 250, 250),
        (0.5, 0.5, -0.12, "difference", 250, 250),
        (0.08, 0.08, 0.05, "difference", 500, 500),
    ],
)
def test_power_by_exact_enumeration(
    p1: float, p2: float, margin: float, scale: str, n1: int, n2: int
) -> None:
    """Chance, over all outcomes, that Farrington and Manning's test rejects at .025."""
    x1, x2 = np.meshgrid(np.arange(n1 + 1.0), np.arange(n2 + 1.0), indexing="ij")
    chances = np.outer(binom.pmf(np.arange(n1 + 1), n1, p1), binom.pmf(np.arange(n2 + 1), n2, p2))
    parts_of = ratio_parts_of if scale == "ratio" else difference_parts_of
    sizes = np.full_like(x1, n1), np.full_like(x1, n2)
    score, variance, _ = parts_of(x1, sizes[0], x2, sizes[1], margin, unbiased=False)
    statistics = score_statistics(score, variance)
    effect = p1 - margin * p2 if scale == "ratio" else p1 - p2 - margin
    shown = statistics >= 1.959964 if effect > 0 else statistics <= -1.959964
    exact = float(chances[shown].sum())
    found = power(p1, p2, margin, n1 + n2, scale, allocation=n2 / n1)  # type: ignore[arg-type]
    assert found == pytest.approx(exact, abs=0.02)


def test_rates_on_the_margin_have_the_power_of_the_level() -> None:
    assert power(0.027, 0.03, 0.9, 10_000) == pytest.approx(0.025, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "keywords", "parameter"),
    [
        ((0.0, 0.03, 0.9), {}, "p1"),
        ((0.03, 3, 0.9), {}, "p2"),
        ((0.03, 0.03, 0), {}, "margin"),
        ((0.03, 0.03, 1.0), {}, "p1"),
        ((0.03, 0.03, 0.9), {"scale": "odds"}, "scale"),
        ((0.03, 0.03, 0.9), {"sides": 3}, "sides"),
        ((0.03, 0.03, 0.9), {"alpha": 5}, "alpha"),
        ((0.03, 0.03, 0.9), {"power": 80}, "power"),
        ((0.03, 0.03, 0.9), {"power": 0.001}, "power"),
        ((0.03, 0.03, 0.9), {"allocation": 0}, "allocation"),
        ((0.03, 0.03, 0.9), {"design_effect": 0}, "design_effect"),
    ],
)
def test_bad_input_names_the_parameter(
    arguments: tuple[Any, ...], keywords: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        sample_size(*arguments, **keywords)


def test_bad_input_of_the_others() -> None:
    with pytest.raises(UsageError, match=r"^n must be above 0"):
        power(0.03, 0.03, 0.9, 0)
    with pytest.raises(UsageError, match=r"^power"):
        minimum_detectable_effect(0.03, 1000, power=0.01)
    with pytest.raises(UsageError, match=r"^alternative"):
        minimum_detectable_effect(0.03, 1000, alternative="both")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^scale"):
        minimum_detectable_effect(0.03, 1000, scale="odds")  # type: ignore[arg-type]
