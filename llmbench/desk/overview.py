"""The reports of a project at a glance: what each says, and how old that is."""

from __future__ import annotations

import html
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from llmbench.config import load_config
from llmbench.errors import ReportError
from llmbench.money import dollars
from llmbench.reporting.display import DECISION_WORDS
from llmbench.reporting.remote import reports_of
from llmbench.reporting.run import available_notebooks
from llmbench.reporting.wording import minute
from llmbench.result_files import read_envelope
from llmbench.results import Decision
from llmbench.run_files import PAGE, RESULT
from llmbench.shown import shown
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Overview", "ReportLine", "age", "link_to", "reports", "title_of"]

_HEAD = ("report", "question", "verdict", "in one sentence", "newest run", "spent")
_HOUR, _DAY = 3600.0, 86400.0


@shown
class ReportLine(NamedTuple):
    """One report; None where it was never run, or its result cannot be read."""

    notebook: str
    question: str
    """What the notebook's title asks."""
    decision: Decision | None
    summary: str
    """The verdict in a sentence; of a result that cannot be read, why."""
    generated_at: datetime | None
    spent_usd: float | None
    report: Path | None
    """The page of the newest run."""


@shown
class Overview(NamedTuple):
    """Every report of the project, in alphabetical order."""

    lines: tuple[ReportLine, ...]
    now: datetime

    def to_pandas(self) -> pd.DataFrame:
        """One row a report; what is not known is missing."""
        import pandas as pd

        rows = [(*line[:-1], None if line.report is None else link_to(line.report)) for line in self.lines]
        return pd.DataFrame(rows, columns=list(ReportLine._fields))

    def __repr__(self) -> str:
        rows = (f"{line.notebook}: {line.decision or 'not run yet'}. {line.summary}" for line in self.lines)
        return "\n".join(rows) or _NONE

    def _repr_html_(self) -> str:
        if not self.lines:
            return f"<p>{_NONE}</p>"
        titles = "".join(f'<th scope="col" style="text-align: left">{title}</th>' for title in _HEAD)
        body = "".join(f"<tr>{_row(line, self.now)}</tr>" for line in self.lines)
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


_NONE = "The project's folder notebooks/ has no report; run `llmbench init` in a terminal."


def reports(out: str | Path | None = None, *, now: datetime | None = None) -> Overview:
    """The project's reports with the verdict of each one's newest run under `out` (default: reports/)."""
    root = load_config().root
    folder = reports_of(root, out)
    lines = tuple(_line(root / "notebooks" / f"{name}.ipynb", folder) for name in available_notebooks(root))
    return Overview(lines, now or datetime.now(UTC))


def title_of(notebook: Path) -> str:
    """The notebook's first heading, or its name."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        texts = []
    headings = (line for text in texts for line in text.splitlines() if line.startswith("#"))
    return next(headings, notebook.stem).lstrip("# ").strip()


def link_to(path: Path) -> str:
    """`path` as a page in the current folder, such as a notebook, links to it."""
    return quote(Path(os.path.relpath(path)).as_posix())


def age(then: datetime, now: datetime) -> str:
    """How long ago, as one says it.

    >>> now = datetime(2025, 1, 23, 12, tzinfo=UTC)
    >>> [age(datetime(2025, 1, day, hour, tzinfo=UTC), now) for day, hour in ((23, 12), (23, 9), (20, 9))]
    ['just now', '3 h ago', '3 days ago']
    """
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < _HOUR:
        return f"{seconds / 60:.0f} min ago"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h ago"
    return f"{seconds / _DAY:.0f} days ago"


def _line(notebook: Path, out: Path) -> ReportLine:
    name, question = notebook.stem, title_of(notebook)
    folder = out / name
    if not (folder / RESULT).is_file():
        return ReportLine(name, question, None, "", None, None, None)
    try:
        found = read_envelope(folder / RESULT)
        made = datetime.fromisoformat(found.generated_at)
    except (ReportError, ValueError, TypeError) as error:
        return ReportLine(name, question, None, str(error), None, None, None)
    page = folder / PAGE
    return ReportLine(
        name,
        question,
        found.verdict.decision,
        found.verdict.summary,
        made if made.tzinfo else made.replace(tzinfo=UTC),
        found.spend.actual_usd,
        page if page.is_file() else None,
    )


def _row(line: ReportLine, now: datetime) -> str:
    notebook = f'<a href="{quote(line.notebook)}.ipynb">{html.escape(line.notebook)}</a>'
    if line.decision is None:
        verdict, made = (UNKNOWN, UNKNOWN) if line.summary else ("not run yet", NONE)
        spent = made
    else:
        verdict = f"<strong>{html.escape(DECISION_WORDS[line.decision])}</strong>"
        when = "" if line.generated_at is None else age(line.generated_at, now)
        told = "" if line.generated_at is None else minute(line.generated_at.isoformat())
        page = "" if line.report is None else f' href="{html.escape(link_to(line.report))}"'
        made = f'<a{page} title="{html.escape(told)}">{html.escape(when)}</a>'
        spent = html.escape(dollars(line.spent_usd))
    cells = (notebook, html.escape(line.question), verdict, html.escape(line.summary), made, spent)
    return "".join(f'<td style="text-align: left; vertical-align: top">{cell}</td>' for cell in cells)
