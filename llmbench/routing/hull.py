"""The best that a random choice between settings reaches: RouterBench's non-decreasing convex hull."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmbench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Hull", "upper_hull"]


@dataclass(frozen=True, slots=True, eq=False)
class Hull:
    """Corners of the upper convex hull of points (cost, quality), both rising from corner to corner."""

    cost: NDArray[np.float64]
    """In the unit of the points: USD per prompt, or the share of strong calls."""
    quality: NDArray[np.float64]

    def quality_at(self, cost: float) -> float:
        """The best for at most `cost`; NaN below the cheapest corner."""
        if cost < self.cost[0]:
            return math.nan
        return float(np.interp(cost, self.cost, self.quality))

    def mean_quality(self, low: float, high: float) -> float:
        """Area under the hull from `low` to `high`, over their distance: RouterBench's AIQ.

        Beyond the last corner the hull is level: the rest of the money is not spent. Raises
        UsageError for a range that does not rise or begins below the first corner.

        >>> hull = upper_hull([1.0, 2.0, 3.0, 4.0], [0.5, 0.6, 0.9, 0.8])
        >>> hull.cost, hull.quality
        (array([1., 3.]), array([0.5, 0.9]))
        >>> print(f"{hull.mean_quality(1, 4):.4f}")  # (2 * 0.7 + 1 * 0.9) / 3
        0.7667
        """
        if not self.cost[0] <= low < high:
            raise UsageError(
                f"The hull begins at {self.cost[0]:g}; give a range that rises from there on, not "
                f"{low:g} to {high:g}."
            )
        inside = (self.cost > low) & (self.cost < high)
        cost = np.concatenate(([low], self.cost[inside], [high]))
        return float(np.trapezoid(np.interp(cost, self.cost, self.quality), cost)) / (high - low)


def upper_hull(cost: object, quality: object) -> Hull:
    """Hull of points that all have a cost and a quality (n values each), in any order. Raises UsageError."""
    x, y = np.asarray(cost, dtype=float), np.asarray(quality, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or not len(x) or not np.isfinite(x + y).all():
        raise UsageError("cost and quality must be finite, one of each per point, and of one point at least.")
    if not (x[1:] >= x[:-1]).all():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    starts = np.flatnonzero(np.append(True, x[1:] > x[:-1]))
    x, y = _majorant(x[starts], np.maximum.reduceat(y, starts))  # of equal costs the best
    best = int(np.argmax(y))
    return Hull(x[: best + 1], y[: best + 1])


def _majorant(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Of points at rising costs: the least concave majorant, whose slopes are the antitonic regression
    of the slopes between the points, weighted by their distances; compiled, and so fit for a bootstrap.
    """
    if len(x) < 3:
        return x, y
    from scipy.optimize import isotonic_regression

    step = np.diff(x)
    blocks = isotonic_regression(np.diff(y) / step, weights=step, increasing=False).blocks
    return x[blocks], y[blocks]
