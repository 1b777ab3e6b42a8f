"""Reports made at the same time: their order, their number, and what ends them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import llmbench
from llmbench.errors import ReportError, UsageError
from llmbench.reporting.progress import Progress
from llmbench.reporting.run import MEMO, ReportRun
from llmbench.reporting.run_many import side_by_side
from llmbench.results import Decision
from tests.reporting.processes import wait_until_gone

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def _published(name: str) -> ReportRun:
    return ReportRun(name, "run", Path(), Path(), Path(), Decision.GO, "So.", 0.0)


class Runs:
    """Stands for `run_report`: each ends when it is let go, or stopped by its follower."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.busiest = 0
        self.stopped: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self._running = 0
        self._lock = threading.Lock()
        self._gates: dict[str, threading.Event] = {}

    def gate(self, name: str) -> threading.Event:
        return self._gates.setdefault(name, threading.Event())

    def __call__(self, name: str, follower: Any) -> ReportRun:
        with self._lock:
            self.begun.append(name)
            self._running += 1
            self.busiest = max(self.busiest, self._running)
        try:
            follower.show(Progress(done=1, total=1))
            while not self.gate(name).wait(0.01):
                if follower.stopped():
                    self.stopped.append(name)
                    raise KeyboardInterrupt(f"{name} was stopped")
            if name in self.failing:
                raise self.failing[name]
            return _published(name)
        finally:
            with self._lock:
                self._running -= 1

    def wait_for(self, *names: str) -> None:
        deadline = time.monotonic() + 10
        while not set(names) <= set(self.begun):
            assert time.monotonic() < deadline, self.begun
            time.sleep(0.005)


@pytest.fixture
def runs() -> Iterator[Runs]:
    yield Runs()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("report ")]


def _quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def test_each_is_yielded_when_it_ends_and_never_more_run_than_jobs(runs: Runs) -> None:
    made = side_by_side(["one", "two", "three"], runs, 2, _quiet())
    runs.gate("two").set()
    assert next(made).notebook == "two"
    runs.gate("three").set()
    assert next(made).notebook == "three"
    runs.gate("one").set()
    assert next(made).notebook == "one"
    assert next(made, None) is None
    assert runs.busiest == 2
    assert set(runs.begun[:2]) == {"one", "two"}


def test_the_memo_begins_when_no_other_runs(runs: Runs) -> None:
    for name in ("one", "two", MEMO):
        runs.gate(name).set()
    order = [run.notebook for run in side_by_side(["one", "two", MEMO], runs, 3, _quiet())]
    assert order[-1] == MEMO
    assert runs.begun[-1] == MEMO
    assert sorted(order) == sorted(["one", "two", MEMO])


def test_after_a_failure_none_begins_and_those_that_run_are_published(runs: Runs) -> None:
    runs.failing["one"] = ReportError("one failed.")
    made = side_by_side(["one", "two", "three"], runs, 2, _quiet())
    runs.gate("one").set()

    def let_go() -> None:
        runs.wait_for("one", "two")
        time.sleep(0.05)
        runs.gate("two").set()

    thread = threading.Thread(target=let_go)
    thread.start()
    assert next(made).notebook == "two"
    with pytest.raises(ReportError, match=r"one failed\."):
        next(made)
    thread.join()
    assert "three" not in runs.begun


def test_the_second_failure_is_told_too(runs: Runs) -> None:
    runs.failing = {"one": ReportError("one failed."), "two": ReportError("two failed.")}
    lines = io.StringIO()
    made = side_by_side(["one", "two"], runs, 2, Console(file=lines, width=200))
    threading.Timer(0.05, runs.gate("one").set).start()
    threading.Timer(0.25, runs.gate("two").set).start()
    with pytest.raises(ReportError, match=r"one failed\."):
        next(made)
    assert "two: two failed." in lines.getvalue()


def test_the_end_of_the_iterator_stops_what_runs(runs: Runs) -> None:
    made = side_by_side(["one", "two"], runs, 2, _quiet())
    runs.gate("one").set()
    assert next(made).notebook == "one"
    made.close()  # type: ignore[attr-defined]
    assert runs.stopped == ["two"]


def test_no_jobs_are_refused(runs: Runs) -> None:
    with pytest.raises(UsageError, match="At least 1 report is made at a time, not 0"):
        list(side_by_side(["one"], runs, 0, _quiet()))


def test_a_terminal_has_a_bar_for_each(runs: Runs) -> None:
    lines = io.StringIO()
    for name in ("first", "second"):
        runs.gate(name).set()
    list(side_by_side(["first", "second"], runs, 2, Console(file=lines, width=120, force_terminal=True)))
    assert "first" in lines.getvalue()
    assert "second" in lines.getvalue()


WAITING_CELLS = [
    'marker: str = "unset"  # where the kernel tells that it runs',
    """\
import os, pathlib, time
from llmbench.reporting import Report
report = Report("NAME", title="When?")
P = report.parameters(globals())
pathlib.Path(P.marker, "NAME").write_text(str(os.getpid()))
time.sleep(600)""",
]


def _start(project: Any, markers: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """`llmbench report` of two notebooks that wait, once both do; and the pids of their kernels."""
    markers.mkdir()
    for name in ("wait_a", "wait_b"):
        cells = [cell.replace("NAME", name) for cell in WAITING_CELLS]
        project.notebook(name, cells, {0: ["parameters"]})
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from llmbench.cli import main\nmain()"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            code,
            "report",
            "wait_a",
            "wait_b",
            "--jobs",
            "2",
            "-p",
            "marker",
            str(markers),
        ],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(Path(llmbench.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 180
    told = [markers / "wait_a", markers / "wait_b"]
    while not all(each.is_file() and each.read_text() for each in told):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        if time.monotonic() > deadline:
            logs = [path.read_text() for path in project.root.rglob("process.log")]
            process.kill()
            pytest.fail("\n".join([*logs, process.communicate()[1]]), pytrace=False)
        time.sleep(0.05)
    return process, [int(each.read_text()) for each in told]


@POSIX
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_what_ends_the_command_ends_all_kernels(
    reports_project: Any, tmp_path: Path, ending: signal.Signals
) -> None:
    process, kernels = _start(reports_project, tmp_path / "markers")
    with process:
        process.send_signal(ending)
        _, stderr = process.communicate(timeout=60)
    wait_until_gone(*kernels)
    if ending is signal.SIGINT:
        assert "wait_a, wait_b left no report" in " ".join(stderr.split())
        assert "Traceback" not in stderr
