"""Two arms whose units come in clusters (mailboxes, domains): cluster-robust difference and ratio of rates.

Units of one cluster may depend on each other, also across arms and strata. With n and x the units and
successes of cluster c in a cell (arm and stratum), and r the cell's rate, the cell's rate is off by
Σ_c (x - r n) / Σ_c n: linearisation, as for any ratio of totals (Deng, Knoblich and Lu 2018,
arXiv:1803.06336). The covariance of two cells is C / (C - 1) times the sum over the C clusters of the
products of those terms; tests and intervals use Student's t with C - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import (
    NO_SPREAD,
    check_choice,
    check_confidence,
    check_count,
    finite_array,
)
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval, TestResult
from llmbench.stats.means import student_interval
from llmbench.stats.two_arms import Alternative, Scale, check_margin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ClusterMoments",
    "ClusteredComparison",
    "cluster_moments",
    "clustered_comparison",
    "clustered_margin_test",
]


@shown
@dataclass(frozen=True)
class ClusterMoments:
    """Totals of every cell, and sums over clusters of products of two cells: all that the variance needs.

    Cells are those of arm 1, one per stratum, then those of arm 2 in the same order: 2 K of them.
    """

    units: NDArray[np.float64]
    """2 K totals."""
    successes: NDArray[np.float64]
    """2 K totals."""
    units_units: NDArray[np.float64]
    """2 K x 2 K; row i, column j: Σ_c n_i n_j."""
    units_successes: NDArray[np.float64]
    """2 K x 2 K; row i, column j: Σ_c n_i x_j."""
    successes_successes: NDArray[np.float64]
    """2 K x 2 K; row i, column j: Σ_c x_i x_j."""
    clusters: int
    """Clusters with units in any cell."""

    def __post_init__(self) -> None:
        tables = ("units_units", "units_successes", "successes_successes")
        for name in ("units", "successes", *tables):
            dimensions = (2,) if name in tables else (1,)
            object.__setattr__(self, name, finite_array(name, getattr(self, name), dimensions))
        object.__setattr__(self, "clusters", check_count("clusters", self.clusters))
        cells = len(self.units)
        if cells == 0 or cells % 2:
            raise UsageError(f"units needs one value per arm and stratum, an even number, not {cells}.")
        if len(self.successes) != cells:
            raise UsageError(
                f"successes has {len(self.successes)} values and units {cells}; both need one each."
            )
        for name in tables:
            if getattr(self, name).shape != (cells, cells):
                raise UsageError(f"{name} must be {cells} x {cells}, not {getattr(self, name).shape}.")
        if (self.units < 0).any() or (self.successes < 0).any() or (self.successes > self.units).any():
            raise UsageError("successes must lie between 0 and units in every cell.")


@shown
class ClusteredComparison(NamedTuple):
    """Arm 1 against arm 2, clusters taken into account; NaN where the data cannot tell."""

    difference: float
    """Mantel-Haenszel mean over strata of p1 - p2."""
    difference_standard_error: float
    difference_interval: Interval
    """By Student's t, cut at -1 and 1."""
    ratio: float
    """Over strata: ratio of the Mantel-Haenszel means of p1 and p2."""
    log_ratio_standard_error: float
    ratio_interval: Interval
    """By Student's t on the log scale."""
    p_value: float
    """Two-sided, of no difference."""
    degrees_of_freedom: int
    """Clusters less one."""
    design_effect: float
    """Variance of the difference over what it would be of units that are independent of each other."""


def cluster_moments(units: ArrayLike, successes: ArrayLike) -> ClusterMoments:
    """Moments of counts per cluster: `units` and `successes` are C x 2 K, cells as in `ClusterMoments`.
    Raises UsageError where they do not fit together.

    >>> cluster_moments([[3, 0], [2, 4]], [[1, 0], [0, 2]]).units_units
    array([[13.,  8.],
           [ 8., 16.]])
    """
    n, x = finite_array("units", units, (2,)), finite_array("successes", successes, (2,))
    if n.shape != x.shape:
        raise UsageError(f"units is {n.shape} and successes {x.shape}; both need one row per cluster.")
    if (x < 0).any() or (x > n).any():
        raise UsageError("successes must lie between 0 and units in every cluster and cell.")
    present = int(np.count_nonzero(n.any(axis=1)))
    return ClusterMoments(n.sum(axis=0), x.sum(axis=0), n.T @ n, n.T @ x, x.T @ x, present)


