"""`llmbench ledger prune` and `verify`."""

from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbench.cli.ledger_options import DAY, open_ledger, start_of
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.ledger.retention import Pruned

__all__ = ["prune", "verify"]


class _Age(click.ParamType[timedelta]):
    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,5})d?", str(value))
        if found is None or not int(found[1]):
            self.fail(f"{value!r} is no age; write 90d for ninety days.", param, ctx)
        return timedelta(days=int(found[1]))


@click.command()
@click.option("--before", type=DAY, help="Attempts started before this day (UTC).")
@click.option("--older-than", "age", type=_Age(), help="Attempts older than this, such as 90d.")
@click.option("--unit", "unit_id", help="Forget this unit; what its calls cost stays.")
@click.option("--texts-only", is_flag=True, help="Only prompts and answers; the figures stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(
    *, before: date | None, age: timedelta | None, unit_id: str | None, texts_only: bool, yes: bool
) -> None:
    """Take out what is not to be kept, for good. Exports and backups still hold it."""
    if sum(each is not None for each in (before, age, unit_id)) != 1:
        raise UsageError("Say what is to go by one of --before, --older-than and --unit.")
    limit = datetime.now(UTC) - age if age is not None else start_of(before)
    with open_ledger() as book:
        would = book.prune(limit, unit_id=unit_id, texts_only=texts_only, dry_run=True)
        if not any(would):
            click.echo("Nothing in the ledger is meant by that.")
            return
        if not yes:
            verb = "strip the texts of" if texts_only else "remove"
            if unit_id is not None:
                verb = f"forget {unit_id} in"
            if not click.confirm(f"This will {verb} {_counts(would)}, for good. Go on?"):
                click.echo("Nothing was changed.")
                sys.exit(1)
        done = book.prune(limit, unit_id=unit_id, texts_only=texts_only)
    click.echo(f"Done: {_counts(done)}.")


def _counts(found: Pruned) -> str:
    parts = [f"{found.attempts:,} attempts", f"{found.requests:,} requests"]
    parts += [
        f"{n:,} {what}" for n, what in ((found.outcomes, "outcomes"), (found.assignments, "assignments")) if n
    ]
    return ", ".join(parts)


@click.command()
@click.option(
    "--salvage",
    "new",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="NEW.db",
    help="Copy every whole row of a damaged ledger into a new one, and list what is lost.",
)
def verify(new: Path | None) -> None:
    """Check the ledger and read every row of it; exit code 1 if something is wrong."""
    if new is not None:
        _salvage(new)
        return
    with open_ledger() as book:
        found = book.verify()
    for problem in found.problems:
        click.echo(problem, err=True)
    state = "sound" if found.sound else f"{len(found.problems):,} problems"
    click.echo(f"{found.calls:,} attempts can be read (schema version {found.schema_version}): {state}")
    if not found.sound:
        sys.exit(1)


def _salvage(new: Path) -> None:
    from llmbench.config import load_config
    from llmbench.ledger.location import is_database, ledger_path
    from llmbench.ledger.salvage import salvage

    url = load_config().ledger_url
    if is_database(url):
        raise UsageError(
            "--salvage is for a ledger in a file; bring one in PostgreSQL back by the server's own backups."
        )
    found = salvage(ledger_path(url), new)
    for sentence in found.lost:
        click.echo(sentence, err=True)
    lost = f"{len(found.lost):,} losses, listed above" if found.lost else "nothing was lost"
    click.echo(
        f"{found.kept['calls']:,} attempts copied into {new}: {lost}. "
        "Move the damaged file away, and put the new one in its place."
    )
    if found.lost:
        sys.exit(1)
