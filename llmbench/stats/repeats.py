"""What several answers to the same item tell: chances over k tries, and where the variance sits."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import gammaln

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import check_count, check_positive, cluster_codes, finite_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["VarianceComponents", "pass_at_k", "pass_hat_k", "variance_components"]


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> float | NDArray[np.float64]:
    """Chance that at least one of `k` answers to an item is right, when `c` of its `n` answers were.

    1 - C(n-c, k) / C(n, k), without bias: Chen et al. (2021), arXiv:2107.03374. Numbers give a number,
    arrays one value per item, whose mean is the score. NaN where an item has fewer than k answers.
    Raises UsageError.

    >>> print(f"{pass_at_k(10, 3, 5):.6f}")
    0.916667
    """
    return _shares(n, c, k, lambda total, right: 1 - _without(total, total - right, k))


def pass_hat_k(n: ArrayLike, c: ArrayLike, k: int) -> float | NDArray[np.float64]:
    """Chance that all of `k` answers to an item are right ("pass^k"), when `c` of its `n` answers were.

    C(c, k) / C(n, k), without bias: Yao et al. (2024), tau-bench, arXiv:2406.12045. Shapes and errors as
    in `pass_at_k`.

    >>> print(f"{pass_hat_k(4, 3, 2):.6f}")
    0.500000
    """
    return _shares(n, c, k, lambda total, right: _without(total, right, k))


@shown
class VarianceComponents(NamedTuple):
    """Variance of scores, split by a one-way random-effects analysis."""

    between: float
    """Of the items' true means; 0 where the estimate falls below, NaN where it cannot be told."""
    within: float
    """Of repeated answers to one item; NaN where no item has two."""
    items: int
    answers: int

    def standard_error(self, repeats: float) -> float:
        """Of the mean of as many items with `repeats` answers each. Raises UsageError for none."""
        check_positive("repeats", repeats)
        return math.sqrt((self.between + self.within / repeats) / self.items) if self.items else math.nan


def variance_components(values: ArrayLike, items: Iterable[Hashable]) -> VarianceComponents:
    """Variance between items and within them, of `values` (n scores) with one label of `items` each.

    Mean squares of a one-way analysis of variance with unequal numbers of answers: Searle, Casella and
    McCulloch (1992), Variance Components, section 3.6. Raises UsageError.

    >>> found = variance_components([1, 1, 0, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
    >>> print(f"{found.between:.4f} {found.within:.4f}")
    0.1667 0.1667
    """
    array = finite_array("values", values)
    codes = cluster_codes(items, "values", values, len(array))
    if codes is None:
        raise UsageError("items must be a list of one label per value.")
    n = len(array)
    if n == 0:
        return VarianceComponents(math.nan, math.nan, 0, 0)
    counts = np.bincount(codes)
    number = len(counts)
    means = np.bincount(codes, weights=array) / counts
    if n == number:
        return VarianceComponents(math.nan, math.nan, number, n)
    residuals = array - means[codes]
    within = float(residuals @ residuals) / (n - number)
    if number < 2:
        return VarianceComponents(math.nan, within, number, n)
    between_mean_square = float(counts @ (means - array.mean()) ** 2) / (number - 1)
    typical = (n - float(counts @ counts) / n) / (number - 1)
    return VarianceComponents(max(0.0, (between_mean_square - within) / typical), within, number, n)


def _shares(
    n: ArrayLike, c: ArrayLike, k: int, share: Callable[..., NDArray[np.float64]]
) -> float | NDArray[np.float64]:
    check_count("k", k, least=1)
    total, right = (finite_array(name, value, (0, 1)) for name, value in (("n", n), ("c", c)))
    for name, values in (("n", total), ("c", right)):
        if (values < 0).any() or (values != np.floor(values)).any():
            raise UsageError(f"{name} must be whole numbers of answers, not below zero.")
    if total.ndim and right.ndim and len(total) != len(right):
        raise UsageError(f"n has {len(total)} values and c has {len(right)}; both need one per item.")
    total, right = np.broadcast_arrays(total, right)
    if (right > total).any():
        raise UsageError("c must not exceed n: more right answers than answers.")
    found: NDArray[np.float64] = np.where(total < k, math.nan, share(np.maximum(total, k), right))
    return float(found) if found.ndim == 0 else found


def _without(total: NDArray[np.float64], allowed: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """C(allowed, k) / C(total, k): the chance that k of `total` all fall among `allowed` ones."""
    possible = np.maximum(allowed, k)
    logs = gammaln(possible + 1) - gammaln(possible - k + 1) - gammaln(total + 1) + gammaln(total - k + 1)
    # All or none allowed are exactly 1 and 0, where the logarithms leave a last digit.
    return np.where(allowed < k, 0.0, np.where(allowed >= total, 1.0, np.exp(logs)))
