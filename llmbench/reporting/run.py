"""Run a notebook as a report: check its parameters, execute it aside, publish it whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.config import load_config
from llmbench.errors import UsageError
from llmbench.reporting.disk import unwritable
from llmbench.reporting.failure import failed_run
from llmbench.reporting.finish import Finished, finish_run
from llmbench.reporting.folder import ReportFolder, new_run_id
from llmbench.reporting.formats import read_formats, read_paper
from llmbench.reporting.fresh import FreshRun
from llmbench.reporting.index import write_index
from llmbench.reporting.matrix_report import refuse_redacted_filter
from llmbench.reporting.parameters import check_parameters, read_parameters
from llmbench.reporting.process import Job, execute
from llmbench.reporting.progress import Progress
from llmbench.reporting.remote import reports_of
from llmbench.reporting.secrets import SecretFoundError
from llmbench.reporting.wording import minute
from llmbench.run_files import PAGE
from llmbench.shown import shown

if TYPE_CHECKING:
    from rich.console import Console

    from llmbench.reporting.process import Follower
    from llmbench.results import Decision

__all__ = [
    "DESK",
    "MEMO",
    "ReportRun",
    "available_notebooks",
    "check_run",
    "find_notebook",
    "in_order",
    "resolve_notebooks",
    "run_report",
]

DESK = "start"
"""The notebook that `llmbench lab` opens: it lies among the reports' notebooks and is none."""


@shown
@dataclass(frozen=True, slots=True)
class ReportRun:
    """A report that was published."""

    notebook: str
    run_id: str
    path: Path
    """The newest report of this notebook: DIR/NOTEBOOK/report.html."""
    folder: Path
    """This run for good: DIR/NOTEBOOK/runs/RUN-ID."""
    index: Path
    """DIR/index.html."""
    decision: Decision
    summary: str
    spent_usd: float | None
    warnings: tuple[str, ...] = ()
    """What was asked for and could not be made, such as report.pdf without a browser."""


MEMO = "migration_memo"
"""Reads what the other reports have left, so it comes after them."""


def available_notebooks(root: Path | None = None) -> tuple[str, ...]:
    """Names of the reports' notebooks that the project has, in alphabetical order."""
    folder = (root or load_config().root) / "notebooks"
    return tuple(sorted(path.stem for path in folder.glob("*.ipynb") if path.stem != DESK))


def resolve_notebooks(names: Iterable[str], root: Path | None = None) -> list[str]:
    """`names` with `all` put as what it stands for; raises UsageError for a notebook that is not there."""
    available = available_notebooks(root)
    found: list[str] = []
    for name in names:
        wanted = in_order(available) if name == "all" else [name]
        for notebook in wanted:
            find_notebook(notebook, root or load_config().root)
        found += [notebook for notebook in wanted if notebook not in found]
    if not found:
        raise UsageError("The project's folder notebooks/ has no notebook; run `llmbench init` first.")
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """`names` as they are, but for the memo, which comes last."""
    return sorted(names, key=MEMO.__eq__)


