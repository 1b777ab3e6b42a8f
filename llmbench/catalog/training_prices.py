"""What training a model costs, with dates: facts/training-prices.toml.

A vendor charges by trained tokens, those of the file times the epochs. What nobody lists has no price:
None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

from llmbench.catalog.architectures import all_architectures
from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.models import canonical_name
from llmbench.errors import UsageError
from llmbench.numbers import is_finite
from llmbench.shown import shown

__all__ = ["TRAINING_METHODS", "TrainingMethod", "TrainingPrice", "training_price"]

TrainingMethod = Literal["lora", "full"]
"""An adapter, or all weights; both supervised. OpenAI does not say which of them it trains."""
TRAINING_METHODS: tuple[TrainingMethod, ...] = get_args(TrainingMethod)

_ANY = "any"
_TRAINED_AS = "-Reference"
"""Ends Together's id of a model that is trained; the one that is called ends otherwise."""


@shown
class TrainingPrice(NamedTuple):
    """USD of one job at one place."""

    usd_per_million_tokens: float
    """Trained tokens: those of the training file times the epochs."""
    minimum_usd: float
    """The least that a job is charged; 0.0 where none is listed."""
    source: str
    """Where the price stands."""
    date: str
    """ISO date of the list."""
    note: str = ""
    """What must be known beside it, such as that the list was replaced."""

    def usd(self, trained_tokens: float) -> float:
        """What a job of so many tokens costs. Raises UsageError for a number below 0.

        >>> training_price("openai", "gpt-4o-mini").usd(2_000_000)
        6.0
        """
        if not (is_finite(trained_tokens) and trained_tokens >= 0):
            raise UsageError(f"trained_tokens must be a number of at least 0; it is {trained_tokens!r}.")
        return max(self.minimum_usd, trained_tokens * self.usd_per_million_tokens / 1_000_000)


def training_price(place: str, model: str, method: str = "lora") -> TrainingPrice | None:
    """What training `model` (any spelling the catalog knows, or the vendor's id) costs at `place`.

    None where it is not known. Where a place makes no difference between the methods, any is taken.
    Raises UsageError for a method that is none.

    >>> training_price("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference").usd_per_million_tokens
    0.48
    >>> training_price("replicate", "llama-3-8b") is None
    True
    """
    if method not in TRAINING_METHODS:
        raise UsageError(f"method is {method!r}; it is one of {', '.join(TRAINING_METHODS)}.")
    names = [_key(model)]
    if model.endswith(_TRAINED_AS):
        stem = model.removesuffix(_TRAINED_AS)
        names += [_key(stem), _key(f"{stem}-Turbo")]
    prices = _prices()
    found = (prices.get((place, name, kind)) for name in names for kind in (method, _ANY))
    named = next((price for price in found if price is not None), None)
    return named or next((price for name in names if (price := _by_size(place, name, method))), None)


def _by_size(place: str, name: str, method: str) -> TrainingPrice | None:
    """Of a place that lists by the number of parameters, those of every expert too."""
    shape = all_architectures().get(name)
    if shape is None:
        return None
    for listed in reversed(_lists()):
        for row in listed.get("sizes", ()) if listed["place"] == place else ():
            if shape.parameters <= row["up_to"]:
                return _price(listed, row[method])
    return None


def _key(model: str) -> str:
    return canonical_name(model) or model.casefold()


@cache
def _lists() -> tuple[Mapping[str, Any], ...]:
    """By date, the oldest first."""
    return tuple(sorted(read_facts("training-prices")["list"], key=lambda each: str(each["date"])))


@cache
def _prices() -> Mapping[tuple[str, str, str], TrainingPrice]:
    found: dict[tuple[str, str, str], TrainingPrice] = {}
    for listed in _lists():
        for method in (_ANY, *TRAINING_METHODS):
            for model, usd in listed.get(method, {}).items():
                # A newer list takes the place of an older one.
                found[listed["place"], _key(model), method] = _price(listed, usd)
    return found


def _price(listed: Mapping[str, Any], usd: float) -> TrainingPrice:
    least = float(listed.get("minimum_usd", 0.0))
    return TrainingPrice(float(usd), least, listed["source"], listed["date"], listed.get("note", ""))
