"""Bootstrap of whole clusters of prompts, in weights: every statistic sees the same draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Draws", "percentile_interval"]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """How often each of n prompts is in each of `resamples` draws, the same at every iteration."""

    n: int
    codes: NDArray[np.intp] | None
    """Number of the cluster of each prompt; None: each is one of its own."""
    resamples: int
    seed: int

    @property
    def units(self) -> int:
        """How many prompts or clusters are independent of each other."""
        return self.n if self.codes is None else int(self.codes.max(initial=-1)) + 1

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        random, units = np.random.default_rng(self.seed), self.units
        for _ in range(self.resamples if units > 1 else 0):
            counts = np.bincount(random.integers(units, size=units), minlength=units).astype(float)
            yield counts if self.codes is None else counts[self.codes]


def percentile_interval(replicates: NDArray[np.float64], confidence: float) -> Interval:
    """The middle `confidence` of the replicates (r values).

    Unknown where there are none, or where more of them are undefined (NaN) than a tail holds: a draw
    without a gap between the models has no share of it, and leaving many of those out would bias.
    """
    tail = (1 - confidence) / 2
    undefined = np.isnan(replicates)
    if not len(replicates) or undefined.mean() > tail:
        return UNKNOWN_INTERVAL
    low, high = np.quantile(replicates[~undefined], [tail, 1 - tail])
    return Interval(float(low), float(high)) if math.isfinite(low + high) else UNKNOWN_INTERVAL
