"""Several processes at one ledger, and the ends that a report's processes can come to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.cli import cli
from llmbench.errors import ReportError
from llmbench.reporting import run_report
from llmbench.result_files import changed_files
from tests.faults.killing import environment, strays
from tests.faults.test_kills import ITEMS, MATRIX
from tests.faults.vendor import Vendor, agree, serving, write_project
from tests.reporting.conftest import write_notebook

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as found:
        yield found


@pytest.mark.faults
@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_run_one_matrix_on_one_ledger(tmp_path: Path, vendor: Vendor, count: int) -> None:
    write_project(tmp_path / "project", vendor, ITEMS)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MATRIX],
            cwd=tmp_path / "project",
            env=environment(tmp_path / "project"),
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    said = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * count, said
    kept = agree(tmp_path / "project" / ".llmbench" / "ledger.db", vendor, 0)
    assert len(kept) == ITEMS
    assert kept == vendor.answered


ENDS: dict[str, tuple[str, str]] = {
    "the kernel is killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "its kernel died"),
    "papermill is killed": (
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)", "by signal 9",
    ),
    "the memory is at its end": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\nx = bytearray(2**31)",
        "smaller model or lower concurrency",
    ),
    "the disk is at its end": (
        "import errno, os\nraise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))", "No space left on device",
    ),
}  # fmt: skip


@POSIX
@pytest.mark.faults
@pytest.mark.parametrize("name", list(ENDS))
def test_a_report_that_comes_to_a_bad_end(project: Path, name: str) -> None:
    cell, said = ENDS[name]
    write_notebook(project / "notebooks" / "bad.ipynb", ["seed: int = 1  # seed", cell], {0: ["parameters"]})
    with pytest.raises(ReportError) as caught:
        run_report("bad")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((project / "reports" / "bad" / "runs").iterdir()) == []
    assert not (project / "reports" / "bad" / "report.html").exists()
    assert strays(project) == []


@POSIX
@pytest.mark.faults
def test_answers_outlive_the_kernel_that_asked(project: Path, vendor: Vendor, monkeypatch: Any) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", str(project / "ledger.db"))
    (project / "llmbench.toml").unlink()
    write_project(project, vendor, ITEMS)
    cells = ["seed: int = 1  # seed", MATRIX, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"]
    write_notebook(project / "notebooks" / "bad.ipynb", cells, {0: ["parameters"]})
    for _ in range(2):
        with pytest.raises(ReportError, match="its kernel died"):
            run_report("bad")
        assert agree(project / "ledger.db", vendor, 0).total() == ITEMS


FINISHED = """\
from llmbench.reporting import Report
from llmbench.results import Decision, Spend, Verdict
report = Report("small", title="Small")
P = report.parameters(globals())
report.finish(verdict=Verdict(Decision.GO, "Yes."), data={}, price_book="current", seed=seed,
    spend=Spend(None, None))"""


@pytest.mark.faults
def test_a_document_without_a_browser_says_what_to_install(project: Path, monkeypatch: Any) -> None:
    cells = ["seed: int = 1  # seed", FINISHED]
    write_notebook(project / "notebooks" / "small.ipynb", cells, {0: ["parameters"]})
    monkeypatch.setattr("llmbench.reporting.browser._NAMES", ())
    monkeypatch.setattr("llmbench.reporting.browser._usual", list)
    for name in ("LLMBENCH_BROWSER", "CHROME"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(cli, ["report", "small", "--format", "pdf,md"])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "report.pdf was not made" in said
    assert "install" in said
    newest = project / "reports" / "small"
    assert changed_files(newest) == ()
    assert (newest / "report.md").is_file()
    assert not (newest / "report.pdf").exists()
