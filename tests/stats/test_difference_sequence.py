from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.stats import asymptotic_difference_sequence

COUNTS: dict[str, Any] = {"x1": [150, 310], "n1": [5000, 10000], "x2": [70, 90], "n2": [2500, 2500]}


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_interval_is_that_of_the_formula(alternative: Any) -> None:
    """Theorem 2.2 with rho as in their equation for the narrowest interval at t = 20,000 units."""
    alpha, planned = 0.05, 20_000
    found = asymptotic_difference_sequence(**COUNTS, planned_units=planned, alternative=alternative)
    level = alpha if alternative == "two-sided" else 2 * alpha
    rho2 = (-2 * math.log(level) + math.log(-2 * math.log(level) + 1)) / planned
    for look, (low, high) in enumerate(found):
        a, m, b, n = (sum(COUNTS[name][: look + 1]) for name in ("x1", "n1", "x2", "n2"))
        t, p1, p2 = m + n, a / m, b / n
        sigma2 = t * (p1 * (1 - p1) / m + p2 * (1 - p2) / n)
        root = math.sqrt(t * rho2 + 1)
        log = math.log(root / alpha) if alternative == "two-sided" else math.log(1 + root / (2 * alpha))
        half = math.sqrt(sigma2 * 2 * (t * rho2 + 1) / (t**2 * rho2) * log)
        assert low == (-math.inf if alternative == "less" else pytest.approx(p1 - p2 - half))
        assert high == (math.inf if alternative == "greater" else pytest.approx(p1 - p2 + half))


def test_narrowest_where_it_was_planned() -> None:
    def half(planned: float) -> float:
        low, high = asymptotic_difference_sequence([600], [20_000], [60], [2_000], planned)[0]
        return high - low

    assert half(22_000) < min(half(5_000), half(100_000))
    assert half(22_000) > 2 * 1.959964 * math.sqrt(0.03 * 0.97 * (1 / 20_000 + 1 / 2_000))


def test_too_few_replies_have_no_interval() -> None:
    first, second = asymptotic_difference_sequence([400, 400], [9000, 9000], [49, 1], [1000, 1000], 20_000)
    assert all(map(math.isnan, first))
    assert second.low < second.high
    almost_all = asymptotic_difference_sequence([9000], [9000], [960], [1000], 20_000)[0]
    assert all(map(math.isnan, almost_all))


def test_all_looks_hold_together() -> None:
    rng = np.random.default_rng(20250123)
    missed = 0
    for _ in range(400):
        x1, x2 = rng.binomial(1800, 0.03, 28), rng.binomial(200, 0.03, 28)
        looks = asymptotic_difference_sequence(x1, [1800] * 28, x2, [200] * 28, 56_000)
        missed += any(low > 0 or high < 0 for low, high in looks)
    assert missed / 400 < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x1": []}, "one count per look"),
        ({"n2": [2500]}, "n2 must have one count per look"),
        ({"x2": [70, 2501]}, "x2 must not exceed n2"),
        ({"x1": [1.5, 2]}, "whole numbers"),
        ({"planned_units": 0}, "planned_units must be above 0"),
        ({"least_replies": 0}, "least_replies must be at least 1"),
        ({"alternative": "both"}, "alternative must be one of"),
        ({"confidence": 95}, "confidence is a share"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        asymptotic_difference_sequence(**{**COUNTS, "planned_units": 20_000, **change})
