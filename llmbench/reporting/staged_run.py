"""A run that something else executes by papermill, such as Airflow's PapermillOperator.

`llmbench report` makes a folder aside, tells the notebook of it by the environment, runs it, and publishes
what it left: scrubbed, searched for secrets, whole or not at all. This is the same with the middle step
left to the caller. What it leaves out is the watch of `llmbench report` over its kernel, which here ends by
itself within seconds of the process that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbench.config import load_config
from llmbench.reporting.disk import unwritable
from llmbench.reporting.execute import failed_outcome, kernel_command, literal_path
from llmbench.reporting.failure import failed_run
from llmbench.reporting.finish import finish_run
from llmbench.reporting.folder import ReportFolder, new_run_id
from llmbench.reporting.formats import read_formats, read_paper
from llmbench.reporting.index import write_index
from llmbench.reporting.process import Job, run_environment
from llmbench.reporting.remote import RemoteReports, remote_url, reports_of
from llmbench.reporting.run import check_run, find_notebook
from llmbench.run_files import EXECUTED

__all__ = ["StagedRun", "staged_run"]


@dataclass(frozen=True, slots=True)
class StagedRun:
    """A run whose notebook is to be executed from `input` to `output` with `parameters`."""

    job: Job
    reports: ReportFolder
    formats: tuple[str, ...] = ()
    """What the report is made as beside HTML."""
    paper: str = "A4"
    remote: RemoteReports | None = None
    """Where the report goes beside `reports`; None: nowhere."""

    @property
    def input(self) -> str:
        """The notebook, as papermill is given a path."""
        return literal_path(str(self.job.notebook))

    @property
    def output(self) -> str:
        """Where the executed notebook must come to lie, as papermill is given a path."""
        return literal_path(str(self.job.staging / EXECUTED))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters given, checked and of their types."""
        return dict(self.job.parameters)

    def publish(self) -> str:
        """Publish what the notebook left; returns the run's id.

        A format that cannot be made is named on stderr, and the report published without it. Raises
        ReportError where it left no result, where a secret is in it, or where nothing can be written or
        uploaded.
        """
        try:
            finished = finish_run(self.job, self.formats, self.paper)
            self.reports.publish(self.job.staging, self.job.run_id)
            write_index(self.reports.path.parent)
        except OSError as error:
            raise unwritable(error, self.reports.path.parent, self.job.root) from error
        if self.remote is not None:
            self.remote.push(self.job.name)
        for warning in finished.warnings:
            print(f"Warning: {self.job.name}: {warning}", file=sys.stderr)  # noqa: T201 - the log of whoever runs it
        return self.job.run_id


@contextlib.contextmanager
def staged_run(
    notebook: str,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    root: str | Path | None = None,
    fresh: bool = False,
    formats: str | Iterable[str] = (),
    paper: str = "A4",
) -> Iterator[StagedRun]:
    """Within this, the environment and the current folder of the process are those of the run.

    `root` is the project's root, without it that of the current folder. `out` is the folder of reports, or
    its URL, which is read and written to before the run. What was not published at the end is removed. For
    one run at a time in a process. The kernel named python3 is one of this very Python.
    `formats` and `paper` are those of `run_report`.

    Raises UsageError for a notebook, a parameter or a format that does not exist or does not fit. An error of
    papermill becomes a ReportError as of `llmbench report`: one sentence without a secret, the notebook under
    failed/.
    """
    wanted, size = read_formats(formats), read_paper(paper)
    home = load_config(Path(root) if root is not None else None).root
    path = find_notebook(notebook, home)
    values = check_run(path, parameters or {})
    remote = None
    if isinstance(out, str) and remote_url(out) is not None:
        remote = RemoteReports(out, home)
        remote.pull()
        remote.check()
    reports = ReportFolder(remote.local if remote is not None else reports_of(home, out), path.stem)
    run_id = new_run_id()
    with (
        reports.staging(run_id, home) as staging,
        tempfile.TemporaryDirectory(prefix="llmbench-kernel-") as kernels,
        contextlib.chdir(home),
    ):
        job = Job(path, home, values, run_id, staging, fresh)
        before = dict(os.environ)
        os.environ.update(run_environment(job), JUPYTER_PATH=_own_kernel(Path(kernels)))
        try:
            yield StagedRun(job, reports, wanted, size, remote)
        except Exception as error:
            outcome = failed_outcome(error)
            if outcome is None:
                raise
            # Whoever logs an error logs its traceback: that of papermill holds what the cell said.
            raise failed_run(job, outcome | {"status": "failed"}, reports) from None
        finally:
            os.environ.clear()
            os.environ.update(before)


def _own_kernel(folder: Path) -> str:
    """What JUPYTER_PATH must be for the kernel python3 to be one of this Python, made in `folder`."""
    spec = folder / "kernels" / "python3"
    spec.mkdir(parents=True)
    document = {"argv": kernel_command(), "display_name": "Python 3", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(document), encoding="utf-8")
    return os.pathsep.join(part for part in (str(folder), os.environ.get("JUPYTER_PATH", "")) if part)
