"""Streams in Gemini's generateContent format, cut into chunks anywhere. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.errors import BadResponseError
from llmbench.providers.event_stream import EventStreamReader
from llmbench.providers.gemini_wire import (
    ContentParts,
    bad_content,
    raise_reported_error,
    read_content,
)
from llmbench.types import RawAnswer

__all__ = ["ContentStreamReader"]


class ContentStreamReader(EventStreamReader):
    r"""Reads a stream of generateContent pieces in chunks cut anywhere: `feed` gives the text that a
    chunk completes; `finish`, after the last chunk, the RawAnswer. Both raise a ProviderError.

    >>> reader = ContentStreamReader(provider="gemini", model="m")
    >>> reader.feed(b'data: {"candidates": [{"content": {"parts": [{"text": "hi"}]}}]}\r\n\r\n')
    ['hi']
    """

    def __init__(
        self, *, provider: str, model: str, secrets: Sequence[str] = (), tier: str | None = None
    ) -> None:
        super().__init__(provider=provider, model=model, secrets=secrets)
        self._tier = tier
        self._parts = ContentParts(tier)

    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""
        # An error in mid-stream comes as bare JSON that is no event, also behind a piece that says STOP:
        # https://github.com/vercel/ai/issues/5217
        if self._events.stray:
            whole = read_content(
                self._events.stray,
                provider=self._provider,
                model=self._model,
                secrets=self._secrets,
                tier=self._tier,
            )
            if not self._begun:  # a gateway that ignores alt=sse
                return whole
            raise self._bad("a stream with more than events in it", self._events.stray)
        # The format has no other mark of the end.
        if self._parts.finish_reason is None:
            raise self._cut()
        return self._parts.answer()

    def _text(self, data: bytes) -> str:
        piece = self._object(data)
        raise_reported_error(piece, self._provider, self._model, self._secrets)
        text = self._parts.take(piece)
        if text is None:
            raise self._bad("content that cannot be read", data)
        return text

    def _bad(self, what: str, data: bytes) -> BadResponseError:
        return bad_content(what, data, self._provider, self._model, self._secrets)
