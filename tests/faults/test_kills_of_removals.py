"""Kill -9, as in `test_kills`, of the removal of old runs: a reader sees a run whole or not at all, and the
same again takes away what was left of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmbench.reporting.folder import ReportFolder, write_manifest
from llmbench.result_files import changed_files
from tests.faults.test_kills import Command, rounds_of, survive_changes
from tests.faults.test_kills_of_uploads import FOLDERS, seen
from tests.reporting.runs import keep_run, model

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]

IDS = [f"2025010{day}T000000Z-00000{day}" for day in (1, 2, 3)]
KEEP = """
import sys
from pathlib import Path
from llmbench.reporting.after_run import remove_old_runs
from llmbench.reporting.index import write_index
from llmbench.reporting.remote import RemoteReports
from llmbench.reporting.run import ReportRun
from llmbench.results import Decision
url, run_id = sys.argv[1:]
remote = RemoteReports(url, Path.cwd()) if "://" in url else None
out = Path(url)
if remote is not None:
    remote.pull()
    out = remote.local
    remote.push("model_matrix")  # as every report does before it removes
else:
    write_index(out)
folder = out / "model_matrix" / "runs" / run_id
run = ReportRun(notebook="model_matrix", run_id=run_id, path=out / "model_matrix" / "report.html",
    folder=folder, index=out / "index.html", decision=Decision.GO, summary="So.", spent_usd=None)
told = remove_old_runs(run, 1, remote)
assert not told, told
"""


def put_runs(out: Path) -> None:
    """Three runs, as they are published."""
    for run_id in IDS:
        run = keep_run(out, run_id, [model("a", 0.7)])
        (run / "tables").mkdir()
        for name in ("report.html", "executed.ipynb", "tables/one.csv", "tables/two.csv"):
            (run / name).write_text(f"{name} of {run_id}", encoding="utf-8")
        write_manifest(run)


@pytest.mark.parametrize("kind", ["store", "disk"])
@pytest.mark.parametrize("rounds", rounds_of(1))
def test_a_removal_there(tmp_path: Path, kind: str, rounds: int) -> None:
    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()
        put_runs(folder / "there")
        command.words[2] = f"{kind}://{folder}/there"

    def check(folder: Path) -> None:
        runs = seen(folder / "there", "model_matrix")
        assert runs[-1].name == IDS[-1]
        assert all(changed_files(run) == () for run in runs)

    def done(folder: Path) -> None:
        check(folder)
        there = folder / "there"
        assert [path.name for path in (there / "model_matrix" / "runs").iterdir()] == IDS[-1:]
        assert "model_matrix: 1 run" in (there / "index.html").read_text(encoding="utf-8")
        (local,) = (folder / ".llmbench" / "reports").glob("*/model_matrix")
        assert ReportFolder(local.parent, "model_matrix").run_ids() == IDS[-1:]

    command = Command(["-c", FOLDERS + KEEP, "", IDS[-1]], check, done)
    survive_changes(command, tmp_path, new, rounds, seed=22)


@pytest.mark.parametrize("rounds", rounds_of(1))
def test_a_removal_here(tmp_path: Path, rounds: int) -> None:
    def new(folder: Path) -> None:
        (folder / "llmbench.toml").touch()
        put_runs(folder / "reports")

    def check(folder: Path) -> None:
        found = ReportFolder(folder / "reports", "model_matrix")
        assert found.run_ids()[0] == IDS[-1]
        assert all(changed_files(found.runs / run_id) == () for run_id in found.run_ids())

    def done(folder: Path) -> None:
        check(folder)
        reports = folder / "reports"
        assert [path.name for path in (reports / "model_matrix" / "runs").iterdir()] == IDS[-1:]
        assert "model_matrix: 1 run" in (reports / "index.html").read_text(encoding="utf-8")

    survive_changes(Command(["-c", KEEP, "reports", IDS[-1]], check, done), tmp_path, new, rounds, seed=23)
