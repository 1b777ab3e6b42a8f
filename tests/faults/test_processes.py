"""Several processes at one ledger, and the ends that a report's processes can come to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.catalog.gpu_offers import SNAPSHOTS, read_snapshot
from llmbench.cli import cli
from llmbench.errors import ReportError
from llmbench.ledger import Ledger
from llmbench.reporting import run_report
from llmbench.result_files import changed_files
from tests.faults.killing import environment, left_aside, strays
from tests.faults.test_kills import CLI, ITEMS, MATRIX, _rows, _write_lines
from tests.faults.test_kills_of_removals import IDS, KEEP, put_runs
from tests.faults.test_kills_of_tables import EXPORT, OFFERS, ROWS, TABLES, sellers
from tests.faults.test_kills_of_uploads import FOLDERS
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


def at_once(words: Sequence[Sequence[str]], folders: Sequence[Path], **env: str) -> None:
    """Run commands at the same time; all must come to a good end."""
    processes = [
        subprocess.Popen(
            [sys.executable, *each], cwd=folder, env=environment(folder, **env),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for each, folder in zip(words, folders, strict=True)
    ]  # fmt: skip
    said = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(words), said


@POSIX
@pytest.mark.faults
@pytest.mark.parametrize("command", ["refresh", *TABLES])
def test_processes_that_write_one_table(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    env = sellers(tmp_path)
    _write_lines(folder / "calls.jsonl", 200)
    (folder / "llmbench.toml").touch()
    (folder / "export.csv").write_text(EXPORT, encoding="utf-8")
    with Ledger(folder / ".llmbench" / "ledger.db") as ledger:
        ledger.import_lines(folder / "calls.jsonl")
    words = ["prices", "refresh"] if command == "refresh" else TABLES[command]
    at_once([[*CLI, *words]] * 4, [folder] * 4, **env)
    if command == "refresh":
        (path,) = (folder / SNAPSHOTS).iterdir()
        assert len(read_snapshot(path)) == OFFERS
    else:
        assert _rows(folder / "out.csv") == ROWS[command]
    assert left_aside(folder) == []


@POSIX
@pytest.mark.faults
@pytest.mark.parametrize("kind", ["store", "disk", ""])
def test_machines_that_remove_the_same_runs(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "there"
    put_runs(there)
    folders = [tmp_path / name for name in "abcd"]
    for folder in folders:
        folder.mkdir()
        (folder / "llmbench.toml").touch()
    url = f"{kind}://{there}" if kind else str(there)
    at_once([["-c", FOLDERS + KEEP, url, IDS[-1]]] * 4, folders)
    assert [path.name for path in (there / "model_matrix" / "runs").iterdir()] == IDS[-1:]
    assert "model_matrix: 1 run" in (there / "index.html").read_text(encoding="utf-8")
    assert left_aside(there) == []


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
