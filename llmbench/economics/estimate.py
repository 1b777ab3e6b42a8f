"""A workload's monthly cost by model, and what it saves against a baseline."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.catalog import TokenPrice, all_models, canonical_name, price_book
from llmbench.economics.api import cost_at, listed_price_of, price_and_place
from llmbench.economics.checks import check_share
from llmbench.economics.prompt_cache import cached_share_at
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.types import ModelCapability

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Estimate", "EstimateRow", "estimate"]


@shown
@dataclass(frozen=True, slots=True)
class EstimateRow:
    """One model, or one mix of models."""

    name: str
    """A model's name; for a mix, its models with their shares."""
    usd_per_month: float | None
    """None where some price is not known."""
    saving_usd: float | None
    """Against the baseline; negative where it costs more."""
    saving_share: float | None
    """Of the baseline's cost."""
    price_as_of: str | None
    """ISO date of the price; of a mix, the oldest."""
    price_until: str | None
    """ISO date of the last day of a price that is known to change; of a mix, the first such day."""
    price_source: str | None
    shutdown_date: str | None
    """ISO date on which the model, or the first of a mix, ends where it is priced."""
    shutdown_at: str | None = None
    """The vendor that ends it on that day; of a mix, after the model, as in "mixtral-8x7b at together"."""
    note: str = ""
    """Why there is no price, or what the price leaves out."""

    def sources(self) -> list[str]:
        """Where the prices stand: one source for a model, and perhaps several for a mix."""
        return self.price_source.split("; ") if self.price_source else []


@shown
@dataclass(frozen=True, slots=True)
class Estimate:
    """What a workload costs a month. Made by `estimate`."""

    workload: Workload
    price_book: str
    baseline: str
    rows: tuple[EstimateRow, ...]

    def __getitem__(self, name: str) -> EstimateRow:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def to_pandas(self) -> pd.DataFrame:
        """One row per model; NaN is unknown."""
        import pandas as pd

        frame = pd.DataFrame([asdict(row) for row in self.rows])
        money = ["usd_per_month", "saving_usd", "saving_share"]
        frame[money] = frame[money].astype("float64")
        return frame

    def table(self) -> PlainTable:
        """As it is shown; `notes` says what belongs to it."""
        head = ("model", "ends", "price of", "source", "USD/month", "saving", "saving %")
        body = [
            (
                row.name,
                row.shutdown_date or "",
                row.price_as_of or "",
                "; ".join(dict.fromkeys(each.partition(":")[0] for each in row.sources())),
                dollars(row.usd_per_month),
                "baseline" if row.name == self.baseline else dollars(row.saving_usd),
                "" if row.name == self.baseline or row.saving_share is None else f"{row.saving_share:.1%}",
            )
            for row in self.rows
        ]
        return PlainTable(head, body, texts=4)

    def notes(self) -> list[str]:
        """Where the prices come from, which are known to change, and what is missing in a row."""
        sources = dict.fromkeys(source for row in self.rows for source in row.sources())
        ending = [f"{row.name} ({row.price_until})" for row in self.rows if row.price_until]
        models: dict[str, list[str]] = {}
        for row in self.rows:
            if row.note:
                models.setdefault(row.note, []).append(row.name)
        return [
            *([f"Prices: {'; '.join(sources)}."] if sources else []),
            *([f"Another price is announced for after: {', '.join(ending)}."] if ending else []),
            *(f"{note[0].upper()}{note[1:]}: {', '.join(names)}." for note, names in models.items()),
        ]

    def __str__(self) -> str:
        load = self.workload
        return (
            f"{load.messages_per_month:,.0f} messages a month of {load.input_tokens:,.0f} input and "
            f"{load.output_tokens:,.0f} output tokens, price book {self.price_book}"
        )

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        return f"<p>{html.escape(str(self))}.</p>{self.table().html()}{notes}"


class _End(NamedTuple):
    """When a model ends where it is priced."""

    day: str
    """ISO date."""
    at: str
    """The vendor, perhaps after the model."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """One model's month."""

    usd: float | None
    price: TokenPrice | None
    ends: _End | None
    note: str = ""


def estimate(
    workload: Workload,
    models: Sequence[str] | None = None,
    *,
    mixes: Sequence[Mapping[str, float]] = (),
    baseline: str = "gpt-4",
    price_book: str = "current",
) -> Estimate:
    """The monthly cost of `workload` at each of `models` and `mixes`, dearest first.

    `models` are catalog names or `backend/model`; None is every chat model that the book prices.
    A mix gives each of its models a share of the messages. The baseline is added where it is missing.

    Raises UsageError for an unknown model or book, and for shares that do not sum to 1.

    >>> load = Workload(100_000, input_tokens=500, output_tokens=200)
    >>> mix = {"gpt-4o": 0.2, "mixtral-8x7b": 0.8}
    >>> found = estimate(load, ["gpt-4o"], mixes=[mix], price_book="2025-01-23")
    >>> [(row.name, row.usd_per_month) for row in found.rows]
    [('gpt-4', 2700.0), ('gpt-4o', 325.0), ('gpt-4o 20% + mixtral-8x7b 80%', 98.6)]
    """
    names = list(dict.fromkeys(_priced_models(price_book) if models is None else models))
    if baseline not in names:
        names.insert(0, baseline)
    base = _month(baseline, workload, price_book).usd
    rows = [_row(name, _month(name, workload, price_book), base) for name in names]
    rows += [_mix_row(mix, workload, price_book, base) for mix in mixes]
    rows.sort(key=lambda row: (row.name != baseline, row.usd_per_month is None, -(row.usd_per_month or 0.0)))
    return Estimate(workload, price_book, baseline, tuple(rows))


