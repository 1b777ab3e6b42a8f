"""`llmbench ledger`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from llmbench.money import dollars

__all__ = ["ledger"]


@click.group()
def ledger() -> None:
    """What was asked, answered and paid."""


@ledger.command()
@click.option("--run", "run_id", help="Only the calls of one run.")
def spend(run_id: str | None) -> None:
    """Calls and USD, with the calls whose price is not known counted apart."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        total = book.spend(run_id=run_id)
    click.echo(
        f"{total.calls} attempts: {total.ok} answered, {total.failed} failed, {total.cancelled} cancelled; "
        f"{dollars(total.usd)} for {total.priced} of them, {total.unpriced} without a known price"
    )


@ledger.command()
@click.argument("path", type=click.Path(path_type=Path))
def export(path: Path) -> None:
    """Write every call as JSON lines to PATH."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        click.echo(f"{book.export(path)} calls written to {path}")


@ledger.command("import")
@click.argument("path", type=click.Path(path_type=Path))
def import_(path: Path) -> None:
    """Add the calls of an export; those that are already there are left as they are."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        click.echo(f"{book.import_lines(path)} calls added from {path}")


@ledger.command()
def verify() -> None:
    """Check that the ledger is whole; exit code 1 when it is not."""
    from llmbench.ledger import Ledger

    with Ledger() as book:
        found = book.verify()
    for problem in found.problems:
        click.echo(problem)
    click.echo(
        f"schema {found.schema_version}, {found.calls} calls, {'sound' if found.sound else 'not sound'}"
    )
    if not found.sound:
        sys.exit(1)
