"""Pairs of a key and a number, grouped by key: in memory while they are few, then in temporary files."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from itertools import groupby
from typing import IO

__all__ = ["KeyFile"]

_PARTS = 64
_WAITING = 8192


class KeyFile:
    """Takes pairs and gives back the numbers that share a key, in a memory that does not grow with them.

    >>> keys = KeyFile()
    >>> for number, key in enumerate([7, 8, 7, 9, 7]):
    ...     keys.add(key, number)
    >>> list(keys.groups())
    [[0, 2, 4]]
    """

    def __init__(self) -> None:
        self._waiting = [array("Q") for _ in range(_PARTS)]
        self._files: list[IO[bytes] | None] = [None] * _PARTS

    def add(self, key: int, number: int) -> None:
        """Take in a pair; both are whole numbers of at most 64 bits."""
        part = self._waiting[key % _PARTS]
        part.append(key)
        part.append(number)
        if len(part) >= _WAITING:
            self._write(key % _PARTS)

    def groups(self) -> Iterator[list[int]]:
        """The numbers of each key that came more than once, in rising order. To be called once."""
        for number in range(_PARTS):
            pairs = self._read(number)
            found = sorted(zip(pairs[::2], pairs[1::2], strict=True))
            for _, group in groupby(found, key=lambda pair: pair[0]):
                members = [member for _, member in group]
                if len(members) > 1:
                    yield members

    def _write(self, number: int) -> None:
        file = self._files[number]
        if file is None:
            file = self._files[number] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it is read
        file.write(self._waiting[number].tobytes())
        self._waiting[number] = array("Q")

    def _read(self, number: int) -> array[int]:
        pairs, file = array("Q"), self._files[number]
        if file is not None:
            file.seek(0)
            pairs.frombytes(file.read())
            file.close()
            self._files[number] = None
        pairs.extend(self._waiting[number])
        self._waiting[number] = array("Q")
        return pairs
