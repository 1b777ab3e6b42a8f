from __future__ import annotations

import time
from pathlib import Path

from llmbench.desk import BackgroundRun
from tests.reporting.conftest import Project

LONG = [
    'marker: str = ""  # file that tells that the cell runs',
    """\
import pathlib, time
pathlib.Path(marker).write_text("here")
time.sleep(120)""",
]


def test_a_run_that_fails_is_one_sentence(reports_project: Project, tmp_path: Path) -> None:
    cells = ["n: int = 0  # n", "1 / n"]
    reports_project.notebook("divides", cells, {0: ["parameters"]})
    run = BackgroundRun("divides", {}, tmp_path)
    assert run.wait(60) == "failed"
    assert run.line().startswith("divides failed in cell 2: ZeroDivisionError: division by zero")
    assert "\n" not in run.line()
    assert BackgroundRun("divides", {"m": 1}, tmp_path).wait(60) == "failed"
    (reports_project.root / "notebooks" / "divides.ipynb").unlink()


def test_a_cancelled_run_stops_and_leaves_no_report(reports_project: Project, tmp_path: Path) -> None:
    reports_project.notebook("waits", LONG, {0: ["parameters"]})
    marker = tmp_path / "marker"
    run = BackgroundRun("waits", {"marker": str(marker)}, tmp_path / "out")
    deadline = time.monotonic() + 60
    while not marker.is_file():
        assert run.state == "running", run.line()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.cancel()
    assert run.line().startswith(("stopping, ", "waits was interrupted"))
    assert run.wait(60) == "cancelled"
    assert run.line().startswith("waits was interrupted and left no report")
    assert not list((tmp_path / "out").rglob("report.html"))
    assert run.seconds < 60
    (reports_project.root / "notebooks" / "waits.ipynb").unlink()
