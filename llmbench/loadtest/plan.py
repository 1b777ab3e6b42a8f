"""What a load test sends, and how long."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmbench.errors import UsageError
from llmbench.loadtest.arrivals import seeds_of
from llmbench.loadtest.prompts import synthetic_prompts
from llmbench.loadtest.summary import Objective

__all__ = ["MOST_REQUESTS", "LoadPlan"]

MOST_REQUESTS = 100_000
"""At one rate: one client sends no more on time."""


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
        for name, value in (
            ("seconds", self.seconds),
            ("ttft_ms", self.objective.ttft_ms),
            ("tpot_ms", self.objective.tpot_ms),
            *(("rates", rate) for rate in self.rates or ()),
        ):
            if not (math.isfinite(value) and value > 0):
                raise UsageError(f"{name} must be above 0; it is {value!r}.")
        if self.rates is not None and not self.rates:
            raise UsageError("rates holds no rate; give at least one, or None to search for them.")
        if isinstance(self.output_tokens, bool) or self.output_tokens < 2:
            raise UsageError(f"output_tokens must be at least 2; it is {self.output_tokens!r}.")
        if self.prompts is not None and not self.prompts:
            raise UsageError("prompts holds no prompt; give at least one, or None for made ones.")
        most = max(self.rates or (0.0,)) * self.seconds
        if most > MOST_REQUESTS:
            raise UsageError(
                f"{most:,.0f} requests at one rate are more than one client sends on time; lower the rates."
            )
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
