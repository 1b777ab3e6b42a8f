"""How small a paired difference a set of items can show, and how many items a difference needs.

(z_{1-alpha/2} + z_power) · sd / √n, with sd the standard deviation of the differences per item:
Miller (2024), "Adding error bars to evals", arXiv:2411.00640, section on power analysis.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from llmbench.errors import UsageError
from llmbench.stats.checks import (
    NO_SPREAD,
    check_count,
    check_number,
    check_open_unit,
    check_positive,
    cluster_codes,
    number_array,
)
from llmbench.stats.means import standard_error_of_mean

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["discordance_spread", "items_needed", "minimum_detectable_paired_difference", "resolution_ratio"]


def minimum_detectable_paired_difference(
    differences: ArrayLike,
    n: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    clusters: Iterable[Hashable] | None = None,
) -> float:
    """The smallest true difference that `n` items show with chance `power`, two-sided at `alpha`.

    `differences` are those per item of a run or a pilot (NaN left out), or their standard deviation
    as one number (see `discordance_spread`); `n` is the number of items, by default those given.
    With `clusters` the standard deviation is the one that the clustered standard error amounts to,
    for more items of the same clustering. NaN where fewer than two items, or clusters, are given, or
    where the differences do not vary at all: such a sample plans nothing. Raises UsageError.

    >>> print(f"{minimum_detectable_paired_difference(1 / 3, n=969):.4f}")
    0.0300
    """
    spread, count = _spread(differences, clusters)
    if n is not None:
        count = check_count("n", n, least=1)
    if count is None:
        raise UsageError("n is needed where differences is one standard deviation.")
    effect = _effect_in_standard_errors(alpha, power)
    return effect * spread / math.sqrt(count) if count else math.nan


def items_needed(
    difference: float,
    differences: ArrayLike,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    clusters: Iterable[Hashable] | None = None,
) -> float:
    """Items, unrounded, that show a true `difference` with chance `power`, two-sided at `alpha`.

    `differences` and `clusters` as in `minimum_detectable_paired_difference`. To show that a candidate
    is not worse by a margin, `difference` is how far the true difference lies from the margin: 0.03 for
    a margin of -0.03 and a candidate just as good. NaN as there. Raises UsageError, also for a
    difference of zero, which no number of items shows.

    >>> print(f"{items_needed(0.03, 1 / 3):.3f}")
    968.997
    """
    if check_number("difference", difference) == 0:
        raise UsageError("difference must not be zero: no number of items shows it.")
    check_positive("The size of difference", abs(difference))
    spread, _ = _spread(differences, clusters)
    errors = _effect_in_standard_errors(alpha, power) * spread / difference
    return errors * errors


def resolution_ratio(
    differences: ArrayLike,
    alpha: float = 0.05,
    power: float = 0.8,
    *,
    clusters: Iterable[Hashable] | None = None,
) -> float:
    """Items there are, over the items that the observed mean difference would need: q = N / N*.

    Below 1 the items cannot tell the two models of `differences` (per item, NaN left out) apart with
    chance `power`, two-sided at `alpha`: arXiv:2605.30315. 0 where the mean difference is exactly zero,
    NaN as in `minimum_detectable_paired_difference`. Raises UsageError.

    >>> print(f"{resolution_ratio([1, 0, 0, 1, -1, 0, 1, 0]):.4f}")
    0.1274
    """
    needed_effect = minimum_detectable_paired_difference(
        differences, alpha=alpha, power=power, clusters=clusters
    )
    array = number_array("differences", differences)
    known = array[~np.isnan(array)]
    return float(known.mean() / needed_effect) ** 2 if len(known) else math.nan


def discordance_spread(discordance: float, difference: float = 0.0) -> float:
    """Standard deviation of the differences per item of 0/1 answers, √(discordance - difference²).

    `discordance` is the share of items that exactly one of the two gets right. Raises UsageError for
    a share outside (0, 1], or a difference larger than it.

    >>> discordance_spread(0.25)
    0.5
    """
    check_number("discordance", discordance)
    check_number("difference", difference)
    if not 0 < discordance <= 1:
        raise UsageError(f"discordance must be a share above 0 and up to 1, not {discordance!r}.")
    if abs(difference) > discordance:
        raise UsageError(f"difference ({difference!r}) must not exceed discordance ({discordance!r}).")
    return math.sqrt(discordance - difference**2)


def _effect_in_standard_errors(alpha: float, power: float) -> float:
    check_open_unit("alpha", alpha)
    check_open_unit("power", power)
    if power < alpha:
        raise UsageError(f"power ({power!r}) must not be below alpha ({alpha!r}).")
    normal = NormalDist()
    return normal.inv_cdf(power) - normal.inv_cdf(alpha / 2)


def _spread(differences: ArrayLike, clusters: Iterable[Hashable] | None) -> tuple[float, int | None]:
    """Standard deviation per item, and the number of items where items were given."""
    if np.isscalar(differences) or getattr(differences, "shape", None) == ():
        if clusters is not None:
            raise UsageError("clusters needs differences per item, not one standard deviation.")
        return check_positive("differences as one standard deviation", differences), None
    array = number_array("differences", differences)
    codes = cluster_codes(clusters, "differences", differences, len(array))
    known = ~np.isnan(array)
    array = array[known]
    if codes is not None:
        codes = np.unique(codes[known], return_inverse=True)[1]
    n = len(array)
    if n < 2:
        return math.nan, n
    standard_error, _ = standard_error_of_mean(array - array.mean(), codes)
    if standard_error <= NO_SPREAD * float(np.abs(array).max()):
        return math.nan, n
    return standard_error * math.sqrt(n), n
