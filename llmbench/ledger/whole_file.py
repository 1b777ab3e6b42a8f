"""An export that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from llmbench import whole_file
from llmbench.errors import LedgerError

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """As `llmbench.whole_file.replacing`. Raises LedgerError where the disk or the folder refuses."""
    try:
        with whole_file.replacing(path) as file:
            yield file
    except OSError as error:
        raise LedgerError(
            f"The export {path} cannot be written ({error.strerror or error}): check its folder and its disk."
        ) from error
