"""Exact unconditional test of two proportions against a margin: Chan (1998).

Outcomes are ordered by the score statistic of Farrington and Manning; the p-value is the largest chance, over
all pairs of rates at the margin, of an outcome at least as extreme as the observed one. Source: Chan
(1998), Statistics in Medicine 17:1403.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import bdtr, gammaln, xlog1py, xlogy

from llmbench.errors import UsageError
from llmbench.stats.intervals import TestResult
from llmbench.stats.score_arrays import difference_parts_of, ratio_parts_of, score_statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["chan_exact_test"]

_MOST_TRIALS = 200_000
_TIE = 1e-9
"""Statistics this close, relative to 1 + their size, count as equal."""
_PEAKS = 5
_SPREADS = 10.0
"""Outcomes further than this many standard deviations (and as many counts) out are left out."""


def chan_exact_test(x1: int, n1: int, x2: int, n2: int, margin: float, scale: str) -> TestResult:
    """Farrington and Manning's statistic and the exact p-value of "p1 is at most `margin` from p2".

    `n1` and `n2` at least 1. Raises UsageError for more trials than can be enumerated in seconds.
    """
    if n1 + n2 > _MOST_TRIALS:
        raise UsageError(
            f"n1 + n2 is {n1 + n2}; method 'chan-exact' goes through all outcomes and takes at most "
            f"{_MOST_TRIALS} trials. With so many, method='scas' is close to exact."
        )
    outcomes = _Outcomes(x1, n1, x2, n2, margin, scale)
    return TestResult(outcomes.observed, outcomes.largest_chance())


class _Outcomes:
    """The outcomes at least as extreme as the observed one: for each x1, all x2 up to `last[x1]`."""

    def __init__(self, x1: int, n1: int, x2: int, n2: int, margin: float, scale: str) -> None:
        self.n1, self.n2, self.margin, self.scale = n1, n2, margin, scale
        self.observed = float(self._statistics(np.array([float(x1)]), np.array([float(x2)]))[0])
        self.last = self._last_extreme()
        counts = np.arange(n1 + 1.0)
        self.log_ways = gammaln(n1 + 1) - gammaln(counts + 1) - gammaln(n1 - counts + 1)
        if scale == "ratio":
            self.low, self.high = 0.0, min(1.0, 1 / margin)
        else:
            self.low, self.high = max(0.0, -margin), min(1.0, 1 - margin)

    def chance(self, angle: float) -> float:
        """Chance of these outcomes where arm 2 has the rate sin² of `angle`, and arm 1 is at the margin."""
        p2 = min(self.high, max(self.low, math.sin(angle) ** 2))
        p1 = p2 * self.margin if self.scale == "ratio" else p2 + self.margin
        p1 = min(1.0, max(0.0, p1))
        reach = _SPREADS * (1 + math.sqrt(self.n1 * p1 * (1 - p1)))
        first = max(0, math.floor(self.n1 * p1 - reach))
        final = min(self.n1, math.ceil(self.n1 * p1 + reach))
        counts = np.arange(first, final + 1.0)
        here = slice(first, final + 1)
        weight = np.exp(self.log_ways[here] + xlogy(counts, p1) + xlog1py(self.n1 - counts, -p1))
        last = self.last[here]
        share = np.where(last < 0, 0.0, bdtr(np.maximum(last, 0), self.n2, p2))
        return float(weight @ share)

    def largest_chance(self) -> float:
        """Over all rates: a grid of eighths of a standard deviation, its highest points then refined."""
        start, end = math.asin(math.sqrt(self.low)), math.asin(math.sqrt(self.high))
        points = 50 + math.ceil((end - start) * 16 * math.sqrt(self.n1 + self.n2))
        grid = np.linspace(start, end, points)
        chances = np.array([self.chance(angle) for angle in grid.tolist()])
        padded = np.concatenate([[-1.0], chances, [-1.0]])
        peaks = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:]))
        best = float(chances.max())
        for peak in peaks[np.argsort(chances[peaks])][-_PEAKS:].tolist():
            bounds = float(grid[max(0, peak - 1)]), float(grid[min(points - 1, peak + 1)])
            found = minimize_scalar(
                lambda angle: -self.chance(angle), bounds=bounds, method="bounded", options={"xatol": 1e-7}
            )
            best = max(best, -float(found.fun))
        return min(1.0, best)

    def _statistics(self, x1: NDArray[np.float64], x2: NDArray[np.float64]) -> NDArray[np.float64]:
        parts_of = ratio_parts_of if self.scale == "ratio" else difference_parts_of
        n1, n2 = np.full(x1.shape, float(self.n1)), np.full(x1.shape, float(self.n2))
        score, variance, _ = parts_of(x1, n1, x2, n2, self.margin, unbiased=False)
        return score_statistics(score, variance)

    def _last_extreme(self) -> NDArray[np.int64]:
        # The statistic falls as x2 grows, so that halving finds where it passes the observed one.
        counts = np.arange(self.n1 + 1.0)
        least = self.observed - _TIE * (1 + abs(self.observed))
        extreme = np.full(self.n1 + 1, -1, dtype=np.int64)
        beyond = np.full(self.n1 + 1, self.n2 + 1, dtype=np.int64)
        while (beyond - extreme > 1).any():
            middle = (extreme + beyond) // 2
            # Where nothing is left to halve, the middle may be -1, which is no count.
            holds = self._statistics(counts, np.maximum(middle, 0).astype(float)) >= least
            open_ = beyond - extreme > 1
            extreme = np.where(open_ & holds, middle, extreme)
            beyond = np.where(open_ & ~holds, middle, beyond)
        return extreme
