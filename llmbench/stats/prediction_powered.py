"""The mean that people would give, from few of their labels and many scores of a judge."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import (
    NO_SPREAD,
    check_confidence,
    check_same_items,
    check_value_range,
    cluster_codes,
    finite_array,
)
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval
from llmbench.stats.means import constant_sample_interval, student_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "JudgedSample",
    "PredictionPoweredDifference",
    "PredictionPoweredMean",
    "prediction_powered_difference",
    "prediction_powered_mean",
]


@shown
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


@shown
class PredictionPoweredDifference(NamedTuple):
    """First mean less the second, both helped by a judge."""

    difference: float
    interval: Interval
    standard_error: float


@shown
class JudgedSample(NamedTuple):
    """What `prediction_powered_mean` takes, of one of two models over the same items."""

    labels: ArrayLike
    judge_there: ArrayLike
    judge_elsewhere: ArrayLike
    clusters_there: Iterable[Hashable]
    """A label each, the same for the same item (or customer) in both samples."""
    clusters_elsewhere: Iterable[Hashable]


def prediction_powered_mean(
    labels: ArrayLike,
    judge_there: ArrayLike,
    judge_elsewhere: ArrayLike,
    confidence: float = 0.95,
    *,
    clusters_there: Iterable[Hashable] | None = None,
    clusters_elsewhere: Iterable[Hashable] | None = None,
    value_range: tuple[float, float] | None = None,
) -> PredictionPoweredMean:
    """Mean label of all answers, of which a random sample has `labels` (n numbers).

    `judge_there` are the judge's scores of those n answers, `judge_elsewhere` its scores of the others.
    The judge's mean elsewhere, corrected by how it errs where the labels are, with the weight that makes
    the variance smallest: Angelopoulos, Duchi and Zrnic (2023), PPI++, arXiv:2311.01453; normal interval,
    too narrow under some 50 labels. A judge that knows nothing gets the weight 0, so it never harms.

    With clusters (answers to one item, which may be labelled here and judged there) the variance is that
    of the sums over clusters, and the interval Student's t with one degree of freedom less than there are
    clusters with a label. Where `value_range` says what labels and scores can be, the interval is kept
    within, and of labels that are all the same it is exact (see `mean_interval`).
    NaN of fewer than two labels, or two clusters with one; without `judge_elsewhere` the labels' own mean.
    Raises UsageError.

    >>> found = prediction_powered_mean([1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 0, 1, 1, 0])
    >>> print(f"{found.mean:.4f} {found.judge_weight:.4f}")
    0.7118 0.3611
    """
    check_confidence(confidence)
    check_value_range(value_range)
    if (clusters_there is None) != (clusters_elsewhere is None):
        raise UsageError("clusters_there and clusters_elsewhere go together; give both or none.")
    fit = _fit(labels, judge_there, judge_elsewhere)
    n, rest = len(fit.there), len(fit.elsewhere)
    if n < 2:
        return PredictionPoweredMean(fit.mean, UNKNOWN_INTERVAL, math.nan, 0.0, n, rest)
    if clusters_there is None or clusters_elsewhere is None:
        standard_error = math.sqrt(float(fit.there @ fit.there) + float(fit.elsewhere @ fit.elsewhere))
        half, units = float(ndtri(0.5 + confidence / 2)) * standard_error, n
        interval = Interval(fit.mean - half, fit.mean + half)
    else:
        sums, units = _by_cluster(fit, list(clusters_there), list(clusters_elsewhere))
        if units < 2:
            return PredictionPoweredMean(fit.mean, UNKNOWN_INTERVAL, math.nan, fit.weight, n, rest)
        standard_error = _clustered_error(np.array(list(sums.values())), units)
        interval = student_interval(fit.mean, standard_error, units - 1, confidence)
    if value_range is not None:
        interval = _within(fit, interval, units, value_range, confidence)
    return PredictionPoweredMean(fit.mean, interval, standard_error, fit.weight, n, rest)


def prediction_powered_difference(
    first: JudgedSample,
    second: JudgedSample,
    confidence: float = 0.95,
    *,
    value_range: tuple[float, float] | None = None,
) -> PredictionPoweredDifference:
    """Mean label of the first model less that of the second, over the same items: each corrected by itself
    as `prediction_powered_mean` does, the variance that of both together by cluster.

    Student's t with one degree of freedom less than the smaller number of clusters with a label. Where all
    labels of one side are the same, which looks like no variance, and `value_range` is given: from the
    limits of both means, sqrt of the sum of squares (Zou and Donner 2008, Statistics in Medicine 27:1693).
    NaN where either mean has no interval. Raises UsageError.

    >>> a = JudgedSample([1, 1, 0], [1, 1, 0], [1, 0, 1], list("abc"), list("def"))
    >>> b = JudgedSample([0, 1, 0], [0, 1, 1], [1, 0, 0], list("abd"), list("cef"))
    >>> print(f"{prediction_powered_difference(a, b).difference:.4f}")
    0.3951
    """
    means = [
        prediction_powered_mean(
            each.labels, each.judge_there, each.judge_elsewhere, confidence,
            clusters_there=each.clusters_there, clusters_elsewhere=each.clusters_elsewhere,
            value_range=value_range,
        )
        for each in (first, second)
    ]  # fmt: skip
    ours, theirs = means
    difference = ours.mean - theirs.mean
    if any(math.isnan(each.standard_error) for each in means):
        return PredictionPoweredDifference(difference, UNKNOWN_INTERVAL, math.nan)
    fits = [_fit(each.labels, each.judge_there, each.judge_elsewhere) for each in (first, second)]
    (a, units_a), (b, units_b) = (
        _by_cluster(fit, list(each.clusters_there), list(each.clusters_elsewhere))
        for fit, each in zip(fits, (first, second), strict=True)
    )
    units = min(units_a, units_b)
    sums = np.array([a.get(name, 0.0) - b.get(name, 0.0) for name in dict.fromkeys([*a, *b])])
    standard_error = _clustered_error(sums, units)
    interval = student_interval(difference, standard_error, units - 1, confidence)
    if value_range is not None:
        if any(fit.constant for fit in fits):
            interval = Interval(
                difference - math.hypot(ours.mean - ours.interval.low, theirs.interval.high - theirs.mean),
                difference + math.hypot(ours.interval.high - ours.mean, theirs.mean - theirs.interval.low),
            )
        span = value_range[1] - value_range[0]
        interval = Interval(max(-span, interval.low), min(span, interval.high))
    return PredictionPoweredDifference(difference, interval, standard_error)


class _Fit(NamedTuple):
    mean: float
    weight: float
    there: NDArray[np.float64]
    """How much each labelled answer pulls the mean; these and the next sum to zero, and their squares to
    the variance."""
    elsewhere: NDArray[np.float64]
    constant: bool
    """Whether all labels are the same, so that their spread tells nothing."""


def _fit(labels: ArrayLike, judge_there: ArrayLike, judge_elsewhere: ArrayLike) -> _Fit:
    check_same_items("labels", labels, "judge_there", judge_there)
    given = finite_array("labels", labels)
    there = finite_array("judge_there", judge_there)
    elsewhere = finite_array("judge_elsewhere", judge_elsewhere)
    n, rest = len(given), len(elsewhere)
    if len(there) != n:
        raise UsageError(f"labels has {n} values and judge_there has {len(there)}; both need one per answer.")
    nothing = np.zeros(rest)
    if n < 2:
        return _Fit(float(given.mean()) if n else math.nan, 0.0, np.zeros(n), nothing, constant=True)
    weight = 0.0
    spread = float(np.var(np.concatenate([there, elsewhere]), ddof=1))
    if rest and spread > 0:
        covariance = float(np.mean((given - given.mean()) * (there - there.mean())))
        weight = min(1.0, max(0.0, covariance / ((1 + n / rest) * spread)))
    corrections = given - weight * there
    mean = float(corrections.mean())
    pulls = nothing
    if rest:
        mean += weight * float(elsewhere.mean())
        pulls = weight * (elsewhere - elsewhere.mean()) / rest
    constant = bool(np.ptp(given) <= NO_SPREAD * np.abs(given).max())
    return _Fit(mean, weight, (corrections - corrections.mean()) / n, pulls, constant)


def _by_cluster(
    fit: _Fit, there: list[Hashable], elsewhere: list[Hashable]
) -> tuple[dict[Hashable, float], int]:
    """Sums of the pulls by cluster, and how many clusters have a label."""
    for name, clusters, pulls in (
        ("clusters_there", there, fit.there),
        ("clusters_elsewhere", elsewhere, fit.elsewhere),
    ):
        cluster_codes(clusters, name, pulls, len(pulls))
    sums: dict[Hashable, float] = {}
    for clusters, pulls in ((there, fit.there), (elsewhere, fit.elsewhere)):
        for cluster, pull in zip(clusters, pulls.tolist(), strict=True):
            sums[cluster] = sums.get(cluster, 0.0) + pull
    return sums, len(set(there))


def _clustered_error(sums: NDArray[np.float64], units: int) -> float:
    return math.sqrt(units / (units - 1) * float(sums @ sums))


def _within(
    fit: _Fit, interval: Interval, units: int, value_range: tuple[float, float], confidence: float
) -> Interval:
    if fit.constant and value_range[0] <= fit.mean <= value_range[1]:
        return constant_sample_interval(fit.mean, units, value_range, confidence)
    low, high = value_range
    return Interval(min(max(low, interval.low), high), max(min(high, interval.high), low))
