from __future__ import annotations

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.loadtest import poisson_arrivals


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
    ("rate", "seconds", "seed"), [(0, 1, 1), (-1, 1, 1), (1, 0, 1), (float("nan"), 1, 1), (1, 1, -1)]
)
def test_what_cannot_be_meant(rate: float, seconds: float, seed: int) -> None:
    with pytest.raises(UsageError):
        poisson_arrivals(rate, seconds, seed)
