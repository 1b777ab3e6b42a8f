"""How much a machine gives within a latency objective, which is less than its peak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmbench.catalog.engines import engine_facts
from llmbench.economics.checks import check_positive
from llmbench.economics.throughput import Throughput, throughput
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration

__all__ = ["Objective", "throughput_within"]

_TTFT_MS, _TPOT_MS = 2000.0, 100.0
"""Of an interactive product."""


@dataclass(frozen=True, slots=True)
class Objective:
    """How fast an answer must begin and go on for 95 of 100 requests, milliseconds; None: it may take any
    time. Raises UsageError for a time that is not above 0.
    """

    ttft_ms: float | None = _TTFT_MS
    tpot_ms: float | None = _TPOT_MS

    def __post_init__(self) -> None:
        for name in ("ttft_ms", "tpot_ms"):
            value = getattr(self, name)
            if value is not None and value != math.inf:
                check_positive(name, value)

    def met(self, ttft_ms: float, tpot_ms: float) -> bool:
        """Whether times are within both."""
        return (self.ttft_ms is None or ttft_ms <= self.ttft_ms) and (
            self.tpot_ms is None or tpot_ms <= self.tpot_ms
        )


def throughput_within(
    model: str,
    gpu: str,
    n_gpu: int,
    dtype: str | None,
    engine: str,
    input_tokens: float,
    output_tokens: float,
    *,
    ttft_ms: float | None = _TTFT_MS,
    tpot_ms: float | None = _TPOT_MS,
    confidence: float = 0.80,
    calibration: Calibration | None = None,
) -> Throughput:
    """The most tokens a second at which 95 of 100 requests stay within the objective; None is no limit.

    `ttft_ms` and `tpot_ms` are limits of the 95th percentiles, `Throughput.ttft_p95_ms` and `.tpot_p95_ms`.
    The wait for a free place, before a replica takes a request at all, is not in them: see `waiting`.

    Looks for the greatest number of requests in flight that meets it, up to what the memory holds and the
    engine takes by default. Peaks look better and are not: at 100 in flight two H100 gave 13% more than
    at 50, and the first token came after 8.0 s instead of 0.8 (NIM 1.8.0).

    Raises UsageError where not even one request in flight meets it, with what one would see, and as
    `throughput`.

    >>> found = throughput_within("llama-3.1-8b", "L4", 1, "bf16", "vllm", 500, 200)
    >>> found.ttft_p95_ms <= 2000 and found.tpot_p95_ms <= 100
    True
    """
    objective = Objective(ttft_ms, tpot_ms)

    def at(in_flight: float | None) -> Throughput:
        return throughput(
            model,
            gpu,
            n_gpu,
            dtype,
            engine,
            input_tokens,
            output_tokens,
            in_flight,
            confidence=confidence,
            calibration=calibration,
        )

    def met(found: Throughput) -> bool:
        return objective.met(found.ttft_p95_ms, found.tpot_p95_ms)

    one = at(1)
    if not met(one):
        raise UsageError(
            f"{one.n_gpu} x {one.gpu} cannot meet the objective for {one.model} in {one.dtype}: alone, 95 of "
            f"100 requests wait up to {one.ttft_p95_ms:,.0f} ms for the first token and "
            f"{one.tpot_p95_ms:,.1f} ms for each further one; allow as much, or take a faster GPU."
        )
    most = max(1, min(math.floor(one.room), engine_facts(engine).sequences))
    if met(at(most)):
        return at(most)
    # Times and throughput both grow with the number in flight: the last number that meets it is the best.
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if met(at(middle)) else (low, middle)
    return at(low)
