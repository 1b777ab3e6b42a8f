"""How much slower the slow requests of a server are than the typical one, as others measured it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from llmbench.catalog.fact_files import read_facts

__all__ = ["LatencyTails", "Tail", "latency_tails"]


class Tail(NamedTuple):
    """The 95th percentile of one time over its median."""

    p95_over_typical: float
    """The median of the runs."""
    low: float
    """80% of the runs lie between this and `high`."""
    high: float
    alone: float
    """The same with one request at a time: no other stands in its way."""

    def at(self, running: float) -> float:
        """With so many requests that are answered at a time: from `alone` towards that of a loaded server, by
        the chance that another one is there.

        >>> latency_tails().tpot_ms.at(1), round(latency_tails().tpot_ms.at(256), 2)
        (1.02, 1.36)
        """
        return self.alone + (self.p95_over_typical - self.alone) * (1 - 1 / max(1.0, running))


class LatencyTails(NamedTuple):
    """Of a server that is not overrun, under requests that come by chance."""

    ttft_ms: Tail
    tpot_ms: Tail
    runs: int
    source: str


@cache
def latency_tails() -> LatencyTails:
    """The measured tails.

    >>> latency_tails().ttft_ms.p95_over_typical
    1.7
    """
    facts = read_facts("latency-tails")
    return LatencyTails(
        Tail(**facts["ttft_ms"]), Tail(**facts["tpot_ms"]), facts["source"]["runs"], facts["source"]["where"]
    )
