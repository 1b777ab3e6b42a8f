"""The score statistic against a margin, for arrays of experiments at once: what simulations test with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmbench.stats.score_arrays import corrected_statistics, difference_parts_of, ratio_parts_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[np.float64]

__all__ = ["margin_z"]


def margin_z(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    margin: float,
    scale: str = "ratio",
    *,
    skewness: bool = False,
) -> Numbers:
    """Standard normal statistics of rate 1 against the margin, elementwise; high speaks for arm 1.

    `margin` is the null value: of rate 1 over rate 2 (scale "ratio"), or of their difference. 0 where
    neither arm has a success, or an arm has no units: such tables say nothing. With `skewness`, as
    `margin_test(method="scas")`, else "miettinen-nurminen".
    """
    first, of_first, second, of_second = (np.asarray(each, dtype=float) for each in (x1, n1, x2, n2))
    parts_of = ratio_parts_of if scale == "ratio" else difference_parts_of
    with np.errstate(divide="ignore", invalid="ignore"):
        score, variance, third_moment = parts_of(first, of_first, second, of_second, margin)
        z = score / np.sqrt(variance)
        if skewness:
            z = corrected_statistics(z, third_moment / (6 * variance**1.5))
    return np.where((variance > 0) & np.isfinite(z), z, 0.0)
