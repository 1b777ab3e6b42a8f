"""`llmbench models`."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime

import click

from llmbench.spreadsheet import formula_safe

__all__ = ["models"]


@click.group(invoke_without_command=True)
@click.option("--all", "with_ended", is_flag=True, help="Also models that ended, where a vendor has said so.")
@click.option("--price-book", default="current", show_default=True, help="current or 2025-01-23.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
@click.pass_context
def models(context: click.Context, with_ended: bool, price_book: str, as_csv: bool) -> None:
    """The models that the catalog knows, with prices, context and the day they end."""
    if context.invoked_subcommand:
        return
    from llmbench.catalog.endings import SOON_DAYS
    from llmbench.catalog.listing import list_models
    from llmbench.cli.tables import ending_soon, show
    from llmbench.plain_table import PlainTable
    from llmbench.providers.registry import endpoints_serving

    today = datetime.now(UTC).date()
    rows = list_models(price_book, today=today, with_ended=with_ended)
    serving = [", ".join(endpoints_serving(row.model)) for row in rows]
    if as_csv:
        ends = ("ends", "ends at", "price of", "price until")
        writer = csv.writer(sys.stdout)
        writer.writerow(("model", "provider", "endpoints", *ends, "source", "context", "USD in", "USD out"))
        for row, at in zip(rows, serving, strict=True):
            price = (row.price_as_of, row.price_until, row.price_source)
            numbers = (row.context, row.input_usd, row.output_usd)
            cells = (row.model, row.provider, at, row.ends, row.ends_at, *price, *numbers)
            writer.writerow(formula_safe(cell) for cell in cells)
        return
    body = [
        (
            row.model,
            row.provider,
            at,
            row.ends or "",
            row.price_as_of or "",
            "" if row.context is None else f"{row.context:,}",
            row.input_usd,
            row.output_usd,
        )
        for row, at in zip(rows, serving, strict=True)
    ]
    head = ("model", "provider", "endpoints", "ends", "price of", "context", "USD in", "USD out")
    soon = ending_soon((row.ends for row in rows), today)
    show(PlainTable(head, body, texts=5), soon, dispensable=("provider", "price of"))
    dates = sorted({row.price_as_of for row in rows if row.price_as_of})
    click.echo(
        f"USD per 1M tokens, as listed on {' or '.join(dates) or 'no day'}; unknown is not 0.\n"
        "Endpoints are those at hand: with a key in the environment or a table in llmbench.toml.\n"
        f"Red on a terminal: ended, or ends within {SOON_DAYS} days, at the last vendor that has named a day "
        "(--csv has which)."
    )
    changing = [f"{row.model} ({row.price_until})" for row in rows if row.price_until]
    if changing:
        click.echo(f"Another price is announced for after: {', '.join(changing)}.")


@models.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the file of the model NAME into the user's cache, once."""
    from llmbench.providers.model_pull import pull as pull_file

    click.echo(str(pull_file(name)))
