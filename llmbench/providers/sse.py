"""Server-sent events, cut into chunks anywhere. No I/O."""

from __future__ import annotations

import re

__all__ = ["EventSplitter", "LineSplitter"]

# A lone \r at the very end may be half of \r\n: it waits for the next chunk.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_MAY_END = re.compile(rb"[\r\n]")
_FIELDS = (b":", b"event:", b"id:", b"retry:")


class LineSplitter:
    r"""Gives each line as soon as its end is there.

    >>> lines = LineSplitter()
    >>> lines.feed(b"one\ntw"), lines.feed(b"o\r\nthree", last=True)
    ([b'one'], [b'two', b'three'])
    """

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def feed(self, chunk: bytes, *, last: bool = False) -> list[bytes]:
        """The lines that `chunk` completes; `last` marks the end of the body, which ends a line too."""
        self._pending.append(chunk)
        # A line of megabytes is joined once, not with every chunk.
        if not last and not _MAY_END.search(b"".join(self._pending[-2:])):
            return []
        *lines, rest = _LINE_END.split(b"".join(self._pending) + (b"\n" if last else b""))
        self._pending = [rest]
        return lines


class EventSplitter:
    r"""Gives the data of each event as soon as its last byte is there.

    >>> events = EventSplitter()
    >>> events.feed(b'event: ping\ndata: {"a"')
    []
    >>> events.feed(b": 1}\n\n")
    [b'{"a": 1}']
    """

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._data: list[bytes] = []
        self._stray: list[bytes] = []
        self.ended = False
        """Whether the last chunk has been fed."""

    @property
    def stray(self) -> bytes:
        """Lines that belong to no event: a whole JSON body, or an error that breaks the format."""
        return b"\n".join(self._stray)

    def feed(self, chunk: bytes, *, last: bool = False) -> list[bytes]:
        """The events that `chunk` completes; `last` marks the end of the body, where some servers
        leave out the blank line after their last event.
        """
        self.ended = last
        lines = self._lines.feed(chunk, last=last)
        if last:
            lines.append(b"")
        return [data for line in lines if (data := self._line(line)) is not None]

    def _line(self, line: bytes) -> bytes | None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif line and not line.startswith(_FIELDS):
            self._stray.append(line)
        elif not line and self._data:
            data = b"\n".join(self._data)
            self._data.clear()
            return data
        return None
