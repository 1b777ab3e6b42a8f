"""The crontab line is run by a shell, the workflow read as YAML, the DAG runs over a stand-in of Airflow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, Self

import papermill
import pytest
import yaml
from click.testing import CliRunner

from llmbench.cli import cli
from llmbench.config import load_config
from llmbench.errors import UsageError
from llmbench.reporting.scheduling import plan_schedule
from llmbench.reporting.scheduling_airflow import airflow_dag
from llmbench.reporting.scheduling_crontab import crontab
from llmbench.reporting.scheduling_github import github_workflow, key_names
from tests.reporting.conftest import Project, write_notebook

TEXT = "100% 'of' \"it\" $HOME `id` ${{ secrets.X }} {{ ds }} é\\"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="cron is of POSIX")


def _stand_in(folder: Path) -> Path:
    """A program that writes its words as JSON, in place of Python."""
    program = folder / "py thon"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nopen('words.json', 'w').write(json.dumps(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    return program


def _as_cron_does(text: str) -> str:
    """The command of the only line that is one, with cron's escapes taken off."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[0].startswith("CRON_TZ=")
    command = lines[1].split(" ", 5)[5]
    assert "%" not in command.replace("\\%", "")
    return command.replace("\\%", "%")


@POSIX
def test_crontab_line_gives_every_character_to_the_program(reports_project: Project, tmp_path: Path) -> None:
    planned = plan_schedule(["small"], "0 7 * * 1", {"greeting": TEXT}, time_zone="Europe/Berlin")
    text = crontab(planned, python=str(_stand_in(tmp_path)), flock=False)
    assert "CRON_TZ=Europe/Berlin\n" in text
    subprocess.run(["/bin/sh", "-c", _as_cron_does(text)], check=True, cwd="/", timeout=20)
    words = reports_project.root / "words.json"
    assert json.loads(words.read_text()) == ["-m", "llmbench", "report", "small", "-p", "greeting", TEXT]
    words.unlink()


