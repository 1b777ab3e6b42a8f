"""Price books, and the one place that prices a call.

The book "current" has three layers: vendors' lists as genai-prices collects them at the bottom, our
dated overlay (facts/prices-current.toml) on it, and the project's own prices.toml on top. The book
"2025-01-23" is the document's own, and nothing lies under or over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache

from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.models import all_models, canonical_name
from llmbench.catalog.places import HOSTED
from llmbench.catalog.prices import (
    TIERS,
    UNKNOWN,
    Price,
    Tier,
    TokenPrice,
    price_from,
    token_price,
)
from llmbench.catalog.project_prices import project_prices
from llmbench.catalog.tuned_models import priced_as
from llmbench.catalog.vendor_lists import listed_price
from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.types import Usage

__all__ = ["BOOKS", "CURRENT", "PriceBook", "price_book", "price_call"]

CURRENT = "current"
BOOKS = (CURRENT, "2025-01-23")
"""Names of the price books that ship with llmbench."""


@shown
@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one date."""

    name: str
    as_of: str
    source: str
    prices: Mapping[str, Mapping[str, TokenPrice]]
    """By backend, then by catalog name: the standard tier."""
    tiers: Mapping[tuple[str, str, Tier], TokenPrice] = field(default_factory=dict)
    """By backend, catalog name and tier: what the book itself lists beyond the standard tier."""

    def find(
        self, model: str, backend: str | None, tier: Tier = "standard", *, day: date | None = None
    ) -> TokenPrice | None:
        """The price of `model` (any spelling the catalog knows, or a vendor's id) at `backend`, or None.

        Without a backend: at the first hosted backend of the catalog that has one.
        A tier that is not listed has no price: the standard one is never taken in its place. Raises
        UsageError for a tier that there is not.
        `day`: as of that day, where the book knows several prices; None is today.
        """
        return self.find_at(model, backend, tier, day=day)[1]

    def find_at(
        self, model: str, backend: str | None, tier: Tier = "standard", *, day: date | None = None
    ) -> tuple[str, TokenPrice] | tuple[None, None]:
        """The price that `find` gives, after the backend that charges it."""
        if tier not in TIERS:
            raise UsageError(f"There is no tier {tier!r}; choose one of {', '.join(TIERS)}.")
        today = day or datetime.now(UTC).date()
        for place in (backend,) if backend else _hosts(model):
            price = self._listed(model, place, tier, today)
            if self.name == CURRENT:
                price = project_prices().apply(price, place, model, tier, today)
            if price is not None:
                return place, price
        return None, None

    def _listed(self, model: str, place: str, tier: Tier, day: date) -> TokenPrice | None:
        # A book lists models that were tuned from one base under one name.
        name = canonical_name(model) or priced_as(model)
        row = self.prices.get(place, {}).get(name) if name else None
        if row is not None and tier == "standard":
            return row
        if name and (place, name, tier) in self.tiers:
            return self.tiers[place, name, tier]
        if self.name != CURRENT:
            return None
        facts = all_models().get(name or "")
        vendors_id = facts.backends.get(place, model) if facts else model
        if row is not None:
            # Another tier of a model that the overlay prices: only where both lists tell the same price.
            base = listed_price(vendors_id, place, day=day)
            if base is None or (base.input, base.output) != (row.input, row.output):
                return None
        return listed_price(vendors_id, place, tier, day)


@cache
def _hosts(model: str) -> tuple[str, ...]:
    """Where a model may be priced that is named without a backend, in order."""
    name = canonical_name(model)
    if name is None:
        return HOSTED
    listed = [place for place in all_models()[name].backends if place in HOSTED]
    # What a book says of other places, but not what a vendor's list says of its own models.
    written = [place for place in HOSTED if any(name in price_book(b).prices.get(place, {}) for b in BOOKS)]
    return tuple(dict.fromkeys((*listed, *written)))


@cache
def price_book(name: str = CURRENT) -> PriceBook:
    """Read the book `name`. Raises UsageError with the names there are."""
    if name not in BOOKS:
        raise UsageError(f"There is no price book {name!r}; choose one of {', '.join(BOOKS)}.")
    data = read_facts(f"prices-{name}")
    book = data["book"]
    layer = f"overlay: {book['source']}" if name == CURRENT else book["source"]
    prices: dict[str, dict[str, TokenPrice]] = {}
    tiers: dict[tuple[str, str, Tier], TokenPrice] = {}
    for backend, rows in data["prices"].items():
        prices[backend] = {}
        for model, row in rows.items():
            standard = {key: value for key, value in row.items() if key not in TIERS}
            own = prices[backend][model] = token_price(standard, book["as_of"], layer)
            for tier in TIERS:
                if tier in row:
                    tiers[backend, model, tier] = token_price(row[tier], own.as_of, own.source)
    return PriceBook(book["name"], book["as_of"], book["source"], prices, tiers)


def price_call(
    model: str,
    usage: Usage | None,
    *,
    provider: str,
    backend: str | None,
    book: str = CURRENT,
    tier: Tier | None = "standard",
) -> Price:
    """Price one call of `model`; `usd` is None where the model has no price or the usage is unknown.

    The model asked for is priced, not the id that a server says it served. `tier` None: served in
    a way whose price is not known.
    """
    if tier is None:
        return UNKNOWN
    place = backend or (provider if provider in HOSTED else None)
    return price_from(price_book(book).find(model, place, tier), usage, book=book)
