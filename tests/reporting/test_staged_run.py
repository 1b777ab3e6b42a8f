"""A run that papermill executes for somebody else; the DAG of Airflow in test_scheduling_kinds.py is one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import papermill
import pytest

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.secrets import SecretFoundError
from llmbench.reporting.staged_run import StagedRun, staged_run
from tests.reporting.conftest import Project, write_notebook
from tests.reporting.processes import lives


def _execute(run: StagedRun) -> None:
    papermill.execute_notebook(
        run.input, run.output, parameters=run.parameters, progress_bar=False, kernel_name="python3"
    )


def test_environment_and_folder_are_those_of_the_run_and_then_as_before(
    reports_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)

    def fail() -> None:
        with staged_run("small", {"repeat": "3"}, tmp_path / "out", root=reports_project.root) as run:
            assert run.parameters == {"repeat": 3}
            assert Path.cwd() == reports_project.root.resolve()
            assert Path(os.environ["LLMBENCH_RUN_DIR"]) == run.job.staging
            os.environ["LEFT"] = "behind"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert dict(os.environ) == before
    assert Path.cwd() == tmp_path
    assert list((tmp_path / "out" / "small" / "runs").iterdir()) == []


def test_a_wrong_parameter_is_told_before_a_folder_is_made(reports_project: Project, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="did you mean 'repeat'"),
        staged_run("small", {"repaet": 1}, tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cell", "error", "said"),
    [("print('no finish')", ReportError, "without a result"), ("print(word)", SecretFoundError, "MY_TOKEN")],
)
def test_what_must_not_be_kept_is_not(
    cell: str, error: type[Exception], said: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "correct horse battery")
    finish = """\
import os
from llmbench.reporting import Report
from llmbench.results import Decision, Spend, Verdict
report = Report("odd", title="Odd")
report.parameters(globals())
word = os.environ["MY_TOKEN"]
if "word" in CELL:
    report.finish(verdict=Verdict(Decision.GO, "Yes."), data={}, price_book="current", seed=1,
        spend=Spend(None, None))""".replace("CELL", repr(cell))
    write_notebook(
        project / "notebooks" / "odd.ipynb", ["seed: int = 1  # seed", finish, cell], {0: ["parameters"]}
    )
    with staged_run("odd") as run:
        _execute(run)
        with pytest.raises(error, match=said):
            run.publish()
    assert list((project / "reports" / "odd" / "runs").iterdir()) == []
    assert not (project / "reports" / "odd" / "report.html").exists()


def _fails_with(project: Path, cell: str) -> str:
    notebook = project / "notebooks" / "odd.ipynb"
    write_notebook(notebook, ["seed: int = 1  # seed", cell], {0: ["parameters"]})

    def execute() -> None:
        with staged_run("odd") as run:
            _execute(run)

    with pytest.raises(ReportError) as caught:
        execute()
    assert caught.value.__suppress_context__  # whoever logs it must not print papermill's own
    assert list((project / "reports" / "odd" / "runs").iterdir()) == []
    return str(caught.value)


def test_a_failure_is_one_sentence_and_the_notebook_is_kept(project: Path) -> None:
    said = _fails_with(project, "import pathlib\nraise ValueError(f'bad file {pathlib.Path.cwd()}/x')")
    assert said.startswith("odd failed in cell 2: ValueError: bad file ")
    assert str(project) not in said
    (kept,) = (project / "reports" / "odd" / "failed").glob("*/failed.ipynb")
    assert str(project) not in kept.read_text()


def test_a_failure_that_holds_a_secret_is_told_without_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "correct horse battery")
    said = _fails_with(project, "import os\nraise ValueError(os.environ['MY_TOKEN'])")
    assert "correct horse" not in said
    assert "contains a secret" in said
    assert not list((project / "reports" / "odd").rglob("failed.ipynb"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
def test_the_kernel_is_this_python_without_a_history_and_ends_with_its_starter(project: Path) -> None:
    told = "json.dump([os.getpid(), sys.orig_argv], open('who', 'w'))"
    cell = f"import json, os, sys, time\n{told}\ntime.sleep(60)"
    write_notebook(project / "notebooks" / "slow.ipynb", ["seed: int = 1  # seed", cell], {0: ["parameters"]})
    script = """\
import papermill
from llmbench.reporting.staged_run import staged_run
with staged_run("slow") as run:
    papermill.execute_notebook(run.input, run.output, progress_bar=False, kernel_name="python3")"""
    starter = subprocess.Popen([sys.executable, "-c", script], cwd=project, stderr=subprocess.DEVNULL)
    try:
        pid, words = _wait_for(project / "who")
    finally:
        starter.kill()
        starter.wait()
    assert words[0] == sys.executable
    assert "--HistoryManager.enabled=False" in words
    end = time.monotonic() + 20
    while time.monotonic() < end and lives(pid):
        time.sleep(0.1)
    left = lives(pid)
    if left:
        os.kill(pid, signal.SIGTERM)
    assert not left


def _wait_for(path: Path) -> tuple[int, list[str]]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            pid, words = json.loads(path.read_text())
            return pid, words
        time.sleep(0.1)
    pytest.fail("the notebook did not begin")
