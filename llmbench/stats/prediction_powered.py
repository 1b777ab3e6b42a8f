"""The mean that people would give, from few of their labels and many scores of a judge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri

from llmbench.errors import UsageError
from llmbench.stats.checks import check_confidence, check_same_items, finite_array
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["PredictionPoweredMean", "prediction_powered_mean"]


class PredictionPoweredMean(NamedTuple):
    """A mean of labels, helped by a judge."""

    mean: float
    interval: Interval
    standard_error: float
    judge_weight: float
    """How much the judge's scores count, 0 (not at all: the labels' own mean) to 1."""
    labels: int
    judged: int
    """Scores without a label."""


def prediction_powered_mean(
    labels: ArrayLike, judge_there: ArrayLike, judge_elsewhere: ArrayLike, confidence: float = 0.95
) -> PredictionPoweredMean:
    """Mean label of all answers, of which a random sample has `labels` (n numbers).

    `judge_there` are the judge's scores of those n answers, `judge_elsewhere` its scores of the others.
    The judge's mean elsewhere, corrected by how it errs where the labels are, with the weight that makes
    the variance smallest: Angelopoulos, Duchi and Zrnic (2023), PPI++, arXiv:2311.01453; normal interval,
    too narrow under some 50 labels. A judge that knows nothing gets the weight 0, so it never harms.
    NaN of fewer than two labels; without `judge_elsewhere` the labels' own mean. Raises UsageError.

    >>> found = prediction_powered_mean([1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 0, 1, 1, 0])
    >>> print(f"{found.mean:.4f} {found.judge_weight:.4f}")
    0.7118 0.3611
    """
    check_confidence(confidence)
    check_same_items("labels", labels, "judge_there", judge_there)
    given = finite_array("labels", labels)
    there = finite_array("judge_there", judge_there)
    elsewhere = finite_array("judge_elsewhere", judge_elsewhere)
    n, rest = len(given), len(elsewhere)
    if len(there) != n:
        raise UsageError(f"labels has {n} values and judge_there has {len(there)}; both need one per answer.")
    if n < 2:
        mean = float(given.mean()) if n else math.nan
        return PredictionPoweredMean(mean, UNKNOWN_INTERVAL, math.nan, 0.0, n, rest)
    weight = 0.0
    spread = float(np.var(np.concatenate([there, elsewhere]), ddof=1))
    if rest and spread > 0:
        covariance = float(np.mean((given - given.mean()) * (there - there.mean())))
        weight = min(1.0, max(0.0, covariance / ((1 + n / rest) * spread)))
    corrections = given - weight * there
    mean = float(corrections.mean())
    variance = float(corrections.var()) / n
    if rest:
        mean += weight * float(elsewhere.mean())
        variance += weight**2 * float(elsewhere.var()) / rest
    standard_error = math.sqrt(variance)
    half = float(ndtri(0.5 + confidence / 2)) * standard_error
    return PredictionPoweredMean(mean, Interval(mean - half, mean + half), standard_error, weight, n, rest)
