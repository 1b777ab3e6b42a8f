"""A report folder that cannot be written, in one sentence: what to do depends on why."""

from __future__ import annotations

import errno
from pathlib import Path

from llmbench.errors import ReportError

__all__ = ["FULL", "UNWRITABLE", "unwritable"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})
"""What a system says when a disk, or somebody's share of it, is full."""
_DENIED = {errno.EACCES, errno.EPERM}
_NO_FOLDER = {errno.ENOTDIR, errno.EEXIST}
UNWRITABLE = FULL | _DENIED | _NO_FOLDER | {errno.EROFS, errno.EIO}
"""What it says when a file cannot be written for a reason outside of the notebook."""


def unwritable(error: OSError, out: Path, root: Path) -> ReportError:
    """The error to raise for `error`, met while writing below `out`, the folder of reports.

    `out` is named relative to `root`, outside of it by its last part.

    >>> str(unwritable(OSError(errno.ENOSPC, ""), Path("/project/reports"), Path("/project")))
    'No space is left on the disk of reports: free some, nothing that was answered is lost.'
    """
    shown = out.relative_to(root).as_posix() if out.is_relative_to(root) else out.name
    if error.errno in FULL:
        return ReportError(
            f"No space is left on the disk of {shown}: free some, nothing that was answered is lost."
        )
    reason, advice = error.strerror or type(error).__name__, "choose another with --out"
    if error.errno in _DENIED:
        advice = "give yourself the right to write there, or choose another with --out"
    elif error.errno in _NO_FOLDER:
        reason, advice = "a part of its path is a file", "rename that, or choose another with --out"
    return ReportError(f"The report folder {shown} cannot be written: {reason}; {advice}.")
