"""Interval of a quantile, whatever the distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr

from llmbench.stats.checks import check_confidence, check_open_unit, finite_array
from llmbench.stats.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["quantile_interval"]


def quantile_interval(values: ArrayLike, q: float, confidence: float = 0.95) -> Interval:
    """Interval of the `q` quantile between two of the values, each tail at most (1 - confidence) / 2.

    The number of values below the quantile is binomial(n, q), so the j-th smallest value lies above it
    with probability P(B < j): the limits are the innermost order statistics that keep both tails, and the
    interval covers at least `confidence` for any distribution. A limit that n values cannot give is NaN:
    a 95% interval of the median needs 6 values, of the .95 quantile 72. Raises UsageError.
    Source: David and Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1.

    >>> quantile_interval([3, 1, 2, 6, 5, 4], 0.5)
    Interval(low=1.0, high=6.0)
    >>> quantile_interval(range(1, 101), 0.5)
    Interval(low=40.0, high=61.0)
    """
    check_open_unit("q", q)
    check_confidence(confidence)
    ascending = np.sort(finite_array("values", values))
    n = len(ascending)
    if n == 0:
        return Interval(np.nan, np.nan)
    tail = (1 - confidence) / 2
    ranks = np.arange(1, n + 1)
    # Both tails are sums of small terms, not 1 minus something: P(B < j), and P(B >= j) = P(n-B <= n-j).
    low_ranks = ranks[bdtr(ranks - 1.0, n, q) <= tail]
    high_ranks = ranks[bdtr(n - ranks.astype(float), n, 1 - q) <= tail]
    return Interval(
        float(ascending[low_ranks[-1] - 1]) if low_ranks.size else np.nan,
        float(ascending[high_ranks[0] - 1]) if high_ranks.size else np.nan,
    )
