"""The highest rate at which an endpoint still answers as asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llmbench.loadtest.summary import RateResult
from llmbench.shown import shown

__all__ = ["Knee", "find_knee", "next_rate"]

_NEAR = 1.3
"""A search ends where the rate that fails is no more than this times the one that is kept."""


@shown
class Knee(NamedTuple):
    """Between two rates; None where none was seen."""

    kept: RateResult | None
    """The highest rate below every one that missed."""
    missed: RateResult | None
    """The lowest rate that missed."""

    def __str__(self) -> str:
        if self.kept is None:
            if self.missed is None:
                return "No rate was measured to its end."
            return (
                f"Even {self.missed.rate:g} requests/s miss the objective: {'; '.join(self.missed.misses)}."
            )
        where = f"{self.kept.rate:g} requests/s are carried within the objective"
        if self.missed is None:
            return f"{where}; higher rates were not tried."
        return f"{where}, {self.missed.rate:g} are not: {'; '.join(self.missed.misses)}."


def find_knee(results: Sequence[RateResult]) -> Knee:
    """The last rate before the first that misses: one that is kept above it was luck.

    >>> find_knee([])
    Knee(kept=None, missed=None)
    """
    judged = sorted((each for each in results if each.judged), key=lambda each: each.rate)
    missed = next((each for each in judged if each.misses), None)
    kept = [each for each in judged if missed is None or each.rate < missed.rate]
    return Knee(kept[-1] if kept else None, missed)


def next_rate(results: Sequence[RateResult], first: float, least: float = 0.0) -> float | None:
    """The rate a search tries next: twice as much until one misses, then between; None: near enough, or
    below `least`.
    """
    if not results:
        return max(first, least)
    knee = find_knee(results)
    if knee.missed is None:
        # A rate without a request says nothing; the next one has more.
        return 2 * max(each.rate for each in results)
    if knee.kept is None:
        lower = min(each.rate for each in results) / 4
        return lower if lower >= least else None
    if knee.missed.rate <= _NEAR * knee.kept.rate:
        return None
    return float(f"{(knee.missed.rate * knee.kept.rate) ** 0.5:.3g}")