def _priced_models(book: str) -> list[str]:
    return [
        name
        for name, facts in all_models().items()
        if ModelCapability.CHAT in facts.capabilities and price_book(book).find(name, None) is not None
    ]


def _month(model: str, load: Workload, book: str) -> _Cost:
    """Messages that can wait at the batch's price, the rest at the standard one."""
    standard, place, name = price_and_place(model, book)
    ends = _shutdown(name, place)
    if standard is None:
        return _Cost(None, None, ends, "no price is listed in this book")
    total, notes = 0.0, []
    for share, price, tier in (
        (1 - load.batch_share, standard, "standard"),
        (load.batch_share, listed_price_of(model, book, "batch") if load.batch_share else None, "batch"),
    ):
        if not share:
            continue
        held = _of_length(price, load.input_tokens)
        if held is None:
            length = "" if price is None else " for messages of this length"
            return _Cost(None, standard, ends, f"no {tier} price is listed{length}")
        cached_share = cached_share_at(load, place)
        if cached_share and held.cached_input is None:
            notes.append("no price for cached input: charged like other input")
        read = share * load.input_tokens_per_month
        total += cost_at(held, read, share * load.output_tokens_per_month, read * cached_share)
    return _Cost(_round(total), standard, ends, "; ".join(dict.fromkeys(notes)))


def _of_length(price: TokenPrice | None, input_tokens: float) -> TokenPrice | None:
    """The price that holds for messages of so many input tokens."""
    while (
        price is not None and price.up_to_input_tokens is not None and input_tokens > price.up_to_input_tokens
    ):
        price = price.beyond
    return price


def _row(name: str, cost: _Cost, base: float | None) -> EstimateRow:
    saving = None if base is None or cost.usd is None else _round(base - cost.usd)
    return EstimateRow(
        name=name,
        usd_per_month=cost.usd,
        saving_usd=saving,
        saving_share=None if saving is None or not base else saving / base,
        price_as_of=cost.price.as_of if cost.price else None,
        price_until=cost.price.until if cost.price else None,
        price_source=cost.price.source if cost.price else None,
        shutdown_date=cost.ends.day if cost.ends else None,
        shutdown_at=cost.ends.at if cost.ends else None,
        note=cost.note,
    )


def _mix_row(mix: Mapping[str, float], load: Workload, book: str, base: float | None) -> EstimateRow:
    shares = [check_share(f"The share of {name} in a mix", share) for name, share in mix.items()]
    if not shares or not math.isclose(math.fsum(shares), 1.0, abs_tol=1e-9):
        raise UsageError(
            f"The shares of a mix must sum to 1; those of {', '.join(mix)} sum to {math.fsum(shares):.12g}."
        )
    parts = {name: _month(name, load, book) for name in mix}
    costs = [None if parts[name].usd is None else share * parts[name].usd for name, share in mix.items()]  # type: ignore[operator]
    known = [cost for cost in costs if cost is not None]
    dates = [part.price.as_of for part in parts.values() if part.price]
    label = " + ".join(f"{name} {share:.4g}%" for name, share in ((n, 100 * s) for n, s in mix.items()))
    total = _round(math.fsum(known)) if len(known) == len(costs) else None
    ends = (_End(p.ends.day, f"{name} at {p.ends.at}") for name, p in parts.items() if p.ends)
    row = _row(label, _Cost(total, None, min(ends, default=None)), base)
    changes = [part.price.until for part in parts.values() if part.price and part.price.until]
    notes = dict.fromkeys(f"{name}: {part.note}" for name, part in parts.items() if part.note)
    fields: dict[str, Any] = asdict(row) | {
        "price_as_of": min(dates, default=None),
        "price_until": min(changes, default=None),
        "price_source": "; ".join(dict.fromkeys(p.price.source for p in parts.values() if p.price)) or None,
        "note": "; ".join(notes),
    }
    return EstimateRow(**fields)


def _shutdown(name: str, place: str | None) -> _End | None:
    """When `place` ends the model; where none is priced, the first end that there is."""
    facts = all_models().get(canonical_name(name) or "")
    ends = (_End(day, at) for at, day in facts.shutdown.items() if place in {None, at}) if facts else ()
    return min(ends, default=None)


def _round(usd: float) -> float:
    """Cut off what binary fractions add: a ten-thousandth of a cent."""
    return round(usd, 6)
