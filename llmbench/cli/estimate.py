"""`llmbench estimate`."""

from __future__ import annotations

import csv
import sys
from dataclasses import fields
from datetime import UTC, date, datetime

import click

from llmbench.errors import UsageError
from llmbench.spreadsheet import formula_safe
from llmbench.unknown import UNKNOWN

__all__ = ["estimate"]

_AMOUNTS = ("usd_per_month", "saving_usd", "saving_share")


@click.command()
@click.option("--messages", type=float, default=100_000, show_default=True, help="Messages a month.")
@click.option("--input-tokens", type=float, default=500, show_default=True, help="Of one message.")
@click.option("--output-tokens", type=float, default=200, show_default=True, help="Of one answer.")
@click.option(
    "--cached-share", type=float, default=0.0, show_default=True, help="Share of the input read from a cache."
)
@click.option(
    "--batch-share", type=float, default=0.0, help="Share of the messages that can wait for a batch."
)
@click.option("--batch", is_flag=True, help="All of them can.")
@click.option("--model", "models", multiple=True, help="A catalog name or backend/model; default: all.")
@click.option(
    "--mix", "mixes", multiple=True, metavar="MODEL=SHARE,...", help="As in gpt-4o=.2,mixtral-8x7b=.8"
)
@click.option("--baseline", default="gpt-4", show_default=True, help="What savings are counted against.")
@click.option("--price-book", default="current", show_default=True, help="current or 2025-01-23.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
def estimate(
    messages: float,
    input_tokens: float,
    output_tokens: float,
    cached_share: float,
    batch_share: float,
    batch: bool,
    models: tuple[str, ...],
    mixes: tuple[str, ...],
    baseline: str,
    price_book: str,
    as_csv: bool,
) -> None:
    """What a workload costs a month at each model, and what that saves."""
    from llmbench.catalog.project_prices import project_prices
    from llmbench.cli.tables import ending_soon, show
    from llmbench.economics import EstimateRow, Workload
    from llmbench.economics import estimate as make_estimate
    from llmbench.money import dollars

    if batch and batch_share:
        raise UsageError("--batch means all messages and --batch-share a part of them; give one of the two.")
    load = Workload(messages, input_tokens, output_tokens, cached_share, 1.0 if batch else batch_share)
    found = make_estimate(
        load,
        models or (None if not mixes else ()),
        mixes=[_mix(text) for text in mixes],
        baseline=baseline,
        price_book=price_book,
    )
    if as_csv:
        writer = csv.writer(sys.stdout)
        titles = [each.name for each in fields(EstimateRow)]
        writer.writerow(["model", *titles[1:]])
        for row in found.rows:
            cells = {title: getattr(row, title) for title in titles}
            amounts = {key: UNKNOWN for key in _AMOUNTS if cells[key] is None}
            writer.writerow(formula_safe(cell) for cell in (cells | amounts).values())
        return
    today = datetime.now(UTC).date()
    soon = ending_soon((row.shutdown_date for row in found.rows), today)
    click.echo(f"{found}.")
    show(found.table(), soon, dispensable=("source", "price of"))
    ended = [
        f"{row.name} ({row.shutdown_at})"
        for row in found.rows
        if row.shutdown_date and date.fromisoformat(row.shutdown_date) <= today
    ]
    if ended:
        click.echo(f"Shut down, and shown at the last price: {', '.join(ended)}.")
    for note in found.notes():
        click.echo(note)
    if price_book == "current":
        for backend, usd in project_prices().commitments(today).items():
            click.echo(f"{dollars(float(usd))} a month are committed to {backend} in any case (prices.toml).")


def _mix(text: str) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, share = part.rpartition("=")
        try:
            if not (name.strip() and equals) or name.strip() in shares:
                raise ValueError
            shares[name.strip()] = float(share)
        except ValueError:
            raise UsageError(
                f"A mix is written MODEL=SHARE,MODEL=SHARE, each model once, as in "
                f"gpt-4o=.2,mixtral-8x7b=.8; this part is not: {part!r}."
            ) from None
    return shares
