"""What a token costs, and what a call costs by it. Numbers in, numbers out.

A price is USD per 1M tokens and carries the date on which it was listed, and where. What nobody
lists has no price: None, never 0. Which price holds where is `llmbench.catalog.books`' affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, get_args

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.types import CostBasis, Usage

__all__ = [
    "SELF_HOSTED",
    "TIERS",
    "UNKNOWN",
    "Price",
    "Tier",
    "TokenPrice",
    "price_from",
    "price_usage",
    "tier_served",
    "token_price",
]

Tier = Literal["standard", "batch", "flex", "priority"]
"""How soon a vendor serves a request; each has its own price."""

TIERS: tuple[Tier, ...] = get_args(Tier)

_PER = Decimal(1_000_000)
_RATES = frozenset({"input", "output", "cached_input", "cache_write"})
_PRICE_KEYS = _RATES | {"as_of", "source", "up_to_input_tokens", "beyond"}


@shown
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
    beyond: TokenPrice | None = None
    """The price of a call with more input than that, for all of its tokens; None: not known."""
    source: str = ""
    """Where the price stands."""
    until: str | None = None
    """ISO date of the last day on which it is charged, where the vendor has already named the next price."""

    def times(self, factor: Decimal) -> TokenPrice:
        """Every rate multiplied by `factor`, as a discount does."""
        return self._replace(
            input=self.input * factor,
            output=self.output * factor,
            cached_input=None if self.cached_input is None else self.cached_input * factor,
            cache_write=None if self.cache_write is None else self.cache_write * factor,
            beyond=None if self.beyond is None else self.beyond.times(factor),
        )


@shown
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

_SERVED: Mapping[str, Tier] = {
    "standard": "standard",
    "standard_only": "standard",  # Anthropic
    "default": "standard",  # OpenAI
    "auto": "standard",
    "batch": "batch",
    "flex": "flex",
    "priority": "priority",
}


def tier_served(word: str | None) -> Tier | None:
    """The tier for a vendor's word in a reply; None for a word whose price is not known.

    >>> tier_served("default"), tier_served(None), tier_served("scale")
    ('standard', 'standard', None)
    """
    return "standard" if word is None else _SERVED.get(word)


def token_price(row: Mapping[str, Any], as_of: str, source: str = "") -> TokenPrice:
    """A price from a table `{input, output, cached_input, ..., as_of}` in USD per 1M tokens.

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
    limit, longer = row.get("up_to_input_tokens"), row.get("beyond")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise UsageError(f"up_to_input_tokens must be a whole number of at least 1; it is {limit!r}.")
    if longer is not None and (limit is None or not isinstance(longer, Mapping)):
        raise UsageError(
            "beyond must be a table of the price for longer calls, beside the up_to_input_tokens at which "
            f"it begins; this one is {dict(row)}."
        )
    day, where = str(row.get("as_of", as_of)), str(row.get("source", source))
    return TokenPrice(
        input=values["input"],
        output=values["output"],
        cached_input=values.get("cached_input"),
        as_of=day,
        cache_write=values.get("cache_write"),
        up_to_input_tokens=limit,
        beyond=None if longer is None else token_price(longer, day, where),
        source=where,
    )


def price_usage(price: TokenPrice, usage: Usage) -> float | None:
    """USD for `usage` at `price`; cached tokens are charged once, at their own rate if there is one.

    None for a call with more input than any known price holds for.

    >>> gpt_4o = TokenPrice(Decimal("2.5"), Decimal(10), Decimal("1.25"), "2026-11-22")
    >>> price_usage(gpt_4o, Usage(input_tokens=1000, output_tokens=100, cache_read_tokens=400))
    0.003
    """
    while price.up_to_input_tokens is not None and usage.input_tokens > price.up_to_input_tokens:
        if price.beyond is None:
            return None
        price = price.beyond
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
