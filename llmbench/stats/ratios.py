"""A ratio of two totals, such as dollars per correct answer."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import check_same_items, cluster_codes, finite_array
from llmbench.stats.means import standard_error_of_mean

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["RatioEstimate", "ratio_of_totals"]


@shown
class RatioEstimate(NamedTuple):
    """A ratio of totals and how far it may be off."""

    ratio: float
    """Total of the numerators over total of the denominators; NaN where the latter is zero."""
    standard_error: float
    """By the delta method; NaN of fewer than two units."""


def ratio_of_totals(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: Iterable[Hashable] | None = None,
) -> RatioEstimate:
    """Total of `numerators` over total of `denominators`, both given per unit (item, user, lead).

    The standard error is that of the mean of x_i - ratio · y_i over the mean of y, which is the delta
    method with the covariance of both within a unit: Deng, Knoblich and Lu (2018), arXiv:1803.06336.
    With `clusters` (one label per unit) those residuals are summed by cluster first. Raises UsageError
    for unequal lengths, missing values, or negative denominators.

    >>> cost, correct = [0.002, 0.004, 0.003, 0.003], [1, 0, 1, 1]
    >>> ratio, standard_error = ratio_of_totals(cost, correct)
    >>> print(f"{ratio:.4f} {standard_error:.4f}")
    0.0040 0.0018
    """
    check_same_items("numerators", numerators, "denominators", denominators)
    x, y = finite_array("numerators", numerators), finite_array("denominators", denominators)
    if len(x) != len(y):
        raise UsageError(f"numerators has {len(x)} values and denominators {len(y)}; both need one per unit.")
    if (y < 0).any():
        raise UsageError("denominators must not be negative.")
    codes = cluster_codes(clusters, "numerators", numerators, len(x))
    total = float(y.sum())
    if total == 0:
        return RatioEstimate(math.nan, math.nan)
    ratio = float(x.sum()) / total
    standard_error, _ = standard_error_of_mean(x - ratio * y, codes)
    return RatioEstimate(ratio, standard_error * len(x) / total)
