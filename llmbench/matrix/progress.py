"""How far a run is, told a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from llmbench.matrix.counts import CallCounts
from llmbench.shown import shown

__all__ = ["Progress", "ProgressCallback", "ProgressReporter"]


@shown
@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is."""

    done: int
    """Planned calls that have an answer or have failed for good."""
    total: int
    made: int
    replayed: int
    failed: int
    spent_usd: float | None
    """By calls of this run; None where the charge of one is not known."""
    rate: float | None
    """Calls made a second, over the run so far."""
    eta_s: float | None
    """Seconds left at this rate; None before the first call."""
    message: str
    """The cell at work, or what stopped."""


ProgressCallback = Callable[[Progress], None]

_SHORTEST_PAUSE_S = 0.25


class ProgressReporter:
    """Calls `callback` at most four times a second, and once at the end."""

    def __init__(self, callback: ProgressCallback | None, *, total: int, to_make: int) -> None:
        self._callback = callback
        self._planned = self._total = total
        self._to_make = to_make
        self._begin = time.monotonic()
        self._last = float("-inf")
        self._over = (0, 0, 0, 0)
        self._over_usd: float | None = 0.0

    def go_on(self, more: int, counts: CallCounts, spent_usd: float | None) -> None:
        """Count `more` calls that follow on top of a part that is over."""
        self._over = (self._planned, counts.made, counts.replayed, counts.failed)
        self._over_usd = spent_usd
        self._total = self._planned + more

    def report(
        self,
        done: int,
        made: int,
        replayed: int,
        failed: int,
        spent_usd: float | None,
        message: str,
        *,
        final: bool = False,
    ) -> None:
        """Tell the callback, unless it has just been told."""
        now = time.monotonic()
        if self._callback is None or (not final and now - self._last < _SHORTEST_PAUSE_S):
            return
        self._last = now
        done, made, replayed, failed = (
            before + count for before, count in zip(self._over, (done, made, replayed, failed), strict=True)
        )
        spent_usd = None if spent_usd is None or self._over_usd is None else self._over_usd + spent_usd
        seconds = now - self._begin
        rate = made / seconds if made and seconds > 0 else None
        eta = max(0, self._to_make - made) / rate if rate else None
        self._callback(
            Progress(
                done, self._total, made, replayed, failed, spent_usd, rate, 0.0 if final else eta, message
            )
        )
