"""`llmbench lab`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import click

from llmbench.errors import UsageError

__all__ = ["lab", "lab_command", "lab_environment"]

_NEEDED = ("jupyterlab", "ipywidgets", "papermill", "pandas")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(1, 65535), help="Port; default: 8888, or the next free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address, which has the token in it.")
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTERLAB OPTION]...")
def lab(port: int | None, jupyter: tuple[str, ...], *, no_browser: bool) -> None:
    """Open JupyterLab at the desk: the reports there are, and a form to run one.

    It listens on this machine only, and asks for the token that it makes anew at each start. Further options
    are JupyterLab's own, such as --allow-root in a container.
    """
    from llmbench.config import load_config

    root = load_config().root
    command = [*lab_command(root, port=port, browser=not no_browser), *jupyter]
    environment = lab_environment()
    if os.name == "posix":  # then a signal to this process reaches the server
        os.chdir(root)
        os.execve(command[0], command, environment)  # noqa: S606 - a list, and no shell
    with subprocess.Popen(command, cwd=root, env=environment) as server:
        while True:
            try:
                sys.exit(server.wait())
            except KeyboardInterrupt:  # the server got it too, and asks whether it is meant
                continue


def lab_command(root: Path, *, port: int | None = None, browser: bool = True) -> list[str]:
    """What starts JupyterLab at the desk of the project at `root`.

    Raises UsageError where the extra `notebooks` or the desk's notebook is missing.
    """
    from llmbench.reporting.run import DESK

    if any(importlib.util.find_spec(module) is None for module in _NEEDED):
        raise UsageError("JupyterLab needs the extra `notebooks`: pip install 'llmbench[notebooks]'.")
    desk = Path("notebooks") / f"{DESK}.ipynb"
    if not (root / desk).is_file():
        raise UsageError(
            f"This project has no {desk.as_posix()}; `llmbench init` brings it, and overwrites nothing."
        )
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{desk.as_posix()}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={root}"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"] if port is not None else []
    return command if browser else [*command, "--ServerApp.open_browser=False"]


def lab_environment() -> dict[str, str]:
    """The environment of JupyterLab: this one, and a setting that has it ask the network for no news."""
    ours = str(files("llmbench.desk").joinpath("jupyter"))
    more = os.environ.get("JUPYTER_CONFIG_PATH")
    path = os.pathsep.join([ours, more] if more else [ours])
    # A kernel of this very Python, not one of the same name in the user's home.
    return {"JUPYTER_PREFER_ENV_PATH": "1", **os.environ, "JUPYTER_CONFIG_PATH": path}
