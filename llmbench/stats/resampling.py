"""Bootstrap interval of any statistic, resampling what is independent."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtr, ndtri

from llmbench.stats.checks import (
    check_choice,
    check_confidence,
    check_count,
    cluster_codes,
    finite_array,
)
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["bootstrap_interval"]


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    clusters: Iterable[Hashable] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 20250123,
    *,
    method: Literal["bca", "percentile"] = "bca",
) -> Interval:
    """Interval of `statistic`, a function of an array of rows that returns a number.

    `values` has one row per unit: a vector, or a matrix whose rows stay together (cost and score of
    an item). With `clusters` (one label per row) whole clusters are drawn, and the statistic is
    computed again from all their rows. "bca" corrects bias and skewness: Efron (1987), JASA 82:171;
    "percentile" takes the quantiles of the resampled statistics. Where no resample differs the
    interval is a point. It is NaN of fewer than two units, and where the statistic is not finite on
    some resample (leaving those out would bias it). Raises UsageError.

    >>> low, high = bootstrap_interval([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], np.median)
    >>> print(2 <= low < 5.5 < high <= 9)
    True
    """
    check_confidence(confidence)
    check_choice("method", method, ("bca", "percentile"))
    check_count("resamples", resamples, least=100)
    check_count("seed", seed)
    rows = finite_array("values", values, dimensions=(1, 2))
    codes = cluster_codes(clusters, "values", values, len(rows))
    unit_of_row = np.arange(len(rows)) if codes is None else codes
    n_units = int(unit_of_row.max(initial=-1)) + 1
    if n_units < 2:
        return UNKNOWN_INTERVAL
    rows_of = np.split(np.argsort(unit_of_row, kind="stable"), np.cumsum(np.bincount(unit_of_row))[:-1])
    random = np.random.default_rng(seed)
    replicates = np.empty(resamples)
    for number in range(resamples):
        drawn = random.integers(n_units, size=n_units)
        chosen = drawn if codes is None else np.concatenate([rows_of[unit] for unit in drawn])
        replicates[number] = statistic(rows[chosen])
    estimate = float(statistic(rows))
    if not math.isfinite(estimate) or not np.isfinite(replicates).all():
        return UNKNOWN_INTERVAL
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca" and np.ptp(replicates) > 0:
        left_out = np.array([float(statistic(rows[unit_of_row != unit])) for unit in range(n_units)])
        tails = _bca_levels(tails, estimate, replicates, left_out)
        if np.isnan(tails).any():
            return UNKNOWN_INTERVAL
    low, high = np.quantile(replicates, tails)
    return Interval(float(low), float(high))


def _bca_levels(
    tails: NDArray[np.float64],
    estimate: float,
    replicates: NDArray[np.float64],
    left_out: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Quantile levels of the replicates that make the interval bias-corrected and accelerated.

    NaN where the correction fails: the estimate lies outside all replicates, the statistic is not finite
    with some unit left out, or the acceleration is too strong.
    """
    if not np.isfinite(left_out).all():
        return np.full_like(tails, np.nan)
    # Ties count half: a median or a proportion repeats its own value in many resamples.
    below = (np.mean(replicates < estimate) + np.mean(replicates <= estimate)) / 2
    influence = left_out.mean() - left_out
    scale = float(np.sum(influence**2))
    if not 0 < below < 1:
        return np.full_like(tails, np.nan)
    bias = ndtri(below)
    acceleration = float(np.sum(influence**3)) / (6 * scale**1.5) if scale > 0 else 0.0
    shifted = bias + ndtri(tails)
    # Past this pole the levels fold back, and low would lie above high.
    if (acceleration * shifted >= 1).any():
        return np.full_like(tails, np.nan)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration * shifted)), dtype=float)
