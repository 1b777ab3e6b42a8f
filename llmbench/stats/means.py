"""Mean, standard error and interval of values that may come in clusters."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtrit

from llmbench.shown import shown
from llmbench.stats.checks import (
    NO_SPREAD,
    check_confidence,
    check_value_range,
    cluster_codes,
    finite_array,
)
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MeanEstimate", "mean_and_standard_error", "mean_interval", "standard_error_of_mean"]


@shown
class MeanEstimate(NamedTuple):
    """A mean and how far it may be off."""

    mean: float
    """Mean of all values; NaN where there are none."""
    standard_error: float
    """Its standard error; NaN of fewer than two values, or two clusters."""


def mean_and_standard_error(values: ArrayLike, clusters: Iterable[Hashable] | None = None) -> MeanEstimate:
    """Mean of `values` (n numbers) and its standard error.

    With `clusters` (n labels) values of one cluster may depend on each other: residuals are summed
    by cluster, SE² = C/(C-1) · Σ_c (Σ_{i in c} (x_i - mean))² / n², with C clusters. The factor C/(C-1)
    makes clusters of one value each give sd/√n with n - 1; Miller (2024, arXiv:2411.00640) omits it.
    Raises UsageError for missing or infinite values and for a wrong number of labels.

    >>> print(f"{mean_and_standard_error(range(20)).standard_error:.4f}")
    1.3229
    >>> mean, standard_error = mean_and_standard_error(range(20), [i % 4 for i in range(20)])
    >>> print(f"{mean} {standard_error:.7f}")
    9.5 0.6454972
    """
    array = finite_array("values", values)
    codes = cluster_codes(clusters, "values", values, len(array))
    if len(array) == 0:
        return MeanEstimate(math.nan, math.nan)
    mean = float(array.mean())
    return MeanEstimate(mean, standard_error_of_mean(array - mean, codes)[0])


def mean_interval(
    values: ArrayLike,
    clusters: Iterable[Hashable] | None = None,
    confidence: float = 0.95,
    *,
    value_range: tuple[float, float] | None = None,
) -> Interval:
    """Student t interval of a mean, with n - 1 degrees of freedom, or C - 1 of C clusters.

    Values without any spread make that interval a point. Where `value_range` says what the values
    could have been (scores: (0, 1)), the interval is then exact instead: it leaves out the means under
    which n equal draws are less likely than (1 - confidence) / 2 on their side. NaN of fewer than two
    values, or two clusters. Raises UsageError.

    >>> low, high = mean_interval([1, 2, 3, 4, 5])
    >>> print(f"{low:.3f} {high:.3f}")
    1.037 4.963
    >>> low, high = mean_interval([1.0] * 10, value_range=(0, 1))
    >>> print(f"{low:.4f} {high:.4f}")
    0.6915 1.0000
    """
    check_confidence(confidence)
    check_value_range(value_range)
    array = finite_array("values", values)
    codes = cluster_codes(clusters, "values", values, len(array))
    if len(array) == 0:
        return UNKNOWN_INTERVAL
    mean = float(array.mean())
    standard_error, units = standard_error_of_mean(array - mean, codes)
    if math.isnan(standard_error):
        return UNKNOWN_INTERVAL
    if standard_error <= NO_SPREAD * float(np.abs(array).max()):
        if value_range is None or array.min() < value_range[0] or array.max() > value_range[1]:
            return Interval(mean, mean)
        return constant_sample_interval(mean, units, value_range, confidence)
    return student_interval(mean, standard_error, units - 1, confidence)


def standard_error_of_mean(
    residuals: NDArray[np.float64], codes: NDArray[np.intp] | None
) -> tuple[float, int]:
    """Standard error of a mean from residuals that sum to zero, and the number of independent units.

    `codes` numbers the cluster of each residual; None: each is a unit of its own.
    """
    n = len(residuals)
    totals = residuals if codes is None else np.bincount(codes, weights=residuals)
    units = len(totals)
    if units < 2:
        return math.nan, units
    return math.sqrt(units / (units - 1) * float(totals @ totals)) / n, units


def student_interval(
    estimate: float, standard_error: float, degrees_of_freedom: int, confidence: float
) -> Interval:
    """Estimate ± t · standard error."""
    half_width = float(stdtrit(degrees_of_freedom, 0.5 + confidence / 2)) * standard_error
    return Interval(estimate - half_width, estimate + half_width)


def constant_sample_interval(
    value: float, n: int, value_range: tuple[float, float], confidence: float
) -> Interval:
    """Exact interval of a mean after n independent draws from `value_range` all came out as `value`.

    With probability u of anything else, n equal draws have probability (1-u)^n; the mean is lowest
    when all of u lies at the lower end of the range, highest when at the upper. For value 0 or 1
    in (0, 1) this is the Clopper-Pearson limit of 0 or n successes.
    """
    low, high = value_range
    other = -math.expm1(math.log((1 - confidence) / 2) / n)
    return Interval(value - other * (value - low), value + other * (high - value))