@POSIX
@pytest.mark.skipif(shutil.which("flock") is None, reason="no flock here")
def test_a_second_run_at_once_is_left_out_with_a_sentence(reports_project: Project, tmp_path: Path) -> None:
    import fcntl

    command = _as_cron_does(
        crontab(plan_schedule(["small"], "0 7 * * 1"), python=str(_stand_in(tmp_path)), flock=True)
    )
    own = reports_project.root / ".llmbench"
    own.mkdir(exist_ok=True)
    with (own / "schedule-small.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert subprocess.run(["/bin/sh", "-c", command], check=False, timeout=20).returncode == 75
        assert not (reports_project.root / "words.json").exists()
    assert "small: left out, because the run before is still at work" in (own / "schedule.log").read_text()
    subprocess.run(["/bin/sh", "-c", command], check=True, timeout=20)
    (reports_project.root / "words.json").unlink()


def test_crontab_refuses_what_is_no_line_of_it(reports_project: Project) -> None:
    with pytest.raises(UsageError, match="one line for a command"):
        crontab(plan_schedule(["small"], "0 7 * * 1", {"greeting": "a\nb"}))
    with pytest.raises(UsageError, match="cut it after 990"):
        crontab(plan_schedule(["small"], "0 7 * * 1", {"greeting": "x" * 1000}))


def test_workflow_is_yaml_and_holds_no_secret(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-written-anywhere")
    (project / "llmbench.toml").write_text(
        '[endpoints.mine]\nprovider = "custom"\nbase_url = "https://m.example/v1"\napi_key_env = "MY_KEY"\n'
        '[endpoints.other]\nprovider = "custom"\nbase_url = "https://o.example/v1"\napi_key_env = "NO_KEY"\n'
    )
    write_notebook(
        project / "notebooks" / "small.ipynb",
        ['models: list = ["openai/gpt-4o-mini"]  # which\nprompt: str = ""  # what'],
        {0: ["parameters"]},
    )
    planned = plan_schedule(["small"], "0 7 * * 1", {"models": ["mine/m", "llama/l"], "prompt": TEXT})
    assert key_names(planned, load_config()) == [
        "MY_KEY", "REPLICATE_API_KEY", "REPLICATE_API_TOKEN", "TOGETHER_API_KEY",
    ]  # fmt: skip
    text = github_workflow(plan_schedule(["small"], "0 7 * * 1", {"prompt": TEXT}))
    assert "sk-not" not in text
    workflow: dict[Any, Any] = yaml.safe_load(text)
    assert workflow[True] == {"schedule": [{"cron": "0 7 * * 1"}], "workflow_dispatch": None}
    steps = workflow["jobs"]["report"]["steps"]
    run = next(step for step in steps if "llmbench report" in step.get("run", ""))
    assert run["env"] == {"OPENAI_API_KEY": "${{ secrets.OPENAI_API_KEY }}"}
    assert run["run"].endswith(" --fail-on-regression")
    assert "${{ secrets.X }}" not in run["run"].replace("${{ '${{' }}", "")
    kept = [step["with"]["path"] for step in steps if "actions/cache" in step.get("uses", "")]
    assert kept == ["reports\n.llmbench/ledger.db*\n"] * 2
    monkeypatch.setenv("LLMBENCH_LEDGER", "postgresql://ada:correct-horse@db/ledger")
    shared = github_workflow(planned)
    assert "correct-horse" not in shared
    assert "LLMBENCH_LEDGER: ${{ secrets.LLMBENCH_LEDGER }}" in shared
    assert "ledger.db" not in shared


def test_workflow_keeps_reports_where_they_are_asked_for(reports_project: Project, tmp_path: Path) -> None:
    def steps(**options: Any) -> list[dict[str, Any]]:
        text = github_workflow(plan_schedule(["small"], "0 7 * * 1", **options))
        found: list[dict[str, Any]] = yaml.safe_load(text)["jobs"]["report"]["steps"]
        return found

    inside = steps(out="shown/them", formats="pdf")
    assert any("report small --out shown/them --format pdf" in step.get("run", "") for step in inside)
    assert [step["with"]["path"].split("\n")[0] for step in inside if "path" in step.get("with", {})] == [
        "shown/them"
    ] * 3
    away = steps(out="s3://b/r")
    assert away[2]["run"].endswith(" s3fs")
    assert not any("upload-artifact" in step.get("uses", "") for step in away)
    with pytest.raises(UsageError, match="outside of the project"):
        steps(out=str(tmp_path / "elsewhere"))


def test_workflow_refuses_what_github_cannot_do(reports_project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in UTC, not Europe/Berlin"):
        github_workflow(plan_schedule(["small"], "0 7 * * 1", time_zone="Europe/Berlin"))
    with pytest.raises(UsageError, match="every five minutes at most"):
        github_workflow(plan_schedule(["small"], "* * * * *"))
    with pytest.raises(UsageError, match="every five minutes at most"):
        github_workflow(plan_schedule(["small"], "0,20,40,41 7 * * *"))
    with pytest.raises(UsageError, match="not 7"):
        github_workflow(plan_schedule(["small"], "0 7 * * 7"))
    (tmp_path / "p.yaml").write_text("repeat: 3\n")
    with pytest.raises(UsageError, match="outside of the project"):
        github_workflow(plan_schedule(["small"], "0 7 * * 1", file=tmp_path / "p.yaml"))


class _PapermillOperator:
    """As far as Airflow's own does it, by what its source says: papermill in the task's process."""

    def __init__(self, *, task_id: str, input_nb: str, output_nb: str, **options: Any) -> None:
        self.task_id, self.input_nb, self.output_nb = task_id, input_nb, output_nb
        self.parameters, self.options = options.pop("parameters"), options
        TASKS.append(self)

    def execute(self, context: Any) -> None:
        papermill.execute_notebook(
            self.input_nb,
            self.output_nb,
            parameters=self.parameters,
            progress_bar=False,
            report_mode=True,
            kernel_name=self.options["kernel_name"],
            language=self.options["language_name"],
        )

    def __rshift__(self, other: _PapermillOperator) -> _PapermillOperator:
        return other


TASKS: list[_PapermillOperator] = []


class _DAG:
    def __init__(self, **options: Any) -> None:
        self.options = options

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def _load(text: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    homes = {
        "pendulum": {"datetime": lambda *words, tz: (*words, tz)},
        "airflow": {"DAG": _DAG},
        "airflow.providers.papermill.operators.papermill": {"PapermillOperator": _PapermillOperator},
    }
    for name, members in homes.items():
        for end in range(1, name.count(".") + 2):
            part = ".".join(name.split(".")[:end])
            if part not in sys.modules:
                monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        for member, value in members.items():
            monkeypatch.setattr(sys.modules[name], member, value, raising=False)
    TASKS.clear()
    namespace: dict[str, Any] = {"__name__": "dag"}
    exec(compile(text, "dag.py", "exec"), namespace)
    return namespace


def test_dag_publishes_as_the_command_does(
    session_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "pro{ject}"
    shutil.copytree(session_project.root / "notebooks", root / "notebooks")
    (root / "pyproject.toml").write_text("[project]\nname = 'small'\nversion = '1'\n")
    monkeypatch.chdir(root)
    planned = plan_schedule(
        ["small"], "0 7 * * 1", {"greeting": TEXT, "repeat": "3"}, time_zone="Europe/Berlin"
    )
    namespace = _load(airflow_dag(planned), monkeypatch)
    monkeypatch.chdir(tmp_path)
    options = namespace["dag"].options
    assert (options["schedule"], options["start_date"][-1]) == ("0 7 * * 1", "Europe/Berlin")
    assert (options["catchup"], options["max_active_runs"]) == (False, 1)
    run_id = TASKS[0].execute({})
    assert Path.cwd() == tmp_path
    folder = root / "reports" / "small"
    result = json.loads((folder / "runs" / str(run_id) / "result.json").read_text())
    assert result["parameters"]["greeting"] == TEXT
    assert result["parameters"]["repeat"] == 3
    assert (folder / "report.html").is_file()
    assert sorted(p.name for p in (folder / "runs").iterdir()) == [run_id]
    assert str(root) not in (folder / "executed.ipynb").read_text()


def test_dag_publishes_to_a_url_and_in_other_formats(
    session_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")
    root = tmp_path / "project"
    shutil.copytree(session_project.root / "notebooks", root / "notebooks")
    (root / "pyproject.toml").write_text("[project]\nname = 'small'\nversion = '1'\n")
    monkeypatch.chdir(root)
    planned = plan_schedule(["small"], "0 7 * * 1", out="memory://dag/reports", formats="md")
    _load(airflow_dag(planned), monkeypatch)
    run_id = TASKS[0].execute({})
    store = fsspec.filesystem("memory")
    assert store.exists(f"/dag/reports/small/runs/{run_id}/manifest.json")
    assert store.exists("/dag/reports/small/report.md")
    assert store.exists("/dag/reports/index.html")
    assert not (root / "reports").exists()
    inside = airflow_dag(plan_schedule(["small"], "0 7 * * 1", out="shown"))
    assert f"OUT = {str(load_config().root / 'shown')!r}" in inside


def test_the_command_writes_a_new_file_only(reports_project: Project, tmp_path: Path) -> None:
    words = [
        "schedule",
        "small",
        "--cron",
        "0 7 * * 1",
        "--as",
        "airflow",
        "--out",
        str(tmp_path / "a/dag.py"),
    ]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Next runs (UTC): Mon " in done.stderr
    compile((tmp_path / "a/dag.py").read_text(), "dag.py", "exec")
    with pytest.raises(UsageError, match="is there already"):
        CliRunner().invoke(cli, words, catch_exceptions=False)
