"""Files that appear whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.whole_file import replacing

__all__ = ["json_line", "refuse_same", "replacing_all"]


@contextmanager
def replacing_all(paths: Mapping[str, Path]) -> Iterator[dict[str, IO[bytes]]]:
    """Files that take the places of `paths` together at the end, and are gone after an error.

    Raises DatasetError where the disk or the folder refuses.
    """
    with ExitStack() as stack:
        yield {name: stack.enter_context(_replacing(path)) for name, path in paths.items()}


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    try:
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise DatasetError(
            f"The file {path} cannot be written ({error.strerror or error}): check its folder and its disk."
        ) from error


def refuse_same(source: Path, *targets: Path) -> None:
    """Raise UsageError where a file would be written over the one that it is made from."""
    for target in targets:
        if target.resolve() == source.resolve():
            raise UsageError(f"{target} is the file that is read; give another path to write to.")


def json_line(row: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
