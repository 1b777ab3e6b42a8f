"""One process at a time in a folder: by a lock of the system's, which it frees when its holder is killed."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from llmbench.file_lock import try_lock

__all__ = ["folder_lock"]

_LONGEST_SECONDS = 60.0
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Within this, no other process is within the same.

    For work of less than a second: where a holder stands still for a minute, or the file system knows no
    locks, it goes on without. So what is done within must also be safe without. Raises OSError where the
    folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # where no folder can be locked
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    else:
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + _LONGEST_SECONDS
        with contextlib.suppress(OSError):
            while not try_lock(descriptor) and time.monotonic() < end:
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)  # which frees it
