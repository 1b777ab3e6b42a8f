"""Two sets of answers to the same items: difference, interval and tests."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy.special import bdtr, ndtr, stdtr

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import (
    NO_SPREAD,
    check_choice,
    check_confidence,
    check_number,
    check_value_range,
    cluster_codes,
    paired_arrays,
)
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval, TestResult
from llmbench.stats.means import constant_sample_interval, standard_error_of_mean, student_interval
from llmbench.stats.tango import tango_interval, tango_statistic

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PairedDifference", "mcnemar", "paired_difference", "paired_margin_test"]


@shown
class PairedDifference(NamedTuple):
    """Mean of first minus second over the items that both answered."""

    difference: float
    """Mean difference; NaN where no item has both values."""
    interval: Interval
    """Its confidence interval; NaN of fewer than two items, or two clusters."""
    p_value: float
    """Two-sided, of the null "no difference"; below 1 - confidence exactly where the interval excludes 0."""


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Iterable[Hashable] | None = None,
    confidence: float = 0.95,
    *,
    value_range: tuple[float, float] | None = (0.0, 1.0),
) -> PairedDifference:
    """Mean of a minus b on the same items, with interval and two-sided p-value.

    `a` and `b` hold one value per item, in the same order; an item with a NaN on either side is left
    out. The method follows from the data:

    - all values 0 or 1, no cluster of more than one item: Tango's (1998) score interval and test;
    - otherwise Student's t on the differences, with n - 1 degrees of freedom, or, where `clusters`
      (one label per item) repeat, a clustered standard error and C - 1 (see `mean_and_standard_error`);
    - differences without spread (within, or clusters: between), of which t would make a point and
      p = 0: the exact bound for values in `value_range`, a cluster counting as one draw. NaN where
      the range is None or a value lies outside it.

    Raises UsageError for unequal lengths, infinite values, missing labels, or pandas columns whose
    labels show that different items would be paired.

    >>> new = [1] * 59 + [1] * 6 + [0] * 16 + [0] * 80
    >>> old = [1] * 59 + [0] * 6 + [1] * 16 + [0] * 80
    >>> difference, (low, high), p_value = paired_difference(new, old)
    >>> print(f"{difference:.4f} [{low:.4f}, {high:.4f}] p = {p_value:.4f}")
    -0.0621 [-0.1240, -0.0054] p = 0.0330
    """
    check_confidence(confidence)
    sample = _paired_sample(a, b, clusters, value_range)
    _, greater, less = sample.tails(0.0)
    return PairedDifference(sample.difference, sample.interval(confidence), _two_sided(greater, less))


def paired_margin_test(
    a: ArrayLike,
    b: ArrayLike,
    margin: float,
    clusters: Iterable[Hashable] | None = None,
    alternative: Literal["greater", "less"] = "greater",
    *,
    value_range: tuple[float, float] | None = (0.0, 1.0),
) -> TestResult:
    """One-sided test of a paired difference against a margin, by the methods of `paired_difference`.

    `margin` is the null value of a minus b: -0.03 asks whether a is at most 3 points worse. With
    alternative "greater" p is below .025 exactly where the 95% interval lies above the margin;
    where low is good, the margin is positive and the alternative "less". Raises UsageError.

    >>> same = [1] * 150 + [0] * 50
    >>> paired_margin_test(same, same, margin=-0.03).p_value < 0.025
    True
    """
    check_number("margin", margin)
    check_choice("alternative", alternative, ("greater", "less"))
    sample = _paired_sample(a, b, clusters, value_range)
    if sample.is_binary and not -1 <= margin <= 1:
        raise UsageError(f"margin is a difference of proportions and must lie in [-1, 1], not {margin!r}.")
    statistic, greater, less = sample.tails(margin)
    return TestResult(statistic, greater if alternative == "greater" else less)


def mcnemar(a: ArrayLike, b: ArrayLike) -> TestResult:
    """Exact two-sided test that two sets of 0/1 answers are right equally often.

    Conditional on the discordant items, those that only `a` got right are binomial with rate 1/2;
    the statistic counts them. Without discordant items p is 1, of no items NaN. An item with a NaN
    on either side is left out. Raises UsageError for values other than 0 and 1.
    Conservative: `paired_difference` has the score test that belongs to its interval.
    Source: McNemar (1947), Psychometrika 12:153.

    >>> new = [1] * 59 + [1] * 6 + [0] * 16 + [0] * 80
    >>> old = [1] * 59 + [0] * 6 + [1] * 16 + [0] * 80
    >>> print(f"{mcnemar(new, old).p_value:.6f}")
    0.052479
    """
    sample = _paired_sample(a, b, None, None)
    if sample.n == 0:
        return TestResult(math.nan, math.nan)
    if not sample.is_binary:
        raise UsageError("a and b must hold only 0 and 1 (and NaN where missing).")
    fewer, more = sorted((sample.only_first, sample.only_second))
    return TestResult(float(sample.only_first), min(1.0, 2 * float(bdtr(fewer, fewer + more, 0.5))))


@dataclass(frozen=True)
class _PairedSample:
    differences: NDArray[np.float64]
    codes: NDArray[np.intp] | None
    is_binary: bool
    is_constant: bool
    difference: float
    standard_error: float
    units: int
    value_range: tuple[float, float] | None
    """Of the differences; None where it is not known."""

    @property
    def n(self) -> int:
        return len(self.differences)

    @property
    def only_first(self) -> int:
        return int(np.count_nonzero(self.differences > 0))

    @property
    def only_second(self) -> int:
        return int(np.count_nonzero(self.differences < 0))

    @property
    def _uses_score_test(self) -> bool:
        return self.is_binary and self.codes is None

    def interval(self, confidence: float) -> Interval:
        if self.units < 2:
            return UNKNOWN_INTERVAL
        if self._uses_score_test:
            return tango_interval(self.only_first, self.only_second, self.n, confidence)
        if not self.is_constant:
            return student_interval(self.difference, self.standard_error, self.units - 1, confidence)
        if self.value_range is None:
            return UNKNOWN_INTERVAL
        return constant_sample_interval(self.difference, self.units, self.value_range, confidence)

    def tails(self, null: float) -> tuple[float, float, float]:
        """Statistic, and the p-values against "at most `null`" and "at least `null`"."""
        if self.units < 2:
            return math.nan, math.nan, math.nan
        if self._uses_score_test:
            z = tango_statistic(self.only_first, self.only_second, self.n, null)
            return z, float(ndtr(-z)), float(ndtr(z))
        if not self.is_constant:
            t = (self.difference - null) / self.standard_error
            return t, float(stdtr(self.units - 1, -t)), float(stdtr(self.units - 1, t))
        if self.value_range is None:
            return math.nan, math.nan, math.nan
        low, high = self.value_range
        statistic = self.difference - null
        return (
            statistic,
            _chance_of_constant(self.difference - low, null - low, self.units),
            _chance_of_constant(high - self.difference, high - null, self.units),
        )


def _paired_sample(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Iterable[Hashable] | None,
    value_range: tuple[float, float] | None,
) -> _PairedSample:
    check_value_range(value_range)
    first, second = paired_arrays("a", a, "b", b)
    codes = cluster_codes(clusters, "a", a, len(first))
    both = ~(np.isnan(first) | np.isnan(second))
    first, second = first[both], second[both]
    if codes is not None:
        codes = np.unique(codes[both], return_inverse=True)[1]
        # Clusters of one item each are no clusters, and leave the better method for 0/1 answers open.
        if codes.size == 0 or codes.max() + 1 == codes.size:
            codes = None
    differences = first - second
    values = np.concatenate([first, second])
    scale = float(np.abs(values).max(initial=0.0))
    difference = float(differences.mean()) if differences.size else math.nan
    standard_error, units = standard_error_of_mean(differences - difference, codes)
    spans_range = value_range is not None and (
        not values.size or (value_range[0] <= values.min() and values.max() <= value_range[1])
    )
    reach = value_range[1] - value_range[0] if value_range is not None else math.nan
    return _PairedSample(
        differences=differences,
        codes=codes,
        is_binary=bool(np.isin(values, (0.0, 1.0)).all()),
        is_constant=standard_error <= NO_SPREAD * scale,
        difference=difference,
        standard_error=standard_error,
        units=units,
        value_range=(-reach, reach) if spans_range else None,
    )


def _chance_of_constant(distance: float, null_distance: float, n: int) -> float:
    """Largest chance of n draws all at `distance` from the end of their range while their mean is no
    further than `null_distance` from it: the rest then lies at the end.
    """
    if null_distance >= distance:
        return 1.0
    if null_distance <= 0:
        return 0.0
    return float((null_distance / distance) ** n)


def _two_sided(greater: float, less: float) -> float:
    # min() would take 1 over NaN.
    return math.nan if math.isnan(greater) else min(1.0, 2 * min(greater, less))
