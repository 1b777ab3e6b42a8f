"""A command in a process of its own: its wall and CPU time, memory, and what it told last."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import peers


class Ran(NamedTuple):
    """`cpu` is user and system time with that of its children; `told` the last line, where it is JSON;
    `together_mb` the most that it and all below it held at one time, 0 where that was not watched.
    """

    wall: float
    cpu: float
    rss_mb: float
    code: int
    told: dict[str, Any]
    together_mb: float = 0.0
    errors: str = ""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Compiled modules are kept, as on any machine, and no venv is written to for it."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(peers.FOLDER / "pycache"), **(more or {})}


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    more: Mapping[str, str] | None = None,
    watch: bool = False,
) -> Ran:
    """Run it to its end. `watch`: also its memory with that of all its children, every 0.2 s."""
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(more), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        said: list[str] = []
        stream = process.stdout
        reader = threading.Thread(target=lambda: said.append(stream.read()), daemon=True)
        reader.start()
        together = 0.0
        while watch and process.returncode is None:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            together = max(together, _memory_kb(process.pid) / 1024)
            time.sleep(0.2)
        if process.returncode is None:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        reader.join()
        errors.seek(0)
        told = last(said[0])
        return Ran(
            wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, told, together,
            errors.read()[-2000:],
        )  # fmt: skip


def last(said: str) -> dict[str, Any]:
    """The last line, where it is JSON."""
    line = said.strip().rpartition("\n")[2]
    return json.loads(line) if line.startswith("{") else {}


def _memory_kb(root: int) -> int:
    """Resident memory of a process and all below it, together."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "status").read_text()
        except OSError:
            continue  # it has just ended
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        number = int(folder.name)
        children.setdefault(int(fields["PPid"]), []).append(number)
        resident[number] = int(fields.get("VmRSS", "0 kB").split()[0])
    total, todo = 0, [root]
    while todo:
        number = todo.pop()
        total += resident.get(number, 0)
        todo += children.get(number, [])
    return total
