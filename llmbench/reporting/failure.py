"""What is said and kept of a run whose notebook failed: one sentence, and the notebook as far as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llmbench import errors
from llmbench.config import load_config
from llmbench.errors import ReportError
from llmbench.reporting.disk import unwritable
from llmbench.reporting.finish import scrubber_of
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.notebook_file import read_notebook, write_notebook
from llmbench.reporting.process import Job
from llmbench.reporting.secrets import find_secret, known_secrets
from llmbench.run_files import EXECUTED

__all__ = ["failed_run"]


def failed_run(job: Job, outcome: Mapping[str, Any], folder: ReportFolder) -> BaseException:
    """The error to raise for a run that failed, after keeping what can be kept of it.

    `outcome` is that of `llmbench.reporting.execute`: status, error, message. The sentence holds no path of
    this machine and no secret.
    """
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
    elif outcome["error"] == "CellTimeoutError":
        message = (
            "what it printed did not arrive in time; print less, or run when the machine has less to do."
        )
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
    except (OSError, ReportError, ValueError, RecursionError):
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
