"""`llmbench ledger`."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmbench.catalog import TIERS, Tier
from llmbench.cli.ledger_care import prune, verify
from llmbench.cli.ledger_options import DAY, open_ledger, start_of
from llmbench.cli.ledger_reading import export, show, spend
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.ledger.reconcile import Reconciliation
    from llmbench.ledger.reprice import Repricing

__all__ = ["ledger"]


_csv = click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write the whole table there.")
_json = click.option("--json", "as_json", is_flag=True, help="As JSON.")


@click.group()
def ledger() -> None:
    """What was asked, answered and paid."""


for _command in (show, spend, export, prune, verify):
    ledger.add_command(_command)


@ledger.command()
@click.option("--run", "run_id", help="Only the calls of one run.")
@click.option("--since", type=DAY, help="Only calls from this day on (UTC).")
@click.option("--price-book", required=True, help="The prices to apply: current, or 2025-01-23.")
@click.option("--tier", type=click.Choice(TIERS), help="As if all had been at that tier; default: as served.")
@click.option("--cached-share", type=float, help="As if this share (0 to 1) of the input had been cached.")
@_csv
@_json
def reprice(
    *,
    run_id: str | None,
    since: date | None,
    price_book: str,
    tier: Tier | None,
    cached_share: float | None,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Price finished calls again: another book, as a batch, or cached. The ledger is not changed."""
    from llmbench.ledger.reprice import reprice as price_again

    with open_ledger() as book:
        found = price_again(book.calls(run_id, start_of(since)), price_book, tier, cached_share)
    if not found.models:
        raise UsageError(
            "There are no such calls in the ledger; look for the run with llmbench ledger spend."
        )
    _publish(found, found.notes(), csv_path, as_json=as_json)


@ledger.command()
@click.argument("exports", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="EXPORT...")
@click.option("--vendor", help="openai, anthropic, together or generic; default: told by the columns.")
@click.option("--since", type=DAY, help="First day (UTC); default: the export's first.")
@click.option("--until", type=DAY, help="Last day (UTC); default: the export's last.")
@click.option("--columns", help="For generic: date=...,model=...,calls=...,input=...,output=...,cost=...")
@click.option("--endpoint", "names", multiple=True, help="Only the ledger's calls of this endpoint.")
@click.option("--tolerance", type=float, default=0.01, show_default=True, help="Share that is no gap.")
@_csv
@_json
def reconcile(
    *,
    exports: tuple[Path, ...],
    vendor: str | None,
    since: date | None,
    until: date | None,
    columns: str | None,
    names: tuple[str, ...],
    tolerance: float,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Compare the ledger with a vendor's usage and cost exports (CSV or JSON), by day and model."""
    from llmbench.ledger.reconcile import calls_of_vendor
    from llmbench.ledger.reconcile import reconcile as compare
    from llmbench.ledger.vendor_exports import read_exports

    told = read_exports(exports, vendor, _columns(columns))
    covered = (told.first, told.last) if told.first and told.last else None
    with open_ledger() as book:
        calls = (call for call in book.calls() if not names or call.endpoint in names)
        found = compare(
            calls_of_vendor(calls, told.vendor),
            told.rows,
            since=since,
            until=until,
            covered=covered,
            tolerance=tolerance,
        )
    _publish(found, [*found.notes(), found.verdict()], csv_path, as_json=as_json)


def _publish(
    found: Repricing | Reconciliation, sentences: list[str], csv_path: Path | None, *, as_json: bool
) -> None:
    if csv_path is not None:
        from llmbench.ledger.exports import frame_to_csv

        frame_to_csv(found.to_pandas(), csv_path)
    if as_json:
        click.echo(json.dumps(found.data(), indent=2, ensure_ascii=False))
        return
    from llmbench.cli.tables import show

    show(found.table())
    for sentence in sentences:
        click.echo(sentence)


def _columns(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    pairs = [pair.partition("=") for pair in text.split(",")]
    if any(not (name.strip() and sign and column.strip()) for name, sign, column in pairs):
        raise UsageError("--columns is written date=COLUMN,model=COLUMN,...: a name, =, and a column each.")
    return {name.strip(): column.strip() for name, _, column in pairs}


@ledger.command("import")
@click.argument("path", type=click.Path(path_type=Path))
def import_(path: Path) -> None:
    """Add the calls of an export; those that are already there are left as they are."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        click.echo(f"{book.import_lines(path):,} attempts added from {path}")
