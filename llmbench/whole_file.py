"""A file that appears whole or not at all, whatever ends the process that writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

__all__ = ["replacing", "write_whole"]


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place at the end, and is gone after an error.

    Raises OSError where the disk or the folder refuses.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            # The temporary file is for its owner only; what takes its place is a file like any other.
            Path(file.name).chmod(0o666 & ~_umask())
        except BaseException:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
