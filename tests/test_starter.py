"""A project of one's own, from an installation without a clone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbench.cli import cli
from llmbench.config import load_config
from llmbench.errors import ConfigError, UsageError
from llmbench.reporting import available_notebooks
from llmbench.starter import make_project

ROOT = Path(__file__).resolve().parents[1]


def test_a_project_has_notebooks_data_and_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_project(tmp_path / "mine")
    assert available_notebooks(made.root) == available_notebooks(ROOT)
    assert (made.root / "data" / "sales_tasks.jsonl").read_bytes() == (
        ROOT / "data/sales_tasks.jsonl"
    ).read_bytes()
    assert not (made.root / "notebooks" / "conftest.py").exists()
    assert (made.root / "notebooks" / "start.ipynb").read_bytes() == (
        ROOT / "notebooks/start.ipynb"
    ).read_bytes()
    assert made.kept == ()
    monkeypatch.chdir(made.root / "notebooks")
    assert load_config().root == made.root.resolve()
    assert load_config().endpoints == {}


def test_the_commented_configuration_is_one(tmp_path: Path) -> None:
    made = make_project(tmp_path)
    text = (made.root / "llmbench.toml").read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines()[3:]]
    (made.root / "llmbench.toml").write_text("\n".join(line for line in lines if line != "#"))
    assert load_config(made.root).endpoints["gpu"].usd_per_hour == 0.526


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    make_project(tmp_path)
    mine = tmp_path / "notebooks" / "break_even.ipynb"
    mine.write_text("mine")
    (tmp_path / "data" / "README.md").unlink()
    again = make_project(tmp_path)
    assert again.written == ("data/README.md",)
    assert again.kept == ("notebooks/break_even.ipynb",)
    assert mine.read_text() == "mine"
    assert not list(tmp_path.rglob("*.new"))


def test_a_file_or_the_project_of_llmbench_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file is a file"):
        make_project(tmp_path / "file")
    with pytest.raises(UsageError, match="needs no init"):
        make_project(ROOT)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="The folder project cannot be written: Not a directory; make it"):
        make_project(tmp_path / "file" / "project")


def test_an_installation_without_the_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmbench.starter.files", lambda package: tmp_path / package)
    with pytest.raises(ConfigError, match="has no notebooks"):
        make_project(tmp_path / "mine")


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    folder = str(tmp_path / "mine")
    first = CliRunner().invoke(cli, ["init", folder], catch_exceptions=False)
    assert f"cd {folder} && llmbench doctor" in first.output
    (tmp_path / "mine" / "llmbench.toml").write_text("[endpoints]\n")
    again = CliRunner().invoke(cli, ["init", folder], catch_exceptions=False)
    assert "has everything already" in again.output
    assert "because yours differ: llmbench.toml" in again.output
