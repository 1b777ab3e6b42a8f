"""Streamed chat completions: server-sent events, cut into chunks anywhere. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmbench.errors import BadResponseError
from llmbench.providers.event_stream import EventStreamReader
from llmbench.providers.reply_errors import bad_response
from llmbench.providers.wire import AnswerParts, raise_reported_error, read_answer
from llmbench.types import RawAnswer

__all__ = ["StreamReader"]


class StreamReader(EventStreamReader):
    r"""Reads the chunks of a streamed chat completion.

    >>> reader = StreamReader(provider="custom", model="m")
    >>> reader.feed(b'data: {"choices": [{"delta": {"con')
    []
    >>> reader.feed(b'tent": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
    ['hi']
    >>> reader.finish().content
    'hi'
    """

    def __init__(self, *, provider: str, model: str, secrets: Sequence[str] = ()) -> None:
        super().__init__(provider=provider, model=model, secrets=secrets)
        self._parts = AnswerParts()
        self._index: Any = None
        """Of the choice that is read: a server that was made to give several mixes them in its stream."""
        self._whole_body: list[bytes] | None = None

    def feed(self, chunk: bytes, *, last: bool = False) -> list[str]:
        """The pieces of text in `chunk`: none of a body that is no stream."""
        if not self._begun and chunk.strip():
            self._begun = True
            # A server that ignores `stream` answers with one JSON object.
            self._whole_body = [] if chunk.lstrip()[:1] == b"{" else None
        if self._whole_body is not None:
            self._whole_body.append(chunk)
            return []
        return super().feed(chunk, last=last)

    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""
        if self._whole_body is not None:
            return read_answer(
                b"".join(self._whole_body),
                provider=self._provider,
                model=self._model,
                secrets=self._secrets,
            )
        if not (self.done or self._parts.finish_reason):
            raise self._cut()
        return self._parts.answer()

    def _text(self, data: bytes) -> str:
        if data.strip() == b"[DONE]":
            self.done = True
            return ""
        event = self._object(data)
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        raise_reported_error(event, choice, self._provider, self._model, self._secrets)
        self._parts.take_reply(event)
        if not isinstance(choice, dict):
            return ""  # the chunk of usage has no choices
        index = choice.get("index") or 0
        self._index = index if self._index is None else self._index
        if index != self._index:
            return ""
        delta = choice.get("delta") or {}
        text = self._parts.take_choice(choice, delta) if isinstance(delta, dict) else None
        if text is None:
            raise self._bad("content that cannot be read", data)
        return text

    def _bad(self, what: str, data: bytes) -> BadResponseError:
        return bad_response(what, data, self._provider, self._model, self._secrets)
