"""An export that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from llmbench.errors import LedgerError
from llmbench.whole_file import replacing

__all__ = ["export_file"]


@contextmanager
def export_file(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place at the end. Raises LedgerError where the disk refuses."""
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise LedgerError(
            f"The export {path} cannot be written ({error.strerror or error}): check its folder and its disk."
        ) from error