def clustered_comparison(moments: ClusterMoments, confidence: float = 0.95) -> ClusteredComparison:
    """Difference and ratio of two arms with cluster-robust intervals.

    Strata with one arm only have no weight. Clusters of one unit each give the plain delta method, with
    N / (N - 1). The standard errors are NaN of fewer than two clusters, or where an arm does not vary
    at all, such as one without a success: take `rate_difference_interval` there and say that clusters are
    not taken into account. Few clusters (under 40 or so in an arm) make the intervals too narrow.
    Raises UsageError.

    >>> moments = cluster_moments([[5, 4], [6, 5], [4, 6], [5, 5]], [[2, 1], [4, 2], [1, 1], [3, 1]])
    >>> result = clustered_comparison(moments)
    >>> low, high = result.difference_interval
    >>> print(f"{result.difference:.2f} [{low:.3f}, {high:.3f}] design effect {result.design_effect:.2f}")
    0.25 [0.055, 0.445] design effect 0.17
    """
    check_confidence(confidence)
    found = _linearised(moments)
    freedom = moments.clusters - 1
    if math.isnan(found.difference_error):
        return ClusteredComparison(
            found.difference, math.nan, UNKNOWN_INTERVAL, found.ratio, math.nan, UNKNOWN_INTERVAL, math.nan,
            freedom, math.nan,
        )  # fmt: skip
    low, high = student_interval(found.difference, found.difference_error, freedom, confidence)
    factor = math.exp(float(stdtrit(freedom, 0.5 + confidence / 2)) * found.log_error)
    return ClusteredComparison(
        difference=found.difference,
        difference_standard_error=found.difference_error,
        difference_interval=Interval(max(-1.0, low), min(1.0, high)),
        ratio=found.ratio,
        log_ratio_standard_error=found.log_error,
        ratio_interval=Interval(found.ratio / factor, found.ratio * factor),
        p_value=_student(found.difference / found.difference_error, freedom, "two-sided").p_value,
        degrees_of_freedom=freedom,
        design_effect=(found.difference_error / found.independent_error) ** 2,
    )


def clustered_margin_test(
    moments: ClusterMoments, margin: float, scale: Scale = "ratio", alternative: Alternative = "greater"
) -> TestResult:
    """Test of arm 1 against arm 2 and a margin, as `margin_test`, by the intervals of `clustered_comparison`.

    With a one-sided alternative p is below .025 exactly where the 95% interval lies beyond the margin. NaN
    where the standard error is. Raises UsageError.

    >>> moments = cluster_moments([[5, 4], [6, 5], [4, 6], [5, 5]], [[2, 1], [4, 2], [1, 1], [3, 1]])
    >>> print(f"{clustered_margin_test(moments, 0.9).p_value:.4f}")
    0.0055
    """
    check_choice("alternative", alternative, ("greater", "less", "two-sided"))
    null = check_margin(margin, scale)
    found = _linearised(moments)
    if math.isnan(found.difference_error):
        return TestResult(math.nan, math.nan)
    if scale == "difference":
        statistic = (found.difference - null) / found.difference_error
    else:
        statistic = (math.log(found.ratio) - math.log(null)) / found.log_error
    return _student(statistic, moments.clusters - 1, alternative)


class _Linearised(NamedTuple):
    difference: float
    difference_error: float
    ratio: float
    log_error: float
    independent_error: float
    """Standard error of the difference of independent units."""


def _linearised(moments: ClusterMoments) -> _Linearised:
    strata = len(moments.units) // 2
    both = (moments.units[:strata] > 0) & (moments.units[strata:] > 0)
    if not both.any():
        return _Linearised(*[math.nan] * 5)
    cells = np.flatnonzero(np.concatenate([both, both]))
    n, x = moments.units[cells], moments.successes[cells]
    rates = x / n
    n1, n2 = np.split(n, 2)
    weights = n1 * n2 / (n1 + n2)
    weights /= weights.sum()
    p1, p2 = (float(weights @ part) for part in np.split(rates, 2))
    ratio = p1 / p2 if p2 > 0 else math.inf if p1 > 0 else math.nan
    unknown = _Linearised(p1 - p2, math.nan, ratio, math.nan, math.nan)
    square = np.ix_(cells, cells)
    crossed = moments.units_successes[square]
    products = (
        moments.successes_successes[square]
        - rates[:, None] * crossed
        - rates[None, :] * crossed.T
        + np.outer(rates, rates) * moments.units_units[square]
    ) / np.outer(n, n)
    if moments.clusters < 2:
        return unknown
    covariance = products * moments.clusters / (moments.clusters - 1)
    total = float(n.sum())
    independent = rates * (1 - rates) / n * total / (total - 1)
    none, signs = 0 * weights, np.concatenate([weights, -weights])
    difference_error = _error(covariance, signs)
    arm_errors = [_error(covariance, np.concatenate(side)) for side in ((weights, none), (none, weights))]
    # Before the subtractions above cancelled it, this is what each variance was made of.
    scale = math.sqrt(float(signs**2 @ (rates**2 * np.diagonal(moments.units_units[square]) / n**2)))
    if min(difference_error, *arm_errors) <= math.sqrt(NO_SPREAD) * scale:
        return unknown
    log_error = _error(covariance, np.concatenate([weights / p1, -weights / p2]))
    if log_error <= math.sqrt(NO_SPREAD) * scale / min(p1, p2):
        return unknown
    return _Linearised(p1 - p2, difference_error, ratio, log_error, math.sqrt(float(signs**2 @ independent)))


def _error(covariance: NDArray[np.float64], gradient: NDArray[np.float64]) -> float:
    return math.sqrt(max(0.0, float(gradient @ covariance @ gradient)))


def _student(statistic: float, freedom: int, alternative: str) -> TestResult:
    if alternative == "two-sided":
        return TestResult(statistic, min(1.0, 2 * float(stdtr(freedom, -abs(statistic)))))
    return TestResult(statistic, float(stdtr(freedom, -statistic if alternative == "greater" else statistic)))
