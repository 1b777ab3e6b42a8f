from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.cli import cli
from llmbench.cli.lab import lab_command, lab_environment
from llmbench.errors import UsageError
from llmbench.reporting.run import DESK
from llmbench.starter import make_project


def test_it_opens_the_desk_on_this_machine_only(tmp_path: Path) -> None:
    make_project(tmp_path)
    command = lab_command(tmp_path, port=9999, browser=False)
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    for option in (
        f"--LabApp.default_url=/lab/tree/notebooks/{DESK}.ipynb", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={tmp_path}", "--ServerApp.port=9999", "--ServerApp.open_browser=False",
    ):  # fmt: skip
        assert option in command
    assert not [word for word in command if "token" in word or "password" in word]
    assert "--ServerApp.open_browser=False" not in lab_command(tmp_path)


def test_no_news_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")
    ours, theirs = lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert theirs == "mine"
    page = json.loads((Path(ours) / "labconfig" / "page_config.json").read_text())
    assert page == {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no notebooks/start\.ipynb; `llmbench init` brings it"):
        lab_command(tmp_path)
    find = importlib.util.find_spec

    def without(name: str, *args: Any) -> Any:
        return None if name == "jupyterlab" else find(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(UsageError, match=r"pip install 'llmbench\[notebooks\]'"):
        lab_command(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere it waits for the server")
def test_the_server_takes_the_place_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path / "notebooks")
    started: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *words: started.append(words))
    monkeypatch.setattr("subprocess.Popen", None)
    CliRunner().invoke(cli, ["lab", "--no-browser", "--port", "9999", "--allow-root"])
    path, command, environment = started[0]
    assert path == sys.executable
    assert command[-1] == "--allow-root"
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"
    assert Path.cwd() == tmp_path
