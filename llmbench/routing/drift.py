"""Whether prompts still come from where the calibration prompts came from.

A guarantee holds for prompts like those it was made with. The monitor keeps, in windows of 500 prompts, how
many fell into each tenth of the calibration prompts by three numbers: the router's own score, the chance of
the strong model, and the length. At the end of a window each is compared with the calibration prompts by the
chi-squared test of two samples. An alarm needs both significance (p below 0.001 over the three, Bonferroni)
and size (population stability index above 0.1), and stays until somebody resets it.

False alarms: prompts drawn independently from where the calibration prompts came from raise one in at most
about 0.1% of windows, so 1 in 500,000 prompts. Prompts that come in bursts of alike raise more.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["DriftMonitor", "DriftReference", "WatchedNumber", "drift_reference"]

LEVEL = 0.001
WINDOW = 500
LEAST_INDEX = 0.1
_BINS = 10


class WatchedNumber(NamedTuple):
    """How one number was distributed over the calibration prompts."""

    name: str
    edges: tuple[float, ...]
    """Rising; a value belongs to the bin of as many edges as are not above it."""
    counts: tuple[int, ...]
    """Calibration prompts in each bin: one more than there are edges."""
    critical: float
    """Chi-squared that a window must pass."""


class DriftReference(NamedTuple):
    """What windows are compared with. Without watched numbers nothing ever alarms."""

    watched: tuple[WatchedNumber, ...]
    window: int = WINDOW
    least_index: float = LEAST_INDEX
    level: float = LEVEL


def drift_reference(
    columns: dict[str, Sequence[float]], window: int = WINDOW, level: float = LEVEL
) -> DriftReference:
    """The reference by the numbers of the calibration prompts, one column for each. One that is the same for
    all has a single bin, which nothing leaves.

    >>> found = drift_reference({"length": range(100)})
    >>> found.watched[0].counts
    (10, 10, 10, 10, 10, 10, 10, 10, 10, 10)
    """
    import numpy as np
    from scipy.special import chdtri

    watched = []
    for name, values in columns.items():
        array = np.asarray(values, dtype=float)
        above = np.unique(array[array > array.min()])
        edges = np.unique(np.quantile(array, np.arange(1, _BINS) / _BINS, method="higher"))
        edges = edges[edges > array.min()]
        if not len(edges):  # more than nine tenths are the lowest
            edges = above[:1]
        counts = np.bincount(np.searchsorted(edges, array, side="right"), minlength=len(edges) + 1)
        critical = float(chdtri(len(edges), level / len(columns))) if len(edges) else 0.0
        watched.append(WatchedNumber(name, tuple(map(float, edges)), tuple(map(int, counts)), critical))
    return DriftReference(tuple(watched), window, LEAST_INDEX, level)


@dataclass(slots=True)
class DriftMonitor:
    """Counts what comes in, and says when it is no longer what the guarantee was made with."""

    reference: DriftReference
    alarm: str | None = None
    """Why the guarantee is void; None while it holds."""
    seen: int = 0
    """Prompts since the start, or the last reset."""
    indices: dict[str, float] = field(default_factory=dict)
    """Population stability index of each watched number in the last full window."""
    _counts: list[list[int]] = field(default_factory=list, repr=False)
    _in_window: int = 0

    def __post_init__(self) -> None:
        self._empty()

    def observe(self, values: Sequence[float]) -> str | None:
        """Count the numbers of one prompt, in the order of the reference; the alarm, if there is one."""
        for counts, watched, value in zip(self._counts, self.reference.watched, values, strict=True):
            counts[bisect_right(watched.edges, value)] += 1
        self.seen += 1
        self._in_window += 1
        if self._in_window >= self.reference.window:
            self._compare()
            self._empty()
        return self.alarm

    def reset(self) -> None:
        """Begin again: after the cause was found and removed."""
        self.alarm, self.seen = None, 0
        self.indices.clear()
        self._empty()

    def _empty(self) -> None:
        self._counts = [[0] * len(each.counts) for each in self.reference.watched]
        self._in_window = 0

    def _compare(self) -> None:
        for counts, watched in zip(self._counts, self.reference.watched, strict=True):
            statistic, index = _distances(counts, watched.counts)
            self.indices[watched.name] = index
            if statistic > watched.critical and index > self.reference.least_index and self.alarm is None:
                self.alarm = (
                    f"the last {self._in_window} prompts differ in {watched.name.replace('_', ' ')} from "
                    f"those of the calibration (population stability index {index:.2f})"
                )


def _distances(counts: Sequence[int], reference: Sequence[int]) -> tuple[float, float]:
    """Chi-squared of two samples, and the population stability index with half a prompt in each bin more."""
    n, m = sum(counts), sum(reference)
    up, down = math.sqrt(m / n), math.sqrt(n / m)
    statistic = sum(
        (up * one - down * other) ** 2 / (one + other)
        for one, other in zip(counts, reference, strict=True)
        if one + other
    )
    half = 0.5 * len(counts)
    shares = [
        ((one + 0.5) / (n + half), (other + 0.5) / (m + half))
        for one, other in zip(counts, reference, strict=True)
    ]
    return statistic, sum((one - other) * math.log(one / other) for one, other in shares)
