"""A run that papermill executes for somebody else; the DAG of Airflow in test_scheduling_kinds.py is one."""

from __future__ import annotations

import os
from pathlib import Path

import papermill
import pytest

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.secrets import SecretFoundError
from llmbench.reporting.staged_run import StagedRun, staged_run
from tests.reporting.conftest import Project, write_notebook


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