def run_report(
    notebook: str | Path,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    fresh: bool = False,
    console: Console | None = None,
    follower: Follower | None = None,
    formats: str | Iterable[str] = (),
    paper: str = "A4",
) -> ReportRun:
    """Run `notebook` (a name of the project's notebooks/, or a path) and publish its report.

    `out` is the folder of reports; without it, reports/ under the project's root. With `fresh`,
    answers of earlier runs are not replayed; the same fresh run that was cut off less than 24 hours
    ago goes on under its run id, with the answers it had. The last good report stays as it is until
    the new one is whole. A `follower` is told how far the run is in place of `console`, and can stop it.

    `formats` are "pdf", "docx" and "md", made beside report.html on `paper`, A4 or letter. One that cannot
    be made (a PDF needs Chromium, Chrome or Edge; a DOCX the extra `docx`) is told of in `warnings`.

    Raises UsageError for a notebook or parameter that does not exist or does not fit, before
    anything runs; ReportError with the notebook's own sentence when it fails (what was executed is
    kept under failed/), and when a secret is found in what it made (nothing is kept);
    KeyboardInterrupt with a sentence when it was interrupted. Answers that were paid for are in the
    ledger in each case.
    """
    from rich.console import Console

    wanted, size = read_formats(formats), read_paper(paper)
    root = load_config().root
    path = find_notebook(notebook, root)
    values = check_run(path, parameters or {})
    folder = ReportFolder(reports_of(root, out), path.stem)
    console = console or Console(stderr=True)
    run_id = new_run_id()
    with contextlib.ExitStack() as stack:
        marker = None
        if fresh:
            try:
                marker = stack.enter_context(FreshRun(folder.path, path, values, run_id, folder.run_ids()))
            except OSError as error:
                raise unwritable(error, folder.path.parent, root) from error
            run_id = marker.run_id
            if marker.begun is not None:
                console.print(
                    f"{path.stem}: going on with the fresh run {run_id}, begun "
                    f"{minute(marker.begun.isoformat())} and cut off; its answers are kept",
                    markup=False, highlight=False, soft_wrap=True,
                )  # fmt: skip
        job = Job(path, root, values, run_id, stack.enter_context(folder.staging(run_id, root)), fresh)
        finished, published, index = _run(job, folder, marker, console, follower, wanted, size)
    envelope = finished.envelope
    return ReportRun(
        notebook=job.name,
        run_id=run_id,
        path=folder.path / PAGE,
        folder=published,
        index=index,
        decision=envelope.verdict.decision,
        summary=envelope.verdict.summary,
        spent_usd=envelope.spend.actual_usd,
        warnings=finished.warnings,
    )


def check_run(notebook: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values given to a run of `notebook`, as the types that it declares; nothing is added.

    Everything that is asked before a notebook runs. Raises UsageError for a value that does not fit, and
    ReportError for a notebook that does not declare its parameters as it must.
    """
    declared = read_parameters(notebook)
    values = check_parameters(declared, parameters, where=notebook.stem)
    refuse_redacted_filter({parameter.name: parameter.default for parameter in declared} | values)
    return values


def find_notebook(notebook: str | Path, root: Path) -> Path:
    """The file of a notebook, named as in `run_report`; raises UsageError with those that there are."""
    if notebook == DESK:
        raise UsageError(f"The notebook {DESK!r} is the desk, not a report; open it with `llmbench lab`.")
    given = Path(notebook)
    if given.suffix == ".ipynb":
        with contextlib.suppress(OSError):  # of a name that no file can have
            if given.is_file():
                return given.resolve()
        raise UsageError(f"There is no notebook {given.name} at the path given.")
    path = root / "notebooks" / f"{given.name}.ipynb"
    available = available_notebooks(root)
    if given.name != str(notebook) or str(notebook) not in available:
        near = difflib.get_close_matches(str(notebook), available, n=1)
        hint = f": did you mean {near[0]!r}?" if near else "."
        raise UsageError(
            f"There is no notebook {str(notebook)!r}{hint} "
            f"The project has: {', '.join(available) or 'none'}, all."
        )
    return path


def _run(
    job: Job,
    folder: ReportFolder,
    marker: FreshRun | None,
    console: Console,
    follower: Follower | None,
    formats: tuple[str, ...],
    paper: str,
) -> tuple[Finished, Path, Path]:
    """Execute and publish: the result, the folder of the run, and the index."""
    try:
        outcome = execute(job, console, follower)
    except OSError as error:
        raise unwritable(error, folder.path.parent, job.root) from error
    if outcome["status"] != "ok":
        raise failed_run(job, outcome, folder)
    if follower is not None:
        follower.show(Progress(message="writing the report"))
    try:
        finished = finish_run(job, formats, paper)
        published = folder.publish(job.staging, job.run_id)
        if marker is not None:
            marker.finish()
        return finished, published, write_index(folder.path.parent)
    except SecretFoundError:
        if marker is not None:
            marker.finish()  # gone on with, the run would replay the answer that holds the secret
        raise
    except OSError as error:
        raise unwritable(error, folder.path.parent, job.root) from error
