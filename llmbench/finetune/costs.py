"""What a fine-tuning job costs: trained tokens at a dated price, or seconds of a vendor's hardware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llmbench.catalog import TrainingMethod, canonical_name, training_terms
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["TrainingCost", "bare_model", "training_cost"]


@shown
class TrainingCost(NamedTuple):
    """One job at one vendor. What is not known is None, and `note` says why."""

    vendor: str
    model: str
    method: TrainingMethod | None
    """None where the vendor does not say which it is."""
    epochs: int | None
    trained_tokens: int | None
    """Of all epochs."""
    usd: float | None
    usd_low: float | None
    """With the fewest tokens that the file may have, where the count is only near."""
    usd_high: float | None
    as_of: str
    source: str
    """Of the price; where none is known, of the list that was looked through."""
    note: str = ""
    """Why it is not known, or what must be known beside the price."""


def bare_model(model: str) -> str:
    """A model without the endpoint in front, where it is written endpoint/model and the catalog knows it.

    >>> bare_model("openai/gpt-4o-mini"), bare_model("meta-llama/my-own")
    ('gpt-4o-mini', 'meta-llama/my-own')
    """
    _, slash, name = model.partition("/")
    return name if slash and canonical_name(model) is None and canonical_name(name) else model


def training_cost(
    model: str,
    vendor: str,
    tokens: int | Sequence[int],
    *,
    examples: int | None = None,
    epochs: int | None = None,
    method: TrainingMethod = "lora",
    seconds: float | None = None,
    hardware: str | None = None,
) -> TrainingCost:
    """The cost of training `model` at `vendor` on a file of so many tokens, in USD.

    `tokens` are those of one epoch: a number, or (expected, low, high). `epochs` is the vendor's default
    where it is None; OpenAI's depends on `examples`. Replicate charges `seconds` of `hardware` instead, a
    name such as "gpu-a40-large-8x". Together charges for validation as well, which is not in here.

    Raises UsageError for a vendor or hardware that the catalog does not know, and for numbers below 0.

    >>> cost = training_cost("gpt-4o-mini", "openai", 100_000, examples=500)
    >>> cost.epochs, cost.trained_tokens, round(cost.usd, 2), cost.as_of
    (3, 300000, 0.9, '2026-05-07')
    >>> training_cost("llama-3-8b", "replicate", 100_000, seconds=600, hardware="gpu-a40-large-8x").usd
    3.48
    """
    terms, model = training_terms(vendor), bare_model(model)
    expected, low, high = (tokens, tokens, tokens) if isinstance(tokens, int) else tokens
    for name, value in (("tokens", expected), ("epochs", epochs), ("seconds", seconds)):
        if value is not None and value < 0:
            raise UsageError(f"{name} must be 0 or more; it is {value!r}.")
    if epochs is None:
        epochs = terms.epochs if examples is None else terms.default_epochs(examples)
    trained = None if epochs is None else expected * epochs
    if terms.per_second:
        usd, note = _of_seconds(vendor, seconds, hardware)
        return TrainingCost(
            vendor, model, None, epochs, trained, usd, usd, usd, terms.as_of, terms.source, note
        )
    price = terms.price(model, method)
    which = method if terms.by_method else None
    if price is None or epochs is None:
        why = (
            f"no price of training {model} at {vendor} is known" if price is None else "epochs are not known"
        )
        return TrainingCost(
            vendor, model, which, epochs, trained, None, None, None, terms.as_of, terms.source, why
        )
    usd, least, most = (price.usd(each * epochs) for each in (expected, low, high))
    return TrainingCost(
        vendor, model, which, epochs, trained, usd, least, most, price.date, price.source, price.note
    )


def _of_seconds(vendor: str, seconds: float | None, hardware: str | None) -> tuple[float | None, str]:
    rates = training_terms(vendor).per_second
    if hardware is not None and hardware not in rates:
        raise UsageError(f"hardware is {hardware!r}; {vendor} has {', '.join(rates)}.")
    if seconds is None or hardware is None:
        return (
            None,
            "charged by the second of the trainer's hardware; how long it takes is not known beforehand",
        )
    return round(seconds * rates[hardware], 10), f"{seconds:g} s of {hardware}"
