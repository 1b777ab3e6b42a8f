"""A lock on an open file, which the system frees when its holder is killed."""

from __future__ import annotations

import errno
import os
import sys

__all__ = ["try_lock"]

_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process; False when another one has it.

    Raises OSError where the file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            # Beyond the end of the file: a locked byte cannot be read.
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True
