"""The catalog as a list to read: one row a model."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from llmbench.catalog.books import price_book
from llmbench.catalog.models import ModelFacts, all_models
from llmbench.catalog.places import OWN
from llmbench.catalog.prices import TokenPrice
from llmbench.catalog.tuned_models import TunedModel, tuned_models
from llmbench.unknown import UNKNOWN

__all__ = ["ListedModel", "list_models"]


class ListedModel(NamedTuple):
    """A model with what it costs at its first hosted backend."""

    model: str
    provider: str
    input_usd: str
    """USD per 1M tokens as text; "unknown" where nobody lists a price, "own" where it only runs at home."""
    output_usd: str
    price_as_of: str | None
    price_until: str | None
    """ISO date of the price's last day, where the next price is known already."""
    price_source: str | None
    context: int | None
    ends: str | None
    """ISO date on which the last vendor that has named one ends it."""
    ends_at: str | None
    """That vendor; of other places that host it, no end is known."""


def list_models(book: str = "current", *, today: date, with_ended: bool = False) -> list[ListedModel]:
    """Every model of the catalog; without those that every vendor which has named a day has ended, unless
    they run on one's own machine. Then the tuned models of the current folder's project.

    >>> found = {row.model: row for row in list_models("2025-01-23", today=date(2025, 1, 23))}
    >>> found["gpt-4o-mini"].input_usd, found["llama-3.1-70b"].output_usd
    ('0.15', '0.90')
    """
    rows = []
    for facts in all_models().values():
        ends = max(((day, at) for at, day in facts.shutdown.items()), default=None)
        over = ends is not None and date.fromisoformat(ends[0]) <= today and not facts.local
        if over and not with_ended:
            continue
        hosted = _hosted(facts)
        price = price_book(book).find(facts.name, None, day=today) if hosted else None
        rows.append(_row(facts.name, facts.provider, price, own=not hosted, context=facts.context, ends=ends))
    return rows + [_tuned(tuned, book, today) for tuned in tuned_models().values()]


def _tuned(tuned: TunedModel, book: str, today: date) -> ListedModel:
    facts = all_models().get(tuned.base)
    day = facts.shutdown.get(tuned.place) if facts else None
    own = tuned.place in OWN
    price = None if own else price_book(book).find(tuned.model, tuned.place, day=today)
    return _row(
        tuned.model,
        tuned.place,
        price,
        own=own,
        context=facts.context if facts else None,
        ends=(day, tuned.place) if day else None,
    )


def _row(
    model: str,
    provider: str,
    price: TokenPrice | None,
    *,
    own: bool,
    context: int | None,
    ends: tuple[str, str] | None,
) -> ListedModel:
    known = "own" if own else UNKNOWN
    return ListedModel(
        model=model,
        provider=provider,
        input_usd=_rate(price.input) if price else known,
        output_usd=_rate(price.output) if price else known,
        price_as_of=price.as_of if price else None,
        price_until=price.until if price else None,
        price_source=price.source if price else None,
        context=context,
        ends=ends[0] if ends else None,
        ends_at=ends[1] if ends else None,
    )


def _hosted(facts: ModelFacts) -> bool:
    return bool(set(facts.backends).difference(OWN))


def _rate(usd: Decimal) -> str:
    """With cents, and with as many more digits as the price has."""
    exact = f"{usd.normalize():f}"
    return exact if len(exact.partition(".")[2]) > len("00") else f"{usd:.2f}"
