"""Price books, and the one place that prices a call.

A price is USD per 1M tokens and carries the date on which it was listed. What no book lists has
no price: None, never 0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from llmbench.catalog.models import canonical_name
from llmbench.errors import UsageError
from llmbench.types import CostBasis, Usage

__all__ = [
    "BOOKS",
    "Price",
    "PriceBook",
    "TokenPrice",
    "price_book",
    "price_call",
    "price_usage",
    "token_price",
]

BOOKS = ("current", "2025-01-23")
"""Names of the price books that ship with llmbench."""

_PER = Decimal(1_000_000)
_HOSTED_FIRST = ("openai", "together", "replicate")


class TokenPrice(NamedTuple):
    """USD per 1M tokens of one model at one backend."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    """None: cached input is charged like other input."""
    as_of: str


class Price(NamedTuple):
    """What one call costs."""

    usd: float | None
    basis: CostBasis
    book: str | None
    as_of: str | None


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one date."""

    name: str
    as_of: str
    source: str
    prices: Mapping[str, Mapping[str, TokenPrice]]
    """By backend, then by catalog name."""

    def find(self, model: str, backend: str | None) -> TokenPrice | None:
        """The price of `model` (any spelling the catalog knows) at `backend`, or None.

        Without a backend: the first listed of openai, together, replicate.
        """
        name = canonical_name(model)
        if name is None:
            return None
        for place in (backend,) if backend else _HOSTED_FIRST:
            price = self.prices.get(place or "", {}).get(name)
            if price is not None:
                return price
        return None


@cache
def price_book(name: str = "current") -> PriceBook:
    """Read the book `name`. Raises UsageError with the names there are."""
    if name not in BOOKS:
        raise UsageError(f"There is no price book {name!r}; choose one of {', '.join(BOOKS)}.")
    source = files("llmbench.catalog").joinpath(f"facts/prices-{name}.toml")
    data: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
    book = data["book"]
    return PriceBook(
        name=book["name"],
        as_of=book["as_of"],
        source=book["source"],
        prices={
            backend: {model: token_price(row, book["as_of"]) for model, row in rows.items()}
            for backend, rows in data["prices"].items()
        },
    )


def token_price(row: Mapping[str, Any], as_of: str) -> TokenPrice:
    """A price from a table `{input, output, cached_input, as_of}` in USD per 1M tokens.

    Raises UsageError for a missing, unknown or negative entry.
    """
    unknown = set(row) - {"input", "output", "cached_input", "as_of"}
    if unknown or not {"input", "output"} <= set(row):
        raise UsageError(
            f"A price must hold input and output, and may hold cached_input and as_of, in USD per 1M tokens; "
            f"this one holds {', '.join(sorted(row)) or 'nothing'}."
        )
    values = {key: Decimal(str(value)) for key, value in row.items() if key != "as_of"}
    if any(not value.is_finite() or value < 0 for value in values.values()):
        raise UsageError(f"A price must be a number of at least 0; this one is {dict(row)}.")
    return TokenPrice(
        values["input"], values["output"], values.get("cached_input"), str(row.get("as_of", as_of))
    )


def price_usage(price: TokenPrice, usage: Usage) -> float:
    """USD for `usage` at `price`; cached tokens are charged once, at the cached rate if there is one.

    >>> gpt_4o = TokenPrice(Decimal("2.5"), Decimal(10), Decimal("1.25"), "2026-11-22")
    >>> price_usage(gpt_4o, Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=400))
    0.003
    """
    cached_rate = price.input if price.cached_input is None else price.cached_input
    fresh = usage.input_tokens - usage.cache_read_tokens
    total = fresh * price.input + usage.cache_read_tokens * cached_rate + usage.output_tokens * price.output
    return float(total / _PER)


def price_call(
    model: str, usage: Usage | None, *, provider: str, backend: str | None, book: str = "current"
) -> Price:
    """Price one call of `model`; `usd` is None where the model has no price or the usage is unknown.

    The model asked for is priced, not the id that a server says it served.
    """
    found = price_book(book).find(model, backend or (provider if provider == "openai" else None))
    if found is None or usage is None:
        return Price(None, "unknown", book, found.as_of if found else None)
    return Price(price_usage(found, usage), "priced", book, found.as_of)
