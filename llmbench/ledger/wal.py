"""What a write-ahead log holds that SQLite will not read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from llmbench.ledger.connections import Executor

__all__ = ["WalCommits", "commits_in", "unread_commits"]

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")


class WalCommits(NamedTuple):
    """The commits of one generation of a WAL, by their frames' own headers."""

    salt: tuple[int, int]
    """Changes whenever SQLite begins the file anew."""
    ends: tuple[int, ...]
    """Numbers, from 1, of the frames that end a commit."""


def commits_in(path: Path) -> WalCommits | None:
    """The commits that the WAL at `path` says it holds, checksums aside; None without one.

    Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                return None
            _, _, page, _, *salt, _, _ = _HEADER.unpack(head)
            ends: list[int] = []
            number = 0
            while len(frame := file.read(_FRAME.size)) == _FRAME.size:
                number += 1
                _, pages_after_commit, *of_frame, _, _ = _FRAME.unpack(frame)
                if of_frame != salt:
                    break  # left of the generation before
                ends += [number] if pages_after_commit else []
                file.seek(page, 1)
    except OSError:
        return None
    return WalCommits((salt[0], salt[1]), tuple(ends))


def unread_commits(path: Path, connection: Executor) -> int:
    """How many commits of the WAL at `path` SQLite has left out since it opened the file, because a frame
    of theirs or of one before is damaged. Other processes may write meanwhile.
    """
    before = commits_in(path)
    # Moves pages that everybody has read into the file, and tells how many frames are sound.
    busy, frames, _ = connection.execute("PRAGMA wal_checkpoint (PASSIVE)").fetchone()
    after = commits_in(path)
    if before is None or after is None or busy or before.salt != after.salt:
        return 0
    return sum(end > frames for end in before.ends)
