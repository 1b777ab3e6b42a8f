"""Several tests at once: p-values adjusted so that each can be held against alpha itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from llmbench.errors import UsageError
from llmbench.stats.checks import check_choice, number_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["adjust_p_values"]


def adjust_p_values(
    p: ArrayLike,
    method: Literal["holm", "benjamini-hochberg", "benjamini-yekutieli"] = "holm",
) -> list[float]:
    """Adjusted p-values, in the order given.

    - "holm" bounds the chance of any false rejection, whatever the dependence: Holm (1979), Scand. J.
      Statist. 6:65;
    - "benjamini-hochberg" bounds the expected share of false rejections, for independent or positively
      dependent tests: Benjamini and Hochberg (1995), JRSS B 57:289;
    - "benjamini-yekutieli" does so whatever the dependence: Benjamini and Yekutieli (2001), Ann. Statist.
      29:1165.

    NaN (a test that could not be made) stays NaN and does not count as a test. Raises UsageError for a
    p-value outside [0, 1] or another method.

    >>> [round(p, 3) for p in adjust_p_values([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    >>> [round(p, 3) for p in adjust_p_values([0.01, 0.04, 0.03], method="benjamini-hochberg")]
    [0.03, 0.04, 0.04]
    """
    check_choice("method", method, ("holm", "benjamini-hochberg", "benjamini-yekutieli"))
    raw = number_array("p", p)
    outside = (raw < 0) | (raw > 1)
    if outside.any():
        place = int(np.argmax(outside))
        raise UsageError(f"p[{place}] is {raw[place]:g}; a p-value lies in [0, 1].")
    order = np.argsort(raw)[: np.count_nonzero(~np.isnan(raw))]
    ascending = raw[order]
    adjusted = np.full(len(raw), np.nan)
    adjusted[order] = _holm(ascending) if method == "holm" else _false_discovery_rate(ascending, method)
    return [float(value) for value in adjusted]


def _holm(ascending: NDArray[np.float64]) -> NDArray[np.float64]:
    remaining = np.arange(len(ascending), 0, -1)
    return np.minimum(1.0, np.maximum.accumulate(ascending * remaining))


def _false_discovery_rate(ascending: NDArray[np.float64], method: str) -> NDArray[np.float64]:
    ranks = np.arange(1, len(ascending) + 1)
    dependence = float((1 / ranks).sum()) if method == "benjamini-yekutieli" else 1.0
    scaled = ascending * len(ascending) * dependence / ranks
    return np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
