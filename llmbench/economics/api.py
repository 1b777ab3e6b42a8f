"""What a vendor's interface charges for tokens."""

from __future__ import annotations

import math

from llmbench.catalog import Tier, TokenPrice, canonical_name, model_facts, price_book
from llmbench.catalog.places import OWN, PRICED
from llmbench.economics.checks import check_amount
from llmbench.errors import UsageError

__all__ = ["api_cost", "listed_price_of"]

_FAMILIES = ("llama", "mixtral")
"""Endpoints that exist without configuration, and lead to the first hosted backend of the model."""


def listed_price_of(model: str, book: str = "current", tier: Tier = "standard") -> TokenPrice | None:
    """The price of `model`: a catalog name, at its first hosted backend, or `backend/model`.

    None where the book lists no such price. Raises UsageError for a model nobody knows, and for one
    at an endpoint of one's own, where tokens have no price.

    >>> float(listed_price_of("together/mixtral-8x7b").input)
    0.6
    """
    return price_and_place(model, book, tier)[0]


def price_and_place(
    model: str, book: str, tier: Tier = "standard"
) -> tuple[TokenPrice | None, str | None, str]:
    """The price, the backend that charges it (or would, were it known), and the model's name alone."""
    backend, name = _split(model)
    place, found = price_book(book).find_at(name, backend, tier)
    if found is None:
        model_facts(name)  # raises where it is not known at all
    return found, place or backend, name


def _split(model: str) -> tuple[str | None, str]:
    given: object = model  # a parameter of a notebook may be anything
    if not isinstance(given, str):
        model_facts(model)  # raises
    place, slash, name = model.partition("/")
    if canonical_name(model) or not slash:
        return None, model
    if place in OWN:
        raise UsageError(
            f"{model!r} runs on a machine of one's own, whose cost is hours, not tokens; "
            f"name {name!r} alone for its price at a vendor."
        )
    if place in _FAMILIES and canonical_name(name):
        return None, name
    if place not in PRICED and canonical_name(name):
        raise UsageError(
            f"There is no place {place!r} that charges for tokens; there are {', '.join(PRICED)}. "
            f"Name {name!r} alone for its price at the first of those that serve it."
        )
    return (place, name) if place in PRICED else (None, model)


def api_cost(
    model: str,
    input_tokens: float,
    output_tokens: float,
    price_book: str = "current",
    *,
    cached_tokens: float = 0.0,
    tier: Tier = "standard",
) -> float | None:
    """USD for tokens of any number of calls; None where the book has no price.

    `cached_tokens` is the part of `input_tokens` that is read from a cache. Vendors that charge
    very long calls otherwise are priced as for calls below that length.

    Raises UsageError for a model nobody knows and for counts that cannot be meant.

    >>> api_cost("gpt-4o-mini", 50_000_000, 20_000_000, price_book="2025-01-23")
    19.5
    """
    for name, value in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        check_amount(name, value)
    if check_amount("cached_tokens", cached_tokens) > input_tokens:
        raise UsageError(f"cached_tokens must lie between 0 and input_tokens; it is {cached_tokens!r}.")
    price = listed_price_of(model, price_book, tier)
    return None if price is None else cost_at(price, input_tokens, output_tokens, cached_tokens)


def cost_at(price: TokenPrice, input_tokens: float, output_tokens: float, cached_tokens: float) -> float:
    """USD for tokens at one price, as if all calls were of a length at which it holds."""
    cached_rate = price.input if price.cached_input is None else price.cached_input
    return (
        math.fsum(
            (
                (input_tokens - cached_tokens) * float(price.input),
                cached_tokens * float(cached_rate),
                output_tokens * float(price.output),
            )
        )
        / 1e6
    )
