"""Vendors' list prices as the package genai-prices collects them (MIT): what lies under our overlay.

Its data are those of the pinned release: it is never told to update itself, so that the same
installation gives the same dollars on the same day. It knows some prices of coming days, such as the
end of an introductory one; a price is that of the day asked for, and says until when it holds.
Together is not asked for: its rows there were stale or wrong when they were compared (Mixtral at
0.90 when Together charged 0.60).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llmbench.catalog.prices import Tier, TokenPrice

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceContext

__all__ = ["AS_OF", "listed_price"]

AS_OF = "2026-11-22"
"""The day on which the pinned release, 0.2.3, was the newest and was compared with other lists."""

_VENDORS = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "google",
    "mistral": "mistral",
}
# The package takes a mistyped key or word of a context in silence and gives the full price, so
# contexts are these and no others.
_CONTEXTS: dict[Tier, PriceContext] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
# What may follow a name without making it another model: a date or number of a version, or its state.
_VERSION = re.compile(r"([-@:]?(\d[\d-]*|latest|preview|exp))*", re.IGNORECASE)


def listed_price(
    model: str, place: str, tier: Tier = "standard", day: date | None = None
) -> TokenPrice | None:
    """The list price of `model` (the vendor's id) at `place` on `day` (None: today, in UTC).

    None where the list has none.

    >>> listed_price("gpt-4o", "openai", "batch").input
    Decimal('1.25')
    """
    return _listed(model, place, tier, day or datetime.now(UTC).date())


@lru_cache(maxsize=4096)
def _listed(model: str, place: str, tier: Tier, day: date) -> TokenPrice | None:
    vendor = _VENDORS.get(place)
    if vendor is None:
        return None
    from genai_prices import Usage, calc_price

    noon = datetime.combine(day, time(12), tzinfo=UTC)
    # A thousand tokens, because a million in one call would be priced as a very long one.
    usage, context = Usage(input_tokens=1000, output_tokens=1000), _CONTEXTS[tier]
    try:
        found = calc_price(
            usage, model, provider_id=vendor, genai_request_timestamp=noon, price_context=context or None
        )
    except LookupError:
        return None
    if not _is_named(found.model, model):
        return None
    if context and not any(_active(each.constraint, noon) for each in _variants(found.model, context)):
        return None
    starts = sorted(_starts(found.model, context))
    past = [start for start in starts if start <= day]
    coming = [start for start in starts if start > day]
    return _token_price(
        found.model_price,
        as_of=max([AS_OF, *map(date.isoformat, past)]),
        until=(coming[0] - timedelta(days=1)).isoformat() if coming else None,
    )


def _is_named(found: ModelInfo, model: str) -> bool:
    """Whether the list means this very model.

    Many of its rows match by the beginning of a name alone, so that a model it has never heard of
    would get the price of its neighbour.
    """
    asked = model.casefold()
    return (
        any(
            # A fine-tuned model is named after its base, and then as its owner likes.
            rest == "" or _VERSION.fullmatch(rest) or "ft:" in known or ".ft-" in known
            for known, rest in _matches(found.match, asked)
        )
        or asked == found.id.casefold()
    )


def _matches(clause: Any, asked: str) -> Iterator[tuple[str, str]]:
    """What each clause of the list's rule knows of the name, with what follows it there."""
    for part in (*getattr(clause, "or_", ()), *getattr(clause, "and_", ())):
        yield from _matches(part, asked)
    for kind in ("equals", "starts_with", "ends_with", "contains"):
        known = getattr(clause, kind, None)
        before, found, rest = asked.partition(known.casefold()) if known else (asked, "", "")
        if found and (not before or before[-1] in "/."):
            yield found, rest
    pattern = getattr(clause, "regex", None)
    named = re.match(pattern, asked) if pattern else None
    if named and named.end():
        yield named.group(), asked[named.end() :]


def _variants(model: ModelInfo, context: PriceContext) -> list[Any]:
    return [each for each in model.price_variants or () if each.when == context]


def _active(constraint: Any, when: datetime) -> bool:
    return constraint is None or bool(constraint.active(when))


def _starts(model: ModelInfo, context: PriceContext) -> Iterator[date]:
    """The days on which the price changes, past and to come."""
    rows = _variants(model, context) if context else model.prices
    for row in rows if isinstance(rows, list) else ():
        start = getattr(row.constraint, "start_date", None)
        if start is not None:
            yield start


def _token_price(prices: ModelPrice, *, as_of: str, until: str | None) -> TokenPrice | None:
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
            as_of=as_of,
            up_to_input_tokens=limit,
            beyond=price,
            source=f"genai-prices {version('genai-prices')}",
            until=until,
        )
    return price


def _at(rate: Any, start: int | None) -> Decimal | None:
    """A rate for calls that are longer than `start`."""
    if rate is None or isinstance(rate, Decimal):
        return rate
    passed = [tier for tier in rate.tiers if start is not None and tier.start <= start]
    found: Decimal = max(passed, key=lambda tier: tier.start).price if passed else rate.base
    return found
