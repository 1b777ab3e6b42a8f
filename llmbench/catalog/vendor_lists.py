"""Vendors' list prices as the package genai-prices collects them (MIT): what lies under our overlay.

Its data are those of the pinned release: it is never told to update itself, so that the same
installation gives the same dollars. Together is not asked for: its rows there were stale or wrong
when they were compared (Mixtral at 0.90 when Together charged 0.60).
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llmbench.catalog.prices import Tier, TokenPrice

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, PriceContext

__all__ = ["AS_OF", "listed_price"]

AS_OF = "2026-11-22"
"""The day on which the pinned release, 0.2.3, was the newest and was compared with other lists."""

_VENDORS = {"openai": "openai", "azure": "azure", "anthropic": "anthropic", "gemini": "google"}
# The package takes a mistyped key or word of a context in silence and gives the full price, so
# contexts are these and no others.
_CONTEXTS: dict[Tier, PriceContext] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}


@cache
def listed_price(model: str, place: str, tier: Tier = "standard") -> TokenPrice | None:
    """The list price of `model` (the vendor's id) at `place`; None where the list has none.

    >>> listed_price("gpt-4o", "openai", "batch").input
    Decimal('1.25')
    """
    vendor = _VENDORS.get(place)
    if vendor is None:
        return None
    from genai_prices import Usage, calc_price

    # A thousand tokens, because a million in one call would be priced as a very long one.
    usage, context = Usage(input_tokens=1000, output_tokens=1000), _CONTEXTS[tier]
    try:
        found = calc_price(usage, model, provider_id=vendor)
        if context:
            if all(variant.when != context for variant in found.model.price_variants or ()):
                return None
            found = calc_price(usage, model, provider_id=vendor, price_context=context)
    except LookupError:
        return None
    return _token_price(found.model_price)


def _token_price(prices: ModelPrice) -> TokenPrice | None:
    rates: dict[str, Any] = {
        ours: getattr(prices, theirs, None)
        for ours, theirs in (
            ("input", "input_mtok"),
            ("output", "output_mtok"),
            ("cached_input", "cache_read_mtok"),
            ("cache_write", "cache_write_mtok"),
        )
    }
    if rates["input"] is None or rates["output"] is None:
        return None  # priced by something else than text tokens
    starts = sorted({tier.start for rate in rates.values() for tier in getattr(rate, "tiers", ())})
    price: TokenPrice | None = None
    # From the longest calls down, so that each price knows the one beyond it.
    for start, limit in reversed(list(zip([None, *starts], [*starts, None], strict=True))):
        found: dict[str, Any] = {name: _at(rate, start) for name, rate in rates.items()}
        price = TokenPrice(
            **found,
            as_of=AS_OF,
            up_to_input_tokens=limit,
            beyond=price,
            source=f"genai-prices {version('genai-prices')}",
        )
    return price


def _at(rate: Any, start: int | None) -> Decimal | None:
    """A rate for calls that are longer than `start`."""
    if rate is None or isinstance(rate, Decimal):
        return rate
    passed = [tier for tier in rate.tiers if start is not None and tier.start <= start]
    found: Decimal = max(passed, key=lambda tier: tier.start).price if passed else rate.base
    return found
