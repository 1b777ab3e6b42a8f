"""What a router remembers of its calls in this process: bounded, whatever their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.routing.performance import PerformanceReport, Tally, report_of
from llmbench.routing.speeds import Speeds

if TYPE_CHECKING:
    from llmbench.routing.targets import Target
    from llmbench.types import LLMResponse

__all__ = ["Book"]


class Book:
    """Sums and the newest times of each model."""

    def __init__(self) -> None:
        self.speeds = Speeds()
        self._tallies: dict[Target, Tally] = {}

    def asked(self, target: Target) -> None:
        """A call reached `target`, for the first time."""
        self._tally(target).requests += 1

    def failed(self, target: Target, cost: float | None) -> None:
        """An attempt at `target` failed."""
        self._tally(target).took_failure(cost)

    def answered(self, target: Target, response: LLMResponse, *, fallback: bool) -> None:
        """`target` answered."""
        usage, timing = response.usage, response.timing
        latency = timing.latency_ms if timing else float(response.latency_ms)
        self._tally(target).took_answer(
            latency_ms=latency,
            first_token_ms=timing.time_to_first_token_ms if timing else None,
            tokens=(usage.input_tokens, usage.output_tokens) if usage else (None, None),
            cost=response.cost,
            fallback=fallback,
        )
        self.speeds.add(target, usage.output_tokens if usage else None, latency)

    def report(self) -> PerformanceReport:
        """The models asked so far."""
        return report_of({target.id: tally for target, tally in self._tallies.items()})

    def _tally(self, target: Target) -> Tally:
        found = self._tallies.get(target)
        if found is None:
            found = self._tallies[target] = Tally()
        return found
