"""`llmbench diff`."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from llmbench.numbers import signed
from llmbench.unknown import NONE

__all__ = ["diff"]

_ROWS_SHOWN = 40
_CHANGED = 3
_LONGEST = 200
_DIGEST, _DIGEST_SHOWN = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"), 12


@click.command()
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@click.option(
    "--out",
    metavar="DIR|URL",
    help="Folder of reports, or its URL; default: reports in the project's root.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Every change, as CSV.")
@click.option("--fail-on-change", is_flag=True, help="Exit with 3 when the decision is another one.")
def diff(before: str, after: str, out: str | None, *, as_csv: bool, fail_on_change: bool) -> None:
    """What changed between two runs of a report: verdict, parameters, inputs, numbers.

    RUN is a folder, NOTEBOOK/RUN-ID, a run id, NOTEBOOK for its newest run, or NOTEBOOK~1 for the one before.

    \b
    llmbench diff model_matrix~1 model_matrix
    """  # noqa: D301 - click wants the character itself
    from llmbench.cli.tables import show
    from llmbench.config import load_config
    from llmbench.plain_table import PlainTable
    from llmbench.reporting.compare_runs import compare_runs, find_run
    from llmbench.reporting.remote import reports_folder, reports_of
    from llmbench.reporting.text import visible
    from llmbench.spreadsheet import frame_csv

    folder = reports_folder(out) if out is not None else reports_of(load_config().root)
    found = compare_runs(find_run(before, folder), find_run(after, folder))
    frame = found.to_pandas()
    if as_csv:
        click.echo(frame_csv(frame), nl=False)
    else:
        click.echo(visible(found.line()))
        rows = found.changes[:_ROWS_SHOWN]
        if rows:
            show(
                PlainTable(
                    ("what", "before", "after", "relative"),
                    tuple((c.what, _told(c.before), _told(c.after), _share(c.relative)) for c in rows),
                    texts=3,  # a summary or a digest is folded, and crowds out nothing
                )
            )
        if len(frame) > _ROWS_SHOWN:
            click.echo(f"{len(frame) - _ROWS_SHOWN:,} more; --csv has all.")
    if fail_on_change and found.verdict_changed:
        sys.exit(_CHANGED)


def _told(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    if _DIGEST.fullmatch(text):
        return f"{text[:_DIGEST_SHOWN]}…"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _share(relative: float | None) -> str:
    return "" if relative is None else signed(relative, "+.1%")
