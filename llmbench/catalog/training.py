"""What vendors do where a fine-tuning job does not say otherwise: facts/training.toml, with its sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.models import canonical_name
from llmbench.catalog.training_prices import TrainingMethod, TrainingPrice, training_price
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["TrainingTerms", "training_terms"]


@shown
@dataclass(frozen=True, slots=True)
class TrainingTerms:
    """How one vendor trains. What is not known is None."""

    place: str
    as_of: str
    source: str
    least: int
    """Examples that a file must have."""
    largest: int | None = None
    """Bytes that a file may have."""
    epochs: int | None = None
    by_method: bool = False
    """Whether an adapter and all weights have prices of their own."""
    longest: Mapping[str, int] = field(default_factory=dict)
    per_second: Mapping[str, float] = field(default_factory=dict)
    """USD a second, by the name of the hardware."""
    examples_seen: Mapping[str, int] = field(default_factory=dict)

    def default_epochs(self, examples: int) -> int | None:
        """Epochs of a job that does not say how many.

        >>> [training_terms("openai").default_epochs(n) for n in (10, 500, 20_000, 50_000)]
        [10, 3, 1, 1]
        >>> training_terms("together").default_epochs(10)
        1
        """
        rule = self.examples_seen
        if not rule or examples < 1:
            return self.epochs
        usual = rule["epochs"]
        if examples * usual < rule["least"]:
            return min(rule["most_epochs"], rule["least"] // examples)
        if examples * usual > rule["most"]:
            return max(1, rule["most"] // examples)
        return usual

    def price(self, model: str, method: TrainingMethod = "lora") -> TrainingPrice | None:
        """The price of training `model`; None where none is known. Raises UsageError for another method.

        >>> training_terms("together").price("mixtral-8x7b", "full").usd_per_million_tokens
        1.65
        >>> training_terms("together").price("a-model-of-mine") is None
        True
        """
        return training_price(self.place, model, method)

    def longest_example(self, model: str) -> int | None:
        """Tokens of one example that are trained, where the vendor has named a limit of its own."""
        return self.longest.get(canonical_name(model) or model)


@cache
def _all() -> Mapping[str, TrainingTerms]:
    return {place: _read(place, row) for place, row in read_facts("training").items()}


def _read(place: str, row: dict[str, Any]) -> TrainingTerms:
    return TrainingTerms(place=place, **row)


def training_terms(place: str) -> TrainingTerms:
    """The terms of a vendor. Raises UsageError for one that the catalog does not know.

    >>> training_terms("replicate").per_second["gpu-a40-large-8x"]
    0.0058
    """
    found = _all().get(place)
    if found is None:
        raise UsageError(f"The catalog knows no fine-tuning at {place!r}; it knows {', '.join(_all())}.")
    return found
