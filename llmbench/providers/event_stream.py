"""What readers of streamed events have in common, whatever stands in an event. No I/O."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from llmbench.errors import BadResponseError, ConnectionFailedError
from llmbench.providers.reply_errors import stream_cut
from llmbench.providers.sse import EventSplitter
from llmbench.types import RawAnswer

__all__ = ["EventStreamReader"]


class EventStreamReader(ABC):
    """Reads a stream of server-sent events in chunks cut anywhere.

    `feed` gives the text that a chunk completes; `finish`, after the last chunk, the RawAnswer.
    Both raise a ProviderError: an error that the server reports in mid-stream, bytes that are not
    the format, or a stream cut before its end.
    """

    def __init__(self, *, provider: str, model: str, secrets: Sequence[str] = ()) -> None:
        self._provider = provider
        self._model = model
        self._secrets = secrets
        self._events = EventSplitter()
        self._begun = False
        """Whether anything came that looks like the format."""
        self.done = False
        """Whether the format's own mark of the end has come, after which nothing counts."""

    def feed(self, chunk: bytes, *, last: bool = False) -> list[str]:
        """The pieces of text in `chunk`, with what was left of the chunks before it.

        `last` marks the end of the body: some servers leave out the blank line after their last event.
        """
        events = self._events.feed(chunk, last=last)
        return [text for data in events if not self.done and (text := self._text(data))]

    @abstractmethod
    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""

    @abstractmethod
    def _text(self, data: bytes) -> str:
        """Take the data of one event; the text it adds."""

    @abstractmethod
    def _bad(self, what: str, data: bytes) -> BadResponseError:
        """The error of bytes that are not the format."""

    def _object(self, data: bytes) -> dict[str, Any]:
        """The JSON object of an event."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            # Where nothing came after it, it was rather cut than malformed.
            ended = self._events.ended
            raise self._cut() if ended else self._bad("an event that is not JSON", data) from error
        if not isinstance(found, dict):
            raise self._bad("an event that is no object", data)
        self._begun = True
        return found

    def _cut(self) -> ConnectionFailedError:
        return stream_cut(self._provider, self._model)
