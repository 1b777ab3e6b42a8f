"""Replicas that come and go with the load: the hours that are billed, and who meets a cold start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from llmbench.economics.checks import check_amount, check_positive, check_share, check_whole
from llmbench.economics.workload import HOURS_OF_MONTH
from llmbench.errors import UsageError
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
    read_s = check_amount("weights_gb", weights_gb) / check_positive("read_gb_per_s", read_gb_per_s)
    return read_s + check_amount("engine_s", engine_s)


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
        check_amount("Each of requests_by_hour", value)
    check_positive("requests_per_replica_hour", requests_per_replica_hour)
    check_amount("idle_s", idle_s)
    check_amount("start_s", start_s)
    check_positive("month_hours", month_hours)
    check_share("utilisation_limit", utilisation_limit, above_zero=True)
    least = check_whole("least", least)
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
