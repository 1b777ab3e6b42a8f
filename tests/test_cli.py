from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbench.cli import cli, main
from llmbench.reporting import read_parameter_file

Ended = Callable[..., tuple[object, str, str]]


def llmbench(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llmbench", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def ended(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ended:
    """Runs the command line in this process, up to its exit: code, stdout, stderr."""

    def run(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["llmbench", *words])
        with pytest.raises(SystemExit) as exit_:
            main()
        told = capsys.readouterr()
        return exit_.value.code, told.out, told.err

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "model_matri"), "model_matrix"),
        (("report", "model_matrix", "-p", "temprature", "0"), "temperature"),
        (("report", "model_matrix", "-p", "temperature", "warm"), "temperature"),
        (("report", "model_matrix", "-p", "limit", "1", "-p", "limit", "2"), "twice"),
        (("report", "model_matrix", "-f", "nowhere.yaml"), "nowhere.yaml"),
        (("report", "model_matrix", "--to", "pdf,odt"), "'odt'"),
        (("report", "model_matrix", "--paper", "A5"), "'A5'"),
        (("report", "model_matrix", "--accept-stale", "it is all we have"), "accept_stale"),
        (("report", "migration_memo", "--accept-stale", " "), "needs a reason"),
        (("report", "migration_memo", "-p", "accept_stale", "a", "--accept-stale", "b"), "give it once"),
        (("models", "pull", "smollm3"), "smollm2-135m"),
    ],
)
def test_a_mistake_is_one_sentence(words: tuple[str, ...], said: str, project: Path, ended: Ended) -> None:
    (project / "notebooks").mkdir()
    source = Path(__file__).resolve().parents[1] / "notebooks" / "model_matrix.ipynb"
    (project / "notebooks" / "model_matrix.ipynb").write_bytes(source.read_bytes())
    code, stdout, stderr = ended(*words)
    assert code == 1
    assert stdout == ""
    assert stderr.startswith("Error: ")
    assert said in stderr
    assert "Traceback" not in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["diff", "schedule", "loadtest", "simulate ab"])
def test_the_example_in_a_help_text_is_a_line_to_copy(command: str) -> None:
    shown = CliRunner().invoke(cli, [*command.split(), "--help"]).output
    assert f"\n  llmbench {command} " in shown


def test_unknown_command_is_a_usage_error(project: Path) -> None:
    assert llmbench("reprot", cwd=project).returncode == 2


def test_ledger_commands_make_no_ledger(project: Path, ended: Ended) -> None:
    done = llmbench("ledger", "spend", cwd=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: There is no ledger at")
    for command in ("spend", "verify", "show", "export calls.jsonl", "prune --unit u"):
        code, _, stderr = ended("ledger", *command.split())
        assert code == 1
        assert "There is no ledger at" in stderr
    assert not list(project.rglob("ledger.db"))


def test_report_lists_the_parameters_of_a_notebook_as_a_file_of_them(tmp_path: Path) -> None:
    notebook = Path(__file__).parents[1] / "notebooks" / "model_matrix.ipynb"
    found = CliRunner().invoke(cli, ["report", str(notebook), "--list-parameters"])
    assert found.exit_code == 0
    out = found.output
    assert "# margin: 0.03  # how much lower a score is still good enough, as a share of 1\n" in out
    file = tmp_path / "params.yaml"
    file.write_text(out, encoding="utf-8")
    assert read_parameter_file(file) == {}
    file.write_text(out.replace("# margin: 0.03 ", "margin: 0.05 "), encoding="utf-8")
    assert read_parameter_file(file) == {"margin": 0.05}
