from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from llmbench.reporting.disk import unwritable

ROOT = Path("/project")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (
            errno.ENOSPC,
            "No space is left on the disk of out/reports: free some, nothing that was answered is lost.",
        ),
        (errno.EACCES, "Permission denied; give yourself the right to write there, or choose another with"),
        (errno.EROFS, "Read-only file system; choose another with --out."),
        (errno.ENOTDIR, "a part of its path is a file; rename that, or choose another with --out."),
    ],
)
def test_advice_suits_the_reason(number: int, expected: str) -> None:
    sentence = str(unwritable(OSError(number, os.strerror(number)), ROOT / "out" / "reports", ROOT))
    assert expected in sentence
    assert "out/reports" in sentence
    assert "/project" not in sentence


def test_a_folder_outside_of_the_project_is_named_by_its_last_part() -> None:
    assert "disk of mine:" in str(unwritable(OSError(errno.ENOSPC, ""), Path("/elsewhere/mine"), ROOT))
