"""Replicas that come and go with the load: the hours that are billed, and who meets a cold start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from llmbench.economics.workload import HOURS_OF_MONTH
from llmbench.errors import UsageError
from llmbench.numbers import is_finite
from llmbench.shown import shown

__all__ = ["ScaledHours", "cold_start_s", "scaled_hours"]

_HOUR_S = 3600.0


@shown
class ScaledHours(NamedTuple):
    """A month of replicas that follow the load."""

    replica_hours: float
    """Billed."""
    always_on_hours: float
    """What would be billed with as many as the busiest hour needs, all the time."""
    cold_starts: float
    """Replicas that are started in the month."""
    cold_share: float
    """Share of the requests that wake a replica up and wait for it."""
    peak: int
    """Replicas in the busiest hour."""


def cold_start_s(weights_gb: float, *, read_gb_per_s: float = 1.0, engine_s: float = 60.0) -> float:
    """Seconds until a replica answers: reading the weights from disk or network, and the engine's start.

    Raises UsageError for numbers that cannot be meant.

    >>> cold_start_s(16.0)
    76.0
    """
    _check("weights_gb", weights_gb, 0, open_below=False)
    _check("engine_s", engine_s, 0, open_below=False)
    _check("read_gb_per_s", read_gb_per_s, 0, open_below=True)
    return weights_gb / read_gb_per_s + engine_s


def scaled_hours(
    requests_by_hour: Sequence[float],
    requests_per_replica_hour: float,
    *,
    least: int = 0,
    utilisation_limit: float = 0.7,
    idle_s: float = 300.0,
    start_s: float = 76.0,
    month_hours: float = HOURS_OF_MONTH,
) -> ScaledHours:
    """A month of a service that is scaled each hour, down to `least` replicas; 0 is scale-to-zero.

    `requests_by_hour` is a day or a week (24 or 168 numbers, or any other cycle), and a replica answers at
    most `requests_per_replica_hour` of them, used up to `utilisation_limit`. In hours that need one replica
    and where none is kept, that one ends `idle_s` after the last request: with Poisson arrivals of rate r it
    is up for a share 1 - exp(-r idle_s) of the time and wakes up r exp(-r idle_s) times a second (renewals:
    Ross (2019), Introduction to Probability Models, section 7.4), and each start is billed too.

    Raises UsageError for numbers that cannot be meant.

    >>> busy = scaled_hours([137.0] * 24, 2000.0)  # 100,000 messages a month, day and night alike
    >>> round(busy.replica_hours), busy.peak
    (730, 1)
    """
    if not len(requests_by_hour):
        raise UsageError("requests_by_hour must hold at least one hour; it is empty.")
    for value in requests_by_hour:
        _check("Each of requests_by_hour", value, 0, open_below=False)
    _check("requests_per_replica_hour", requests_per_replica_hour, 0, open_below=True)
    _check("idle_s", idle_s, 0, open_below=False)
    _check("start_s", start_s, 0, open_below=False)
    _check("month_hours", month_hours, 0, open_below=True)
    if not 0 < utilisation_limit <= 1:
        raise UsageError(
            f"utilisation_limit must be a share above 0 and at most 1; it is {utilisation_limit!r}."
        )
    if least != int(least) or least < 0:
        raise UsageError(f"least must be a whole number of at least 0; it is {least!r}.")
    full = requests_per_replica_hour * utilisation_limit
    hours = starts = 0.0
    needs = [max(least, math.ceil(requests / full - 1e-9)) for requests in requests_by_hour]
    before = needs[-1]
    for requests, needed in zip(requests_by_hour, needs, strict=True):
        if needed <= 1 and least == 0:
            gap = math.exp(-requests * idle_s / _HOUR_S)
            wakes = requests * gap
            hours += min(1.0, (1 - gap) + wakes * start_s / _HOUR_S)
            starts += wakes
        else:
            begun = max(0, needed - max(before, 1 if least == 0 else least))
            hours += needed + begun * start_s / _HOUR_S
            starts += begun
        before = needed
    total = math.fsum(requests_by_hour)
    scale = month_hours / len(requests_by_hour)
    return ScaledHours(
        replica_hours=hours * scale,
        always_on_hours=max(needs) * month_hours,
        cold_starts=starts * scale,
        cold_share=min(1.0, starts / total) if total else 0.0,
        peak=max(needs),
    )


def _check(name: str, value: float, least: float, *, open_below: bool) -> None:
    if not is_finite(value) or value < least or (open_below and value == least):
        raise UsageError(
            f"{name} must be a number {'above' if open_below else 'of at least'} {least:g}; it is {value!r}."
        )
