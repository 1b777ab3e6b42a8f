"""What vendors charge for fine-tuning, and their defaults: facts/training.toml, which names the sources."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple, get_args

from llmbench.catalog.architectures import all_architectures
from llmbench.catalog.models import canonical_name
from llmbench.errors import UsageError

__all__ = ["TrainingMethod", "TrainingPrice", "TrainingTerms", "training_terms"]

TrainingMethod = Literal["lora", "full"]
"""An adapter beside the weights, or all weights. OpenAI does not say which of them it trains."""


class TrainingPrice(NamedTuple):
    """USD per 1M trained tokens: the tokens of the file, times the epochs."""

    per_1m: float
    as_of: str
    source: str

    def usd(self, tokens: float) -> float:
        """What so many trained tokens cost.

        >>> training_terms("openai").price("gpt-4o-mini").usd(2_000_000)
        6.0
        """
        return tokens * self.per_1m / 1e6


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
    per_1m: Mapping[str, float] = field(default_factory=dict)
    longest: Mapping[str, int] = field(default_factory=dict)
    sizes: tuple[Mapping[str, float], ...] = ()
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

        >>> training_terms("together").price("mixtral-8x7b", "full").per_1m
        1.65
        >>> training_terms("together").price("a-model-of-mine") is None
        True
        """
        if method not in get_args(TrainingMethod):
            raise UsageError(
                f"method is {method!r} and must be one of {', '.join(get_args(TrainingMethod))}."
            )
        name = canonical_name(model) or model
        found = self.per_1m.get(name)
        shape = all_architectures().get(name)
        if found is None and shape is not None:
            found = next((row[method] for row in self.sizes if shape.parameters <= row["up_to"]), None)
        return None if found is None else TrainingPrice(found, self.as_of, self.source)

    def longest_example(self, model: str) -> int | None:
        """Tokens of one example that are trained, where the vendor has named a limit of its own."""
        return self.longest.get(canonical_name(model) or model)


@cache
def _all() -> Mapping[str, TrainingTerms]:
    text = files("llmbench.catalog").joinpath("facts/training.toml").read_text(encoding="utf-8")
    return {place: _read(place, row) for place, row in tomllib.loads(text).items()}


def _read(place: str, row: dict[str, Any]) -> TrainingTerms:
    return TrainingTerms(place=place, **{**row, "sizes": tuple(row.get("sizes", ()))})


def training_terms(place: str) -> TrainingTerms:
    """The terms of a vendor. Raises UsageError for one that the catalog does not know.

    >>> training_terms("replicate").per_second["gpu-a40-large-8x"]
    0.0058
    """
    found = _all().get(place)
    if found is None:
        raise UsageError(f"The catalog knows no fine-tuning at {place!r}; it knows {', '.join(_all())}.")
    return found
