"""Price books, and the one place that prices a call.

A price is USD per 1M tokens and carries the date on which it was listed. What no book lists has
no price: None, never 0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from llmbench.catalog.models import canonical_name
from llmbench.errors import UsageError
from llmbench.types import CostBasis, Usage

__all__ = [
    "BOOKS",
    "SELF_HOSTED",
    "UNKNOWN",
    "Price",
    "PriceBook",
    "TokenPrice",
    "price_book",
    "price_call",
    "price_from",
    "price_usage",
    "token_price",
]

BOOKS = ("current", "2025-01-23")
"""Names of the price books that ship with llmbench."""

_PER = Decimal(1_000_000)
_RATES = frozenset({"input", "output", "cached_input", "cache_write"})
_PRICE_KEYS = _RATES | {"as_of", "up_to_input_tokens"}
_HOSTED_FIRST = ("openai", "together", "replicate")


class TokenPrice(NamedTuple):
    """USD per 1M tokens of one model at one backend."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    """None: cached input is charged like other input."""
    as_of: str
    cache_write: Decimal | None = None
    """None: input that is written to a cache is charged like other input."""
    up_to_input_tokens: int | None = None
    """Above so many input tokens the vendor charges otherwise, and this price does not hold."""


class Price(NamedTuple):
    """What one call costs."""

    usd: float | None
    basis: CostBasis
    book: str | None
    as_of: str | None


UNKNOWN = Price(None, "unknown", None, None)
"""A call whose cost cannot be told."""

SELF_HOSTED = Price(0.0, "self-hosted", None, None)
"""A call to a machine of one's own: its hours are a line of their own."""


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
    if set(row) - _PRICE_KEYS or not {"input", "output"} <= set(row):
        raise UsageError(
            "A price must hold input and output in USD per 1M tokens, and may hold "
            f"{', '.join(sorted(_PRICE_KEYS - {'input', 'output'}))}; "
            f"this one holds {', '.join(sorted(row)) or 'nothing'}."
        )
    try:
        values = {key: Decimal(str(row[key])) for key in _RATES if key in row}
    except InvalidOperation as error:
        raise UsageError(f"A price must be a number of at least 0; this one is {dict(row)}.") from error
    if any(not value.is_finite() or value < 0 for value in values.values()):
        raise UsageError(f"A price must be a number of at least 0; this one is {dict(row)}.")
    return TokenPrice(
        input=values["input"],
        output=values["output"],
        cached_input=values.get("cached_input"),
        as_of=str(row.get("as_of", as_of)),
        cache_write=values.get("cache_write"),
        up_to_input_tokens=row.get("up_to_input_tokens"),
    )


def price_usage(price: TokenPrice, usage: Usage) -> float | None:
    """USD for `usage` at `price`; cached tokens are charged once, at their own rate if there is one.

    None for a call with more input than the price holds for.

    >>> gpt_4o = TokenPrice(Decimal("2.5"), Decimal(10), Decimal("1.25"), "2026-11-22")
    >>> price_usage(gpt_4o, Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=400))
    0.003
    """
    if price.up_to_input_tokens is not None and usage.input_tokens > price.up_to_input_tokens:
        return None
    read_rate = price.input if price.cached_input is None else price.cached_input
    write_rate = price.input if price.cache_write is None else price.cache_write
    fresh = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    total = (
        fresh * price.input
        + usage.cache_read_tokens * read_rate
        + usage.cache_write_tokens * write_rate
        + usage.output_tokens * price.output
    )
    return float(total / _PER)


def price_from(price: TokenPrice | None, usage: Usage | None, *, book: str | None) -> Price:
    """What a call with `usage` costs at `price`; unknown where either of them is not known."""
    usd = None if price is None or usage is None else price_usage(price, usage)
    return Price(usd, "unknown" if usd is None else "priced", book, price.as_of if price else None)


def price_call(
    model: str, usage: Usage | None, *, provider: str, backend: str | None, book: str = "current"
) -> Price:
    """Price one call of `model`; `usd` is None where the model has no price or the usage is unknown.

    The model asked for is priced, not the id that a server says it served.
    """
    found = price_book(book).find(model, backend or (provider if provider == "openai" else None))
    return price_from(found, usage, book=book)
