"""Kill -9 at a moment of a command's life or before a change it makes to files, and what holds after it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "ROOT",
    "ROUNDS",
    "changes_of",
    "environment",
    "finish",
    "kill_at",
    "kill_before",
    "left_aside",
    "moments",
    "strays",
]

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("LLMBENCH_FAULT_ROUNDS", "3"))
_LONGEST_S = 240.0
_COUNTING = """
import os, runpy, signal, sys
fatal, seen, here = int(sys.argv[1]), 0, os.getcwd() + os.sep
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"}
WRITES = os.O_WRONLY | os.O_RDWR

def within(path, folder):
    # Relative to an open folder: only the removal of a whole tree does that.
    return folder not in (None, -1) or os.path.abspath(os.fsdecode(path)).startswith(here)

def before(event, given):
    global seen
    if event == "open":
        path, _, flags = given
        if isinstance(path, int) or not flags & WRITES or not within(path, None):
            return
    elif event not in CHANGES or not within(given[0], given[-1] if event != "os.truncate" else None):
        return
    seen += 1
    if seen == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

kind, what, *rest = sys.argv[2:]
sys.argv = [what, *rest]
sys.addaudithook(before)
try:
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<script>", "exec"), {"__name__": "__main__"})
finally:
    print("changes:", seen, file=sys.stderr)
"""
"""Runs `-m MODULE ...` or `-c SCRIPT ...` and kills itself before the change of that number, which Python's
own audit events tell: each file opened to be written, renamed or removed. SQLite's writes are none of them.
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a command that works in the project at `folder`."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ledger = str(folder / ".llmbench" / "ledger.db")
    return {**os.environ, "PYTHONPATH": path, "LLMBENCH_LEDGER": ledger, "MPLBACKEND": "agg", **more}


def _start(words: Sequence[str], folder: Path, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )


def _log(folder: Path) -> Path:
    """Outside of the folder, whose disk may be full or read-only."""
    return Path(tempfile.gettempdir(), f"llmbench-{os.getpid()}-{folder.parent.name}-{folder.name}.log")


def finish(words: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> float:
    """Run a command to its end, which must be good; how long it took."""
    log = _log(folder)
    log.unlink(missing_ok=True)
    begun = time.monotonic()
    process = _start(words, folder, env or environment(folder), log)
    try:
        process.wait(_LONGEST_S)
    finally:
        process.kill()
        process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    log.unlink()
    assert process.returncode == 0, said
    return time.monotonic() - begun


def kill_at(moment: float, words: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> bool:
    """Start a command and kill it with SIGKILL after `moment` seconds; whether it was still running.

    Only the process itself: what it started has to notice.
    """
    log = _log(folder)
    process = _start(words, folder, env or environment(folder), log)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    log.unlink()
    assert process.returncode in {0, -signal.SIGKILL}, said
    return process.returncode != 0


def changes_of(words: Sequence[str], folder: Path, env: dict[str, str]) -> int:
    """Run a command to its end, which must be good; how many changes it made to files below `folder`."""
    done = _changing(0, words, folder, env)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stderr.rsplit("changes:", 1)[1])


def kill_before(change: int, words: Sequence[str], folder: Path, env: dict[str, str]) -> None:
    """Start a command that kills itself before the change of that number, from 1."""
    done = _changing(change, words, folder, env)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


def _changing(change: int, words: Sequence[str], folder: Path, env: dict[str, str]) -> Any:
    return subprocess.run(
        [sys.executable, "-c", _COUNTING, str(change), *words],
        cwd=folder, env=env, capture_output=True, text=True, timeout=_LONGEST_S, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def left_aside(folder: Path) -> list[str]:
    """Hidden files and folders that no project has: what a command made aside and did not take away."""
    kept = {".llmbench", ".remote", ".gitignore"}
    return sorted(path.name for path in folder.rglob(".*") if path.name not in kept)


def moments(whole_s: float, rounds: int, seed: int) -> list[float]:
    """One moment in each of `rounds` equal parts of a run that takes `whole_s`, in random order."""
    draw = random.Random(seed)
    found = [(part + draw.random()) / rounds * whole_s for part in range(rounds)]
    draw.shuffle(found)
    return found


def strays(folder: Path, patience_s: float = 15.0) -> list[str]:
    """Command lines of processes that still work in `folder` once their time to notice is over."""
    end = time.monotonic() + patience_s
    while (found := _working_in(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _working_in(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int(process.name) == os.getpid():
                continue
            if (process / "cwd").resolve() == folder.resolve() and (process / "cmdline").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found
