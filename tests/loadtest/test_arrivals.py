from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.loadtest import LoadPlan, poisson_arrivals


def test_counts_are_poisson() -> None:
    counts = np.array([len(poisson_arrivals(3, 10, seed)) for seed in range(2000)])
    assert counts.mean() == pytest.approx(30, abs=4 * (30 / 2000) ** 0.5)
    # The variance of a sample variance of Poisson counts is near 2 lambda^2 / n.
    assert counts.var(ddof=1) == pytest.approx(30, abs=4 * 30 * (2 / 2000) ** 0.5)


def test_gaps_are_exponential() -> None:
    moments = poisson_arrivals(50, 400, seed=7)
    gaps = np.diff(moments)
    assert (gaps >= 0).all()
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert moments[0] >= 0
    assert moments[-1] < 400


def test_seed_and_rate_decide() -> None:
    assert poisson_arrivals(2, 30, 1) == poisson_arrivals(2, 30, 1)
    assert poisson_arrivals(2, 30, 1) != poisson_arrivals(2, 30, 2)
    assert set(poisson_arrivals(2, 30, 1)).isdisjoint(poisson_arrivals(4, 30, 1))


@pytest.mark.parametrize(
    ("rate", "seconds", "seed"),
    [
        (0, 1, 1), (-1, 1, 1), (1, 0, 1), (float("nan"), 1, 1), (1, 1, -1), ("2", 1, 1), (10**400, 1, 1),
        (1, None, 1), (1e308, 1e308, 1), (1, 1, "3"), (1, 1, 1.5), (1, 1, None), (True, 1, 1),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(rate: Any, seconds: Any, seed: Any) -> None:
    with pytest.raises(UsageError):
        poisson_arrivals(rate, seconds, seed)


def test_numbers_of_numpy_are_numbers() -> None:
    assert poisson_arrivals(np.float64(2), 30, np.int64(1)) == poisson_arrivals(2, 30, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"output_tokens": 2.5}, "output_tokens must be a whole number"),
        ({"input_tokens": "200"}, "input_tokens must be a finite number"),
        ({"shared_prefix_tokens": -1}, "shared_prefix_tokens must be at least 0"),
        ({"temperature": float("nan")}, "temperature must be a finite number"),
        ({"rates": (1.0, "2")}, "Each of rates must be a finite number"),
        ({"rates": (1e6,)}, "more than one client sends on time"),
        ({"seconds": 10**400}, "seconds must be a finite number"),
    ],
)
def test_a_plan_that_cannot_be_meant(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        LoadPlan(**changed)
