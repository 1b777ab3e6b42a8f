"""Streams in Anthropic's Messages format, cut into chunks anywhere. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.errors import BadResponseError
from llmbench.providers.anthropic_wire import (
    MessageParts,
    bad_message,
    raise_reported_error,
    read_message,
)
from llmbench.providers.event_stream import EventStreamReader
from llmbench.types import RawAnswer

__all__ = ["MessageStreamReader"]


class MessageStreamReader(EventStreamReader):
    r"""Reads a stream of Messages events in chunks cut anywhere: `feed` gives the text that a chunk
    completes; `finish`, after the last chunk, the RawAnswer. Both raise a ProviderError.

    >>> reader = MessageStreamReader(provider="anthropic", model="m")
    >>> delta = b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}'
    >>> reader.feed(b"event: content_block_delta\ndata: " + delta + b"\n\n")
    ['hi']
    """

    def __init__(
        self, *, provider: str, model: str, secrets: Sequence[str] = (), request_id: str | None = None
    ) -> None:
        super().__init__(provider=provider, model=model, secrets=secrets)
        self._request_id = request_id
        self._parts = MessageParts(request_id)

    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""
        if not self._begun and self._events.stray:  # a gateway that ignores `stream`
            return read_message(
                self._events.stray,
                provider=self._provider,
                model=self._model,
                secrets=self._secrets,
                request_id=self._request_id,
            )
        if not self.done:
            raise self._cut()
        return self._parts.answer()

    def _text(self, data: bytes) -> str:
        event = self._object(data)
        raise_reported_error(event, self._provider, self._model, self._secrets)
        kind, text = event.get("type"), ""
        if kind == "message_start":
            self._parts.take_message(event.get("message"))
        elif kind in {"content_block_start", "content_block_delta"}:
            block = event.get("content_block" if kind == "content_block_start" else "delta")
            found = self._parts.take_block(block)
            if found is None:
                raise self._bad("a block of content that cannot be read", data)
            text = found
        elif kind == "message_delta":
            self._parts.take_end(event.get("delta"))
            self._parts.take_usage(event.get("usage"))
        elif kind == "message_stop":
            self.done = True
        return text  # other events, such as ping, may come at any time and carry nothing

    def _bad(self, what: str, data: bytes) -> BadResponseError:
        return bad_message(what, data, self._provider, self._model, self._secrets)
