"""Streamed chat completions: server-sent events, cut into chunks anywhere. No I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence

from llmbench.errors import BadResponseError, ConnectionFailedError
from llmbench.providers.sse import EventSplitter
from llmbench.providers.wire import AnswerParts, bad_response, raise_reported_error, read_answer
from llmbench.types import RawAnswer

__all__ = ["StreamReader"]


class StreamReader:
    r"""Reads a stream of server-sent events in chunks cut anywhere.

    `feed` gives the text that a chunk completes; `finish`, after the last chunk, the RawAnswer.
    Both raise a ProviderError: an error that the server reports in mid-stream, bytes that are not
    the format, or a stream cut before its end.

    >>> reader = StreamReader(provider="custom", model="m")
    >>> reader.feed(b'data: {"choices": [{"delta": {"con')
    []
    >>> reader.feed(b'tent": "hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')
    ['hi']
    >>> reader.finish().content
    'hi'
    """

    def __init__(self, *, provider: str, model: str, secrets: Sequence[str] = ()) -> None:
        self._provider = provider
        self._model = model
        self._secrets = secrets
        self._events = EventSplitter()
        self._parts = AnswerParts()
        self._done = False
        self._whole_body: list[bytes] | None = None
        self._begun = False

    def feed(self, chunk: bytes, *, last: bool = False) -> list[str]:
        """The pieces of text in `chunk`, with what was left of the chunks before it.

        `last` marks the end of the body: some servers leave out the blank line after their last event.
        """
        if not self._begun and chunk.strip():
            self._begun = True
            # A server that ignores `stream` answers with one JSON object.
            self._whole_body = [] if chunk.lstrip()[:1] == b"{" else None
        if self._whole_body is not None:
            self._whole_body.append(chunk)
            return []
        return [text for data in self._events.feed(chunk, last=last) for text in self._event(data)]

    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""
        if self._whole_body is not None:
            return read_answer(
                b"".join(self._whole_body),
                provider=self._provider,
                model=self._model,
                secrets=self._secrets,
            )
        if not (self._done or self._parts.finish_reason):
            raise self._cut()
        return self._parts.answer()

    def _event(self, data: bytes) -> list[str]:
        if data.strip() == b"[DONE]":
            self._done = True
            return []
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as error:
            # Where nothing came after it, it was rather cut than malformed.
            ended = self._events.ended
            raise self._cut() if ended else self._bad("an event that is not JSON", data) from error
        if not isinstance(event, dict):
            raise self._bad("an event that is no object", data)
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        raise_reported_error(event, choice, self._provider, self._model, self._secrets)
        self._parts.take_reply(event)
        if not isinstance(choice, dict):
            return []  # the chunk of usage has no choices
        delta = choice.get("delta")
        text = self._parts.take_choice(choice, delta if isinstance(delta, dict) else {})
        return [text] if text else []

    def _cut(self) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"{self._provider} cut the stream of {self._model!r} before its end; ask again.",
            provider=self._provider,
            model=self._model,
        )

    def _bad(self, what: str, data: bytes) -> BadResponseError:
        return bad_response(what, data, self._provider, self._model, self._secrets)
