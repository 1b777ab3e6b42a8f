from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import UsageError
from llmbench.stats import Interval, fieller_interval

estimates = st.floats(-20, 20).map(lambda value: round(value, 3))
variances = st.floats(0.01, 30).map(lambda value: round(value, 3))


def test_published() -> None:
    """README of DCSTATS."""
    found = fieller_interval(14, 7, 9, 4, critical_value=1.812461)
    assert found == pytest.approx((1.051413, 4.414296), abs=1e-6)
    assert found.g == pytest.approx(0.268164, abs=1e-6)
    assert found.kind == "bounded"
    assert found.is_bounded
    assert isinstance(found, Interval)


@settings(max_examples=300, deadline=None)
@given(estimates, estimates, variances, variances, st.floats(-0.95, 0.95), st.sampled_from([1.0, 1.96, 3.0]))
def test_set_is_what_the_test_does_not_reject(
    a: float, b: float, var_a: float, var_b: float, correlation: float, z: float
) -> None:
    covariance = correlation * math.sqrt(var_a * var_b)
    found = fieller_interval(a, b, var_a, var_b, covariance, z)
    for ratio in [*np.linspace(-12, 12, 49).tolist(), 1e3, -1e3, 1e6, -1e6]:
        variance = var_a - 2 * ratio * covariance + ratio**2 * var_b
        distance = abs(a - ratio * b) / math.sqrt(variance) - z
        if abs(distance) < 1e-6:
            continue
        inside = found.low <= ratio <= found.high
        if found.gap is not None:
            inside = inside and not found.gap.low < ratio < found.gap.high
        assert inside == (distance < 0)


@settings(max_examples=200, deadline=None)
@given(estimates, estimates, variances, variances)
def test_kind_says_which_limits_there_are(a: float, b: float, var_a: float, var_b: float) -> None:
    found = fieller_interval(a, b, var_a, var_b)
    low, high = found
    if found.kind == "bounded":
        assert -math.inf < low <= a / b <= high < math.inf
        assert found.g < 1
        assert found.gap is None
    else:
        assert math.isinf(low) or math.isinf(high)
        assert found.g >= 1
        assert (found.gap is None) == (
            found.kind == "whole line" or math.isfinite(low) or math.isfinite(high)
        )


def test_unbounded_and_the_whole_line() -> None:
    rays = fieller_interval(14, 2, 9, 4)
    assert rays == (-math.inf, math.inf)
    assert rays.kind == "unbounded"
    assert rays.gap == pytest.approx((-6.9656607, 2.0388589), abs=1e-6)
    assert rays.nonnegative == pytest.approx((2.0388589, math.inf), abs=1e-6)
    whole = fieller_interval(1, 1, 9, 4)
    assert whole == (-math.inf, math.inf)
    assert whole.kind == "whole line"
    assert whole.gap is None
    assert whole.nonnegative == (0, math.inf)
    one_ray = fieller_interval(5, 1.96, 1, 1)
    assert one_ray.kind == "unbounded"
    assert math.isfinite(one_ray.low)
    assert one_ray.high == math.inf
    assert one_ray.gap is None


def test_nonnegative_cuts_a_bounded_interval() -> None:
    assert fieller_interval(1, 10, 4, 1).nonnegative.low == 0
    assert all(math.isnan(limit) for limit in fieller_interval(-50, 10, 1, 1).nonnegative)


def test_without_any_variance_it_is_the_ratio() -> None:
    assert fieller_interval(1, 2, 0, 0) == (0.5, 0.5)
    assert fieller_interval(0, 0, 0, 0).kind == "whole line"
    assert fieller_interval(3, 0, 1, 0).kind == "whole line"


def test_large_certain_denominator_is_the_delta_method() -> None:
    ratio, var_a, var_b, covariance = 0.7, 4.0, 9.0, 2.0
    b = 1e6
    low, high = fieller_interval(ratio * b, b, var_a, var_b, covariance)
    spread = math.sqrt(var_a - 2 * ratio * covariance + ratio**2 * var_b) / b
    assert (low, high) == pytest.approx((ratio - 1.96 * spread, ratio + 1.96 * spread), rel=1e-9)


def test_copies_keep_what_was_left_out() -> None:
    found = fieller_interval(14, 2, 9, 4)
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert again == found
        assert (again.kind, again.gap, again.g) == (found.kind, found.gap, found.g)


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ((math.nan, 1, 1, 1), "numerator"),
        ((1, math.inf, 1, 1), "denominator"),
        ((1, 1, -1, 1), "var_numerator"),
        ((1, 1, 1, -1), "var_denominator"),
        ((1, 1, 1, 1, 2.0), "covariance"),
        ((1, 1, 1, 1, 0.0, 0.0), "critical_value"),
    ],
)
def test_bad_input_names_the_parameter(arguments: tuple[Any, ...], parameter: str) -> None:
    with pytest.raises(UsageError, match=f"^{parameter}"):
        fieller_interval(*arguments)
