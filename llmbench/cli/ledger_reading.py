"""`llmbench ledger show`, `spend` and `export`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmbench.cli.ledger_options import DAY, open_ledger, start_of
from llmbench.errors import UsageError
from llmbench.money import dollars, priced_of
from llmbench.plain_table import PlainTable, count_text
from llmbench.reporting.text import visible
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.ledger import SpendTotals
    from llmbench.types import CallRecord, CallStatus

__all__ = ["export", "show", "spend"]

_KEYS = ("day", "model", "endpoint", "run", "experiment", "unit")
_SUFFIXES = (".jsonl", ".csv", ".parquet")


@click.command()
@click.argument("call_id", required=False)
@click.option("--run", "run_id", help="Only the calls of one run.")
@click.option("--model", help="Only of this model, or endpoint/model.")
@click.option("--unit", "unit_id", help="Only for this unit.")
@click.option("--status", type=click.Choice(("ok", "error", "cancelled")), help="Only of this status.")
@click.option("--since", type=DAY, help="Only calls from this day on (UTC).")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--texts", is_flag=True, help="Also prompts and answers, where they were kept.")
def show(
    *,
    call_id: str | None,
    run_id: str | None,
    model: str | None,
    unit_id: str | None,
    status: CallStatus | None,
    since: date | None,
    limit: int,
    texts: bool,
) -> None:
    """The newest attempts; with CALL_ID all attempts of that call, and why it went where it went."""
    with open_ledger() as book:
        found = book.newest(
            limit if call_id is None else 1000,
            run_id=run_id,
            since=start_of(since),
            status=status,
            model=model,
            unit_id=unit_id,
            call_id=call_id,
        )
    if not found:
        raise UsageError("There are no such calls in the ledger; llmbench ledger spend says what there is.")
    _table([_line(call) for call in found])
    if call_id is not None:
        _told(found)
    for call in found if texts else ():
        click.echo(f"\n{call.call_id} attempt {call.attempt}")
        for message in call.messages:
            click.echo(f"{message['role']}: {visible(message['content'])}")
        click.echo(f"answer: {NONE if call.content is None else visible(call.content)}")


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    from llmbench.cli.tables import show as draw

    head = ("call", "started (UTC)", "model", "status", "ms", "tokens in", "tokens out", "cost")
    draw(PlainTable(head, rows, texts=4))


def _line(call: CallRecord) -> tuple[str, ...]:
    usage = call.usage
    status = call.status if call.error_type is None else f"{call.status}: {call.error_type}"
    return (
        call.call_id,
        f"{call.started_at:%Y-%m-%d %H:%M:%S}",
        f"{call.endpoint}/{call.model}",
        status,
        f"{call.latency_ms:,.0f}",
        count_text(usage.input_tokens if usage else None),
        count_text(usage.output_tokens if usage else None),
        dollars(call.cost),
    )


def _told(attempts: Sequence[CallRecord]) -> None:
    call = attempts[0]
    route = call.route or {}
    if route:
        click.echo(f"Route: {route.get('chosen')} by {route.get('rule')}: {visible(route.get('reason'))}")
        click.echo(f"Candidates: {', '.join(route.get('candidates') or ()) or NONE}")
    if call.experiment_id is not None:
        odds = route.get("probability")
        how = "" if odds is None else f" (epoch {route.get('epoch')}, probability {odds:g})"
        click.echo(f"Experiment {call.experiment_id}: unit {call.unit_id or UNKNOWN} in arm {call.arm}{how}")
    elif call.unit_id is not None:
        click.echo(f"For unit {call.unit_id}")
    for each in reversed(attempts):
        if each.error_message:
            click.echo(f"Error of attempt {each.attempt}: {visible(each.error_message)}")
    known = [each.cost for each in attempts if each.cost is not None]
    told = dollars(math.fsum(known) if known else None)
    click.echo(f"Cost of all attempts: {told}, {len(attempts) - len(known):,} of them without a price")


@click.command()
@click.option("--run", "run_id", help="Only the calls of one run.")
@click.option("--since", type=DAY, help="Only calls from this day on (UTC).")
@click.option("--until", type=DAY, help="Only calls before this day (UTC).")
@click.option("--by", type=click.Choice(_KEYS), help="One row for each.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="Write the table there.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def spend(
    *,
    run_id: str | None,
    since: date | None,
    until: date | None,
    by: str | None,
    csv_path: Path | None,
    as_json: bool,
) -> None:
    """Calls and USD, with the calls whose price is not known counted apart; fine-tuning jobs on their own."""
    from llmbench.cli.tables import show as draw
    from llmbench.finetune import training_spend

    with open_ledger() as book:
        selected = (run_id, start_of(since), start_of(until))
        total = book.spend(*selected)
        parts = book.spend_by(by, *selected) if by else {}
        # A job belongs to no run.
        training = training_spend(book, *selected[1:]) if run_id is None else None
    rows = {"(none)" if key is None else key: part for key, part in parts.items()}
    if csv_path is not None:
        from llmbench.ledger.exports import frame_to_csv

        frame_to_csv(_frame(by or "all", rows or {"all": total}), csv_path)
    if as_json:
        data: dict[str, Any] = {"total": total._asdict()}
        if by:
            data[by] = {key: part._asdict() for key, part in rows.items()}
        if training is not None:
            data["training"] = training._asdict()
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    if by:
        head = (by, "attempts", "answered", "failed", "cancelled", "priced", "USD")
        lines = [(key, *(count_text(n) for n in p[:5]), dollars(p.usd)) for key, p in rows.items()]
        draw(PlainTable(head, lines))
    click.echo(
        f"{total.calls:,} attempts: {total.ok:,} answered, {total.failed:,} failed, "
        f"{total.cancelled:,} cancelled; {dollars(total.usd)}, {priced_of(total.priced, total.calls)}"
    )
    if training is not None and training.jobs:
        plural = "s" * (training.jobs != 1)
        click.echo(
            f"Training on top: {training.jobs:,} fine-tuning job{plural}, {training.succeeded:,} succeeded; "
            f"{dollars(training.usd)}, the cost of {training.priced:,} is known"
        )


def _frame(name: str, rows: dict[str, SpendTotals]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([{name: key, **part._asdict()} for key, part in rows.items()])


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--run", "run_id", help="Only the calls of one run.")
@click.option("--since", type=DAY, help="Only calls from this day on (UTC).")
@click.option("--messages", is_flag=True, help="CSV and parquet: prompts and parameters too.")
def export(*, path: Path, run_id: str | None, since: date | None, messages: bool) -> None:
    """Write attempts to PATH: .jsonl (all fields, can be imported again), .csv or .parquet."""
    from llmbench.ledger.exports import write_table

    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path.name} must end in one of {', '.join(_SUFFIXES)}, which says its form.")
    with open_ledger() as book:
        if path.suffix.lower() == ".jsonl":
            count = book.export(path, run_id=run_id, since=start_of(since))
        else:
            count = write_table(path, book.calls(run_id, start_of(since)), messages=messages)
    click.echo(f"{count:,} attempts in {path}")
