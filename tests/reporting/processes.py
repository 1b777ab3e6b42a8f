"""Processes that a test expects to end."""

from __future__ import annotations

import os
import time
from pathlib import Path


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 15
    for pid in pids:
        while lives(pid):
            assert time.monotonic() < deadline, f"process {pid} still runs"
            time.sleep(0.05)


def lives(pid: int) -> bool:
    """Whether it does anything yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.is_file() and "State:\tZ" in status.read_text())  # a zombie runs nothing
