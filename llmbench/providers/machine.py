"""What this machine can give to a model: cores that are free, memory that is free."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["available_memory", "default_threads"]

_MOST_DEFAULT_THREADS = 4


def default_threads() -> int:
    """Threads for a model where none are named.

    One on up to two cores or under load: threads wait for each other at every layer, so one that
    has lost its core stops them all (two threads on two busy cores measured 10 times slower than
    one; on two idle cores 1.4 times faster). Otherwise one for each physical core up to 4,
    beyond which small models gain little.
    """
    cores = _usable_cores()
    busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > cores / 2
    if cores <= 2 or busy:
        return 1
    return min(max(1, cores // 2), _MOST_DEFAULT_THREADS)  # two logical cores share a physical one


def _usable_cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # a container's share, which the affinity does not show
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores


def available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
