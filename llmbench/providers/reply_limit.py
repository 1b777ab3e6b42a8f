"""The most that is read of a reply: a server that is broken or hostile does not fill the memory.

Our own transport counts where it reads. The vendors' SDKs read for themselves, over an httpx client that they
let us set up: each of its replies is made to count as it is unpacked, which holds for whatever the SDK reads
through it (answers, streams, errors, files).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

__all__ = ["LARGEST_REPLY", "RefusedReplyError", "bound", "client_options", "too_large"]

LARGEST_REPLY = 128_000_000
"""Bytes of a reply once unpacked, far beyond any model's answer: a small packed one may hold gigabytes."""
_LARGEST_FILE = 2_000_000_000
"""Bytes of what is fetched: the results of a full batch are 100,000 answers."""
_LONGEST_LENGTH = 20
"""Digits."""
_CODINGS = (b"gzip", b"deflate", b"identity")
"""What Python unpacks by itself. httpx 0.28 unpacks a packet at once: at most 64 MB of one that is packed by
these, but gigabytes of one that is packed twice, or by brotli or zstd."""


class RefusedReplyError(ValueError):
    """A reply that is not read on; it says what it is instead of an answer."""


def too_large(most: int) -> RefusedReplyError:
    """The error of a body that goes on beyond `most` bytes."""
    return RefusedReplyError(f"more than {most / 1e6:.0f} MB, which is no model's answer")


def client_options() -> dict[str, Any]:
    """What every httpx client under an SDK is made with: replies are bounded, redirects never followed (they
    would carry the key elsewhere).
    """
    return {
        "follow_redirects": False,
        "headers": {"Accept-Encoding": "gzip, deflate"},
        "event_hooks": {"response": [_bound_by_method]},
    }


async def _bound_by_method(reply: Any) -> None:
    # Answers come to what is posted; what is fetched may be a file.
    bound(reply, LARGEST_REPLY if reply.request.method == "POST" else _LARGEST_FILE)


def bound(reply: Any, most: int) -> None:
    """Have an httpx response of either generation, not read yet, raise RefusedReplyError where its body has
    more than `most` bytes. Raises it at once for a body that cannot be unpacked piece by piece.
    """
    codings, length, chunked = [], b"", False
    # Once through all of them: to look each up by its name costs twice as much.
    for name, value in reply.headers.raw:
        match name.lower():
            case b"content-encoding":
                codings.append(value.strip().lower())
            case b"content-length":
                length = value
            case b"transfer-encoding":
                chunked = True
    if not codings and not chunked and length.isdigit():
        # No more is read than is announced, so that there is nothing to count.
        if len(length) > _LONGEST_LENGTH or int(length) > most:
            raise too_large(most)
        return
    if codings and (len(codings) > 1 or codings[0] not in _CODINGS):
        packed = b", ".join(codings).decode("latin-1")
        raise RefusedReplyError(f"a body packed as {packed!r:.40}, which nobody asked for")
    unbounded = reply.aiter_bytes
    # httpx reads a body by no other way, whole (`aread`), in lines or in pieces.
    reply.aiter_bytes = lambda chunk_size=None: _Bounded(unbounded(chunk_size), most)


class _Bounded:
    """The chunks of a body. No generator: of those, an event loop keeps account, at a cost to each call."""

    __slots__ = ("_chunks", "_left", "_most")

    def __init__(self, chunks: AsyncGenerator[bytes, None], most: int) -> None:
        self._chunks = chunks
        self._most = self._left = most

    def __aiter__(self) -> _Bounded:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks)
        self._left -= len(chunk)
        if self._left < 0:
            raise too_large(self._most)
        return chunk

    async def aclose(self) -> None:
        await self._chunks.aclose()
