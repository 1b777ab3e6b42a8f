"""A file that appears whole or not at all, whatever ends the process that writes it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from llmbench.file_lock import try_lock

__all__ = ["replacing", "write_whole"]

_PART = ".part"
_HOLDS = sys.platform != "win32"
"""Whether an open file can be locked and renamed. Not on Windows, which renames only what is closed."""
_LONGEST_CLOSED_S = 60.0


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place at the end, and is gone after an error.

    One that a process was writing when it was killed goes with the next file for the same `path`; until then
    it lies there as `.NAME.xxxxxxxx.part`. Raises OSError, which names `path`, where the disk or the folder
    refuses.
    """
    aside: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(path)
        file = _open_aside(path)
        aside = Path(file.name)
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            # The temporary file is for its owner only; what takes its place is a file like any other.
            aside.chmod(0o666 & ~_umask())
            if _HOLDS:
                aside.replace(path)
        if not _HOLDS:
            aside.replace(path)
    except BaseException as error:
        if aside is not None:
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and _is_of(error, path):
            error.filename, error.filename2 = str(path), None
        raise


def write_whole(path: Path, content: str | bytes) -> None:
    """Put `content` (text in UTF-8) at `path` in one step. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "new", "a.txt"), "né")
    ...     Path(folder, "new", "a.txt").read_text(encoding="utf-8")
    'né'
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _open_aside(path: Path) -> IO[bytes]:
    """A file beside `path`, locked so that no other writer takes it for one that was left."""
    while True:
        file = NamedTemporaryFile(  # noqa: SIM115 - closed by whoever asked
            "wb", dir=path.parent, prefix=f".{path.name}.", suffix=_PART, delete=False
        )
        if not _HOLDS:
            return file
        try:
            if try_lock(file.fileno()) and os.fstat(file.fileno()).st_nlink:
                return file
        except OSError:  # a file system without locks, where nothing that was left is removed either
            return file
        file.close()  # another writer was faster than the lock, and removes it


def _remove_left(path: Path) -> None:
    """Remove what writers of `path` that do not live any more have left beside it."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}{re.escape(_PART)}")
    found: list[Path] = []
    with suppress(PermissionError):  # a folder that may be written and not be read
        found = [each for each in path.parent.iterdir() if ours.fullmatch(each.name)]
    for left in found:
        with suppress(OSError):  # another user's, or gone meanwhile
            _remove_dead(left)


def _remove_dead(left: Path) -> None:
    if not _HOLDS:
        # Windows refuses while it is open; it is for a moment not, before it takes its place.
        if time.time() - left.stat().st_mtime > _LONGEST_CLOSED_S:
            left.unlink()
        return
    descriptor = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if try_lock(descriptor):
            left.unlink()
    finally:
        os.close(descriptor)


def _is_of(error: OSError, path: Path) -> bool:
    """Whether an error met while writing is of the file itself, whose name aside means nothing to anybody."""
    named = error.filename
    if named is None:
        return True
    aside = path.absolute().with_name(f".{path.name}.")
    return Path(os.fsdecode(named)).absolute().as_posix().startswith(aside.as_posix())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
