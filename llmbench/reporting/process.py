"""The process in which one notebook runs: started, followed, interrupted, and asked how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import llmbench
from llmbench.reporting.console import RunDisplay, live_bars
from llmbench.reporting.disk import FULL
from llmbench.reporting.execute import OUTCOME
from llmbench.reporting.progress import Progress, ProgressFile
from llmbench.run_files import EXECUTED

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["PRIVATE_FILES", "Follower", "Job", "execute", "run_environment"]

_PROGRESS = "progress.jsonl"
_LOG = "process.log"
PRIVATE_FILES = (OUTCOME, _PROGRESS, _LOG)
"""What a run leaves in its folder for its own use."""
_POLL_SECONDS = 0.2
_INTERRUPT_SECONDS = 20.0
"""Longer than a child takes to give up on a kernel that ignores interrupts."""


class Follower(Protocol):
    """Who looks on while a notebook runs where there is no terminal; asked five times a second."""

    def show(self, progress: Progress) -> None:
        """The run is so far."""

    def stopped(self) -> bool:
        """Whether the run is to be stopped, as Ctrl-C does in a terminal."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one notebook."""

    notebook: Path
    root: Path
    parameters: Mapping[str, Any]
    run_id: str
    staging: Path
    fresh: bool

    @property
    def name(self) -> str:
        """The notebook's name, without .ipynb."""
        return self.notebook.stem


def execute(job: Job, console: Console, follower: Follower | None = None) -> dict[str, Any]:
    """Run the child process to its end; returns its outcome (see `llmbench.reporting.execute`).

    How far it is goes to `follower` where there is one, else to `console`.

    The outcome of a run that could not write its files has their `errno`. Raises OSError when the
    run cannot be started, and KeyboardInterrupt with a sentence once both processes have stopped.
    """
    request = {
        "notebook": str(job.notebook),
        "output": str(job.staging / EXECUTED),
        "parameters": dict(job.parameters),
        "cwd": str(job.root),
        "staging": str(job.staging),
    }
    with (job.staging / _LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "llmbench.reporting.execute"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=job.root,
            env=run_environment(job),
            # Ctrl-C in the terminal must reach this process only, which then passes it on.
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    # The pipe stays open as long as this process lives: its end is how the child learns of our death,
    # and, where anything fails below, that leaving this block closes it.
    with process:
        assert process.stdin is not None  # noqa: S101 - stdin=PIPE gives one
        try:
            _order(process, json.dumps(request))
            _follow(process, job, console, follower)
        except KeyboardInterrupt:
            _interrupt(process)
            raise KeyboardInterrupt(
                f"{job.name} was interrupted and left no report; the last one is untouched, every answer "
                f"received is in the ledger, and the same command goes on from there."
            ) from None
    try:
        outcome: dict[str, Any] = json.loads((job.staging / OUTCOME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        failed = {"status": "failed", "error": "", "message": _end_of(process, job), "cell": None}
        # It had no room to say so: then the exit code does.
        return {**failed, "errno": process.returncode} if process.returncode in FULL else failed
    return outcome


def run_environment(job: Job) -> dict[str, str]:
    """What the kernel of a run must find in its environment: that of this process, and where the run is."""
    environment = dict(os.environ)
    environment.update(
        LLMBENCH_RUN_DIR=str(job.staging),
        LLMBENCH_RUN_ID=job.run_id,
        LLMBENCH_PROGRESS=str(job.staging / _PROGRESS),
        LLMBENCH_NOTEBOOK=str(job.notebook),
        LLMBENCH_FRESH="1" if job.fresh else "0",
        LLMBENCH_GIVEN=" ".join(job.parameters),
        PYTHONUTF8="1",
    )
    # A checkout that is not installed must be found by the kernel, too.
    package_parent = Path(llmbench.__file__).resolve().parents[1]
    if package_parent not in {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}:
        parts = [str(package_parent), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(part for part in parts if part)
    return environment


def _order(process: subprocess.Popen[bytes], line: str) -> None:
    try:
        process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    except BrokenPipeError:
        pass  # it has ended; its log or its outcome says why


def _follow(process: subprocess.Popen[bytes], job: Job, console: Console, follower: Follower | None) -> None:
    progress_file = ProgressFile(job.staging / _PROGRESS)
    with contextlib.ExitStack() as stack:
        if follower is None:
            bars = stack.enter_context(live_bars(console))
            shown: Follower | RunDisplay = stack.enter_context(RunDisplay(job.name, console, bars))
        else:
            shown = follower
        running = True
        while running:
            try:
                process.wait(_POLL_SECONDS)
                running = False
            except subprocess.TimeoutExpired:
                pass
            if (progress := progress_file.newest()) is not None:
                shown.show(progress)
            if running and follower is not None and follower.stopped():
                raise KeyboardInterrupt


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ask the child to stop its kernel; a second Ctrl-C, or no answer, ends both at once."""
    _order(process, "interrupt")
    try:
        process.wait(_INTERRUPT_SECONDS)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        process.stdin.close()  # type: ignore[union-attr]
        process.wait(_INTERRUPT_SECONDS)


def _end_of(process: subprocess.Popen[bytes], job: Job) -> str:
    """Why a process left no outcome: the signal that ended it, else its last words."""
    if process.returncode < 0:
        memory = ", most often for want of memory" if process.returncode == -9 else ""
        return f"by signal {-process.returncode}{memory}"
    try:
        lines = (job.staging / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else f"exit code {process.returncode}, without a word"
