"""The body of a stream, read as far as its format says that it goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from llmbench.types import RawAnswer

__all__ = ["StreamFormat", "pieces"]

_LAST_BYTES_SECONDS = 0.2


class StreamFormat(Protocol):
    """Reads one stream in chunks cut anywhere."""

    @property
    def done(self) -> bool:
        """Whether the format's own mark of the end has come, after which nothing counts."""

    def feed(self, chunk: bytes, *, last: bool = False) -> list[str]:
        """The pieces of text in `chunk`; `last` marks the end of the body."""

    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""


async def pieces(chunks: AsyncIterator[bytes], reader: StreamFormat) -> AsyncGenerator[str, None]:
    """The text in `chunks` as it comes, up to the mark of the end or the end of the body."""
    async for chunk in chunks:
        for text in reader.feed(chunk):
            yield text
        if reader.done:
            await _see_off(chunks)
            return
    for text in reader.feed(b"", last=True):
        yield text


async def _see_off(chunks: AsyncIterator[bytes]) -> None:
    """Read what ends the body, which lets the connection be used again; a server that keeps it open, or cuts
    it, has answered all the same.
    """
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            async for _ in chunks:
                pass
