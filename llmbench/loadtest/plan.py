"""What a load test sends, and how long."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmbench.errors import UsageError
from llmbench.loadtest.arrivals import check_traffic, seeds_of
from llmbench.loadtest.prompts import synthetic_prompts
from llmbench.loadtest.summary import Objective
from llmbench.stats.checks import check_count, check_number, check_positive

__all__ = ["LoadPlan"]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is sent, and how long. Raises UsageError for what cannot be meant."""

    rates: tuple[float, ...] | None = None
    """Requests a second; None: they are searched for."""
    seconds: float = 30.0
    """A rate."""
    input_tokens: int = 200
    output_tokens: int = 50
    objective: Objective = field(default_factory=Objective)
    shared_prefix_tokens: int = 0
    """Of the input, common to all requests, as a system prompt is."""
    prompts: tuple[str, ...] | None = None
    """Sent in turn instead of made ones."""
    temperature: float | None = 0.0
    """None: the server's."""
    seed: int = 20250123

    def __post_init__(self) -> None:
        check_positive("seconds", self.seconds)
        check_positive("ttft_ms", self.objective.ttft_ms)
        check_positive("tpot_ms", self.objective.tpot_ms)
        for rate in self.rates or ():
            check_traffic(rate, self.seconds, "Each of rates")
        if self.rates is not None and not self.rates:
            raise UsageError("rates holds no rate; give at least one, or None to search for them.")
        check_count("output_tokens", self.output_tokens, 2)
        check_count("input_tokens", self.input_tokens, 1)
        check_count("shared_prefix_tokens", self.shared_prefix_tokens)
        if self.temperature is not None and check_number("temperature", self.temperature) < 0:
            raise UsageError(f"temperature must be at least 0, or None; it is {self.temperature!r}.")
        if self.prompts is not None and not self.prompts:
            raise UsageError("prompts holds no prompt; give at least one, or None for made ones.")
        seeds_of(1.0, self.seed)

    def in_words(self) -> str:
        """What is sent."""
        if self.prompts is not None:
            return f"{len(self.prompts)} given prompts, in turn"
        shared = f", the first {self.shared_prefix_tokens} shared" if self.shared_prefix_tokens else ""
        return f"Prompts of about {self.input_tokens} tokens{shared}, each new"

    def texts(self, model: str, rate: float) -> Iterator[str]:
        """The prompts of one rate, without end."""
        if self.prompts is not None:
            return itertools.cycle(self.prompts)
        return synthetic_prompts(
            model,
            self.input_tokens,
            [*seeds_of(rate, self.seed), 1],
            shared_prefix_tokens=self.shared_prefix_tokens,
        )
