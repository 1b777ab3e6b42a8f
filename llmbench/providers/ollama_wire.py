"""Ollama's own chat format: a request's body, a reply, a stream of lines. No I/O.

Preferred over its OpenAI-compatible interface because its replies time the loading of the model,
the reading of the prompt and the writing of the answer apart, in nanoseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.errors import BadResponseError, ProviderError
from llmbench.numbers import finite
from llmbench.providers.counts import count
from llmbench.providers.reply_errors import bad_response, stream_cut
from llmbench.providers.sse import LineSplitter
from llmbench.providers.translate import stop_sequences, wanted_schema
from llmbench.providers.wire_errors import error_from_status
from llmbench.types import ChatRequest, RawAnswer, Usage

__all__ = ["LineReader", "chat_body", "chat_error", "read_reply"]

_NANOSECONDS_PER_MS = 1_000_000
# Its MLX runner says so under status 500, and in the middle of a stream there is no status.
_TOO_LONG = re.compile(r"(exceeds?|longer than) the .{0,40}context", re.IGNORECASE)
_OPTIONS = {
    "temperature": "temperature",
    "max_tokens": "num_predict",
    "top_p": "top_p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}


def chat_body(
    request: ChatRequest,
    *,
    model: str,
    stream: bool,
    provider: str,
    context: int | None = None,
    keep_alive: str | float | None = None,
) -> dict[str, Any]:
    """The JSON object to post to /api/chat.

    >>> body = chat_body(
    ...     ChatRequest("m", [{"role": "user", "content": "hi"}], {"max_tokens": 8}),
    ...     model="llama3.1:8b", stream=False, provider="ollama",
    ... )
    >>> body["options"], body["stream"]
    ({'num_predict': 8}, False)
    """
    options = {theirs: request.params[ours] for ours, theirs in _OPTIONS.items() if ours in request.params}
    if "stop" in request.params:
        options["stop"] = stop_sequences(request, provider=provider)
    if context is not None:
        options["num_ctx"] = context
    body: dict[str, Any] = {
        "model": model,
        # Templates leave out a role that they do not know, and only few know "developer".
        "messages": [
            {**message, "role": "system" if message["role"] == "developer" else message["role"]}
            for message in request.messages
        ],
        "stream": stream,
        # Ollama otherwise cuts off the beginning of a prompt that is too long, in silence: an answer
        # to another question (ChatRequest in ollama/ollama's api/types.go). Servers before 0.12.6 of
        # October 2025 do not know these two, and cut it still.
        "truncate": False,
        "shift": False,
    }
    if options:
        body["options"] = options
    if "response_format" in request.params:
        schema = wanted_schema(request, provider=provider)
        wanted = request.params["response_format"]
        if schema is not None:
            body["format"] = "json" if wanted["type"] == "json_object" else schema
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    return body


def read_reply(body: bytes, *, provider: str, model: str, secrets: Sequence[str] = ()) -> RawAnswer:
    """A whole reply. Raises BadResponseError for what is none."""
    reply = _object(body, provider, model, secrets)
    _raise_error(reply, provider, model, secrets)
    message = reply.get("message")
    if not isinstance(message, dict):
        raise _bad("a reply without a message", body, provider, model, secrets)
    if reply.get("done") is not True:
        raise _bad("a reply that is not finished", body, provider, model, secrets)
    _refuse_unreadable(message, body, provider, model, secrets)
    return _answer(reply, [_text(message, "content")], [_text(message, "thinking")])


class LineReader:
    r"""Reads a stream of JSON lines in chunks cut anywhere: `feed` gives text, `finish` the RawAnswer.

    >>> reader = LineReader(provider="ollama", model="m")
    >>> reader.feed(b'{"message": {"content": "hi"}, "done": false}\n{"message": {"con')
    ['hi']
    >>> reader.feed(b'tent": ""}, "done": true, "done_reason": "stop"}\n')
    []
    >>> reader.finish().content
    'hi'
    """

    def __init__(self, *, provider: str, model: str, secrets: Sequence[str] = ()) -> None:
        self._provider = provider
        self._model = model
        self._secrets = secrets
        self._lines = LineSplitter()
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._last: Mapping[str, Any] | None = None

    def feed(self, chunk: bytes, *, last: bool = False) -> list[str]:
        """The pieces of text in `chunk`; `last` marks the end of the body."""
        lines = [line for line in self._lines.feed(chunk, last=last) if line.strip()]
        return [text for line in lines if not self.done and (text := self._line(line, last=last))]

    @property
    def done(self) -> bool:
        """Whether the part has come that says so."""
        return self._last is not None

    def finish(self) -> RawAnswer:
        """The whole answer. Raises ConnectionFailedError where the stream stopped before its end."""
        if self._last is None:
            raise stream_cut(self._provider, self._model)
        return _answer(self._last, self._content, self._thinking)

    def _line(self, line: bytes, *, last: bool) -> str:
        try:
            part = _object(line, self._provider, self._model, self._secrets)
        except BadResponseError:
            # Where nothing came after it, it was rather cut than malformed.
            if last and line.lstrip().startswith(b"{"):
                raise stream_cut(self._provider, self._model) from None
            raise
        _raise_error(part, self._provider, self._model, self._secrets)
        message = part.get("message")
        message = message if isinstance(message, dict) else {}
        _refuse_unreadable(message, line, self._provider, self._model, self._secrets)
        text = _text(message, "content")
        self._content.append(text)
        self._thinking.append(_text(message, "thinking"))
        if part.get("done") is True:
            self._last = part
        return text


def _refuse_unreadable(
    message: Mapping[str, Any], body: bytes, provider: str, model: str, secrets: Sequence[str]
) -> None:
    """An answer without content that is there would be another answer."""
    if not isinstance(message.get("content"), str | None):
        raise _bad("content that cannot be read", body, provider, model, secrets)


def _answer(reply: Mapping[str, Any], content: Sequence[str], thinking: Sequence[str]) -> RawAnswer:
    reasoning = "".join(thinking)
    served, reason = reply.get("model"), reply.get("done_reason")
    return RawAnswer(
        content="".join(content),
        usage=_usage(reply),
        finish_reason=reason if isinstance(reason, str) else None,
        served_model=served if isinstance(served, str) and served else None,
        load_ms=_milliseconds(reply, "load_duration"),
        prefill_ms=_milliseconds(reply, "prompt_eval_duration"),
        decode_ms=_milliseconds(reply, "eval_duration"),
        metadata={"reasoning": reasoning} if reasoning else {},
    )


def _usage(reply: Mapping[str, Any]) -> Usage | None:
    """Counts; None where one is missing, as older servers leave out that of a prompt they remember."""
    read, written = count(reply, "prompt_eval_count"), count(reply, "eval_count")
    return None if read is None or written is None else Usage(read, written)


def _milliseconds(reply: Mapping[str, Any], key: str) -> float | None:
    nanoseconds = finite(reply.get(key))
    return None if nanoseconds is None or nanoseconds < 0 else nanoseconds / _NANOSECONDS_PER_MS


def _text(message: Mapping[str, Any], key: str) -> str:
    value = message.get(key)
    return value if isinstance(value, str) else ""


def _object(body: bytes, provider: str, model: str, secrets: Sequence[str]) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("something that is not JSON", body, provider, model, secrets) from None
    if not isinstance(found, dict):
        raise _bad("JSON that is no object", body, provider, model, secrets)
    return found


def _raise_error(reply: Mapping[str, Any], provider: str, model: str, secrets: Sequence[str]) -> None:
    """An error that is reported under status 200, as in the middle of a stream."""
    if reply.get("error"):
        raise chat_error(500, json.dumps(reply).encode(), {}, provider=provider, model=model, secrets=secrets)


def chat_error(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    provider: str,
    model: str,
    sent: str | None = None,
    secrets: Sequence[str] = (),
) -> ProviderError:
    """The error of a reply whose status is not 200; for a model that is not there, how to get it.

    `sent` is the id at the server, where that differs from the name asked for.
    """
    too_long = status >= 500 and _TOO_LONG.search(body.decode("utf-8", "replace"))
    error = error_from_status(400 if too_long else status, body, headers, provider, model, secrets=secrets)
    error.status_code = status
    if status == 404:
        error.args = (f"{str(error).removesuffix('.')}; or fetch it with: ollama pull {sent or model}.",)
    return error


def _bad(what: str, body: bytes, provider: str, model: str, secrets: Sequence[str]) -> BadResponseError:
    return bad_response(what, body, provider, model, secrets, interface="an Ollama server")
