"""Run a notebook as a report: check its parameters, execute it aside, publish it whole or not at all."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench import errors
from llmbench.config import load_config
from llmbench.errors import ReportError, UsageError
from llmbench.reporting.disk import unwritable
from llmbench.reporting.finish import finish_run, scrubber_of
from llmbench.reporting.folder import ReportFolder, new_run_id
from llmbench.reporting.fresh import FreshRun
from llmbench.reporting.index import write_index
from llmbench.reporting.matrix_report import refuse_redacted_filter
from llmbench.reporting.notebook_file import read_notebook, write_notebook
from llmbench.reporting.parameters import check_parameters, read_parameters
from llmbench.reporting.process import EXECUTED, Job, execute
from llmbench.reporting.secrets import SecretFoundError, find_secret, known_secrets
from llmbench.reporting.wording import minute

if TYPE_CHECKING:
    from rich.console import Console

    from llmbench.results import Decision, ResultEnvelope

__all__ = ["ReportRun", "available_notebooks", "find_notebook", "resolve_notebooks", "run_report"]


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


def available_notebooks(root: Path | None = None) -> tuple[str, ...]:
    """Names of the notebooks that the project has, in alphabetical order."""
    folder = (root or load_config().root) / "notebooks"
    return tuple(sorted(path.stem for path in folder.glob("*.ipynb")))


def resolve_notebooks(names: Iterable[str], root: Path | None = None) -> list[str]:
    """`names` with `all` put as what it stands for; raises UsageError for a notebook that is not there."""
    available = available_notebooks(root)
    found: list[str] = []
    for name in names:
        wanted = list(available) if name == "all" else [name]
        for notebook in wanted:
            find_notebook(notebook, root or load_config().root)
        found += [notebook for notebook in wanted if notebook not in found]
    if not found:
        raise UsageError("The project's folder notebooks/ has no notebook; run `llmbench init` first.")
    return found


def run_report(
    notebook: str | Path,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    fresh: bool = False,
    console: Console | None = None,
) -> ReportRun:
    """Run `notebook` (a name of the project's notebooks/, or a path) and publish its report.

    `out` is the folder of reports; without it, reports/ under the project's root. With `fresh`,
    answers of earlier runs are not replayed; the same fresh run that was cut off less than 24 hours
    ago goes on under its run id, with the answers it had. The last good report stays as it is until
    the new one is whole.

    Raises UsageError for a notebook or parameter that does not exist or does not fit, before
    anything runs; ReportError with the notebook's own sentence when it fails (what was executed is
    kept under failed/), and when a secret is found in what it made (nothing is kept);
    KeyboardInterrupt with a sentence when it was interrupted. Answers that were paid for are in the
    ledger in each case.
    """
    from rich.console import Console

    root = load_config().root
    path = find_notebook(notebook, root)
    declared = read_parameters(path)
    values = check_parameters(declared, parameters or {}, where=path.stem)
    refuse_redacted_filter({parameter.name: parameter.default for parameter in declared} | values)
    folder = ReportFolder(Path(out).resolve() if out is not None else root / "reports", path.stem)
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
        envelope, published, index = _run(job, folder, marker, console)
    return ReportRun(
        notebook=job.name,
        run_id=run_id,
        path=folder.path / "report.html",
        folder=published,
        index=index,
        decision=envelope.verdict.decision,
        summary=envelope.verdict.summary,
        spent_usd=envelope.spend.actual_usd,
    )


def find_notebook(notebook: str | Path, root: Path) -> Path:
    """The file of a notebook, named as in `run_report`; raises UsageError with those that there are."""
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
    job: Job, folder: ReportFolder, marker: FreshRun | None, console: Console
) -> tuple[ResultEnvelope, Path, Path]:
    """Execute and publish: the result, the folder of the run, and the index."""
    try:
        outcome = execute(job, console)
    except OSError as error:
        raise unwritable(error, folder.path.parent, job.root) from error
    if outcome["status"] != "ok":
        raise _failure(job, outcome, folder)
    try:
        envelope = finish_run(job)
        published = folder.publish(job.staging, job.run_id)
        if marker is not None:
            marker.finish()
        return envelope, published, write_index(folder.path.parent)
    except SecretFoundError:
        if marker is not None:
            marker.finish()  # gone on with, the run would replay the answer that holds the secret
        raise
    except OSError as error:
        raise unwritable(error, folder.path.parent, job.root) from error


def _failure(job: Job, outcome: Mapping[str, Any], folder: ReportFolder) -> BaseException:
    """The error to raise for a run that failed, after keeping what can be kept of it."""
    if outcome["status"] == "interrupted":
        return KeyboardInterrupt(f"{job.name} was interrupted; the same command goes on from the ledger.")
    if outcome.get("errno") is not None:
        return unwritable(OSError(outcome["errno"], outcome["message"]), folder.path.parent, job.root)
    secrets = known_secrets(load_config(job.root))
    where, kept = _keep_failed(job, folder, secrets)
    message = scrubber_of(job).text(str(outcome["message"])).strip()
    if find_secret(message, secrets) is not None:
        message = "its message is not shown because it contains a secret."
    known = getattr(errors, str(outcome["error"]), None)
    if str(outcome["error"]).endswith("MemoryError"):  # numpy has one of its own
        message = "it needs more memory than there is; use a smaller model or lower concurrency."
    elif outcome["error"] == "DeadKernelError":
        message = "its kernel died, most often for want of memory; use a smaller model or lower concurrency."
    elif not (isinstance(known, type) and issubclass(known, errors.LLMBenchError)):
        lines = message.splitlines() or [""]
        kind = outcome["error"] or "the process ended"
        message = f"{kind}: {lines[0] if outcome['error'] else lines[-1]}"
    return ReportError(f"{job.name} failed{where}: {message}{kept}")


def _keep_failed(job: Job, folder: ReportFolder, secrets: Mapping[str, str]) -> tuple[str, str]:
    """(where it failed, what was kept): two parts of the sentence, empty where that is not known.

    Raises nothing on account of the disk or of a file cut short: the failure itself is what counts.
    """
    staged = job.staging / EXECUTED
    where = ""
    try:
        notebook = read_notebook(staged)
        where = _place(json.loads(job.notebook.read_text(encoding="utf-8")), notebook)
        scrubber_of(job).notebook(notebook)
        write_notebook(notebook, staged)
        # Only the notebook is kept, so only it is searched.
        if find_secret(staged.read_text(encoding="utf-8"), secrets) is not None:
            return where, " (The executed notebook was not kept: it contains a secret.)"
        kept = folder.keep_failed(staged, job.run_id)
    except (OSError, ReportError, ValueError):
        return where, ""
    return where, f" (The notebook as far as it came: {kept.relative_to(folder.path.parent).as_posix()})"


def _place(source: Mapping[str, Any], executed: Any) -> str:
    """` in cell 5 ("Quote")`: counted as in the notebook's own file, under its nearest heading."""
    own = {cell.get("id") for cell in source["cells"]}
    heading = ""
    number = 0
    for cell in executed.cells:
        number += cell.get("id") in own
        if cell.cell_type == "markdown" and cell.get("id") in own:
            titles = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            heading = titles[-1] if titles else heading
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return f" in cell {number}" + (f' ("{heading}")' if heading else "")
    return ""
