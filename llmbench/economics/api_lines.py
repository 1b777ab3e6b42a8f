"""What a workload costs a month at each vendor's interface: the straight lines of a break-even."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from llmbench.catalog import canonical_name
from llmbench.economics.checks import check_share
from llmbench.economics.estimate import Estimate, estimate
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_BATCH_PRICE", "ApiLine", "ApiLines", "TokenPrices", "api_lines", "token_prices"]

NO_BATCH_PRICE = "no batch price is listed: messages that can wait are charged like the others"
"""Note of a model that costs no less in batches, as far as its price book knows."""


@shown
class ApiLine(NamedTuple):
    """One model at its vendor. What it costs is proportional to the messages."""

    model: str
    usd_per_message: float | None
    """None where the book has no price."""
    usd_per_month: float | None
    discount: float
    """Off the list price, by contract."""
    price_as_of: str | None
    source: str | None
    shutdown_date: str | None
    note: str = ""

    def ended(self, today: date) -> bool:
        """Whether it is no longer sold where it is priced."""
        return self.shutdown_date is not None and self.shutdown_date <= today.isoformat()


@shown
@dataclass(frozen=True, slots=True)
class ApiLines:
    """The models' lines, cheapest first; those without a price are last. Made by `api_lines`."""

    workload: Workload
    price_book: str
    rows: tuple[ApiLine, ...]

    def __iter__(self) -> Iterator[ApiLine]:
        return iter(self.rows)

    def __getitem__(self, model: str) -> ApiLine:
        wanted = canonical_name(model) or model
        for row in self.rows:
            if row.model in {model, wanted}:
                return row
        raise UsageError(
            f"{model!r} is not among the models compared: {', '.join(row.model for row in self.rows)}."
        )

    def priced(self) -> list[ApiLine]:
        """Those whose price is known."""
        return [row for row in self.rows if row.usd_per_message is not None]

    def to_pandas(self) -> pd.DataFrame:
        """One row per model; NaN is unknown."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=list(ApiLine._fields))
        money = ["usd_per_message", "usd_per_month"]
        frame[money] = frame[money].astype("float64")
        return frame

    def _repr_html_(self) -> str:
        rows = [
            (row.model, row.price_as_of or "", dollars(row.usd_per_message), dollars(row.usd_per_month))
            for row in self.rows
        ]
        table = PlainTable(("model", "price of", "USD/message", "USD/month"), rows, texts=2)
        return f"<p>Price book {html.escape(self.price_book)}.</p>{table.html()}"


def api_lines(
    workload: Workload,
    models: Sequence[str] | None = None,
    *,
    price_book: str = "current",
    discounts: Mapping[str, float] | None = None,
) -> ApiLines:
    """The cost of `workload` at each of `models` (None: every chat model that the book prices).

    `discounts` are shares off the list price by contract, by model or, under "all", for every one.
    Messages that can wait are charged at the batch's price, where the book has one, else like all others;
    the line's note says so. A shared beginning is charged by the vendor's cache rule.

    Raises UsageError for no messages, an unknown model or book, and a discount that is not a share.

    >>> load = Workload(100_000, input_tokens=500, output_tokens=200)
    >>> api_lines(load, ["llama-3.1-8b"], price_book="2025-01-23")["llama-3.1-8b"].usd_per_month
    14.0
    """
    if workload.messages_per_month <= 0:
        raise UsageError(
            "messages_per_month is 0: nothing is asked, and nothing costs least; give how many "
            "messages a month "
            "are expected."
        )
    terms = {canonical_name(name) or name: share for name, share in (discounts or {}).items()}
    for name, share in terms.items():
        if check_share(f"The discount of {name}", share) == 1:
            raise UsageError(f"The discount of {name} must be a share from 0 to below 1; it is {share!r}.")
    names = None if models is None else list(dict.fromkeys(canonical_name(name) or name for name in models))
    if names is not None and not names:
        raise UsageError("Name at least one model to compare with, as in gpt-4o-mini.")
    # The baseline is added where it is missing: take one that is asked for.
    found = estimate(workload, names, baseline=names[0] if names else "gpt-4o-mini", price_book=price_book)
    rows = [_line(found, row.name, terms.get(row.name, terms.get("all", 0.0))) for row in found.rows]
    dear = [row.model for row in rows if row.usd_per_message is None] if workload.batch_share else []
    if dear:  # a message that can wait may always be sent like any other
        same = {
            line.model: line._replace(note="; ".join(filter(None, (NO_BATCH_PRICE, line.note))))
            for line in api_lines(
                replace(workload, batch_share=0.0),
                dear,
                price_book=price_book,
                discounts={name: terms.get(name, terms.get("all", 0.0)) for name in dear},
            ).priced()
        }
        rows = [same.get(row.model, row) for row in rows]
    unused = set(terms) - {row.model for row in rows} - {"all"}
    if unused:
        raise UsageError(
            f"There is a discount for {', '.join(sorted(unused))}, which is not among the models compared."
        )
    rows.sort(key=lambda row: (row.usd_per_month is None, row.usd_per_month or 0.0, row.model))
    return ApiLines(workload, price_book, tuple(rows))


@shown
class TokenPrices(NamedTuple):
    """USD of a message by what makes it up, at a workload's lengths."""

    input_usd: float
    output_usd: float


def token_prices(
    workload: Workload,
    models: Sequence[str],
    *,
    price_book: str = "current",
    discounts: Mapping[str, float] | None = None,
) -> dict[str, TokenPrices]:
    """What reading and writing a message's tokens cost apart, by model; models without a price are left out.

    >>> load = Workload(100_000, input_tokens=500, output_tokens=200)
    >>> token_prices(load, ["gpt-4o"], price_book="2025-01-23")["gpt-4o"]
    TokenPrices(input_usd=0.00125, output_usd=0.002)
    """
    silent = replace(workload, output_tokens=0.0)
    whole = api_lines(workload, models, price_book=price_book, discounts=discounts)
    read = api_lines(silent, models, price_book=price_book, discounts=discounts)
    found = {}
    for line in whole.priced():
        usd = read[line.model].usd_per_message
        if usd is not None and line.usd_per_message is not None:
            found[line.model] = TokenPrices(round(usd, 12), round(line.usd_per_message - usd, 12))
    return found


def _line(found: Estimate, name: str, discount: float) -> ApiLine:
    row = found[name]
    listed = row.usd_per_month
    month = None if listed is None else listed * (1 - discount)
    return ApiLine(
        model=name,
        usd_per_message=None if month is None else month / found.workload.messages_per_month,
        usd_per_month=month,
        discount=discount,
        price_as_of=row.price_as_of,
        source=row.price_source,
        shutdown_date=row.shutdown_date,
        note=row.note,
    )
