"""Replicate's predictions: the answer of one, its error, its stream. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from llmbench.errors import (
    BadResponseError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    ProviderError,
    ServerError,
)
from llmbench.numbers import finite
from llmbench.providers.counts import count
from llmbench.providers.sse import LineSplitter
from llmbench.providers.wire_errors import error_from_status, shown
from llmbench.types import ChatRequest, RawAnswer, Usage

__all__ = ["EventReader", "prediction_answer", "prediction_error"]


def prediction_answer(
    prediction: Mapping[str, Any], request: ChatRequest, content: str | None = None, *, provider: str
) -> RawAnswer:
    """The answer of a prediction that succeeded; `content` where it came as a stream.

    Raises BadResponseError where its output is no text, or was removed.
    `queue_ms` is from its creation to its start, a cold start included. Replicate tells no finish
    reason: "length" where max_tokens were written, else None.
    """
    metrics = prediction.get("metrics")
    metrics = metrics if isinstance(metrics, Mapping) else {}
    usage = _usage(metrics)
    limit = request.params.get("max_tokens")
    full = usage is not None and isinstance(limit, int) and usage.output_tokens >= limit
    run, first = _seconds(metrics, "predict_time"), _seconds(metrics, "time_to_first_token")
    version, served = prediction.get("version"), prediction.get("model")
    metadata = {
        key: value
        for key, value in {"id": prediction.get("id"), "version": version, "predict_time_s": run}.items()
        if value is not None
    }
    return RawAnswer(
        content=_output(prediction, request, provider) if content is None else content,
        usage=usage,
        finish_reason="length" if full else None,
        served_model=served if isinstance(served, str) and served else None,
        queue_ms=_between(prediction.get("created_at"), prediction.get("started_at")),
        prefill_ms=None if first is None else finite(first * 1000),
        decode_ms=None if first is None or run is None or run < first else finite((run - first) * 1000),
        metadata=metadata,
    )


def _output(prediction: Mapping[str, Any], request: ChatRequest, provider: str) -> str:
    output = prediction.get("output")
    parts = output if isinstance(output, list) else [] if output is None else [output]
    removed = prediction.get("data_removed") is True
    if removed or not all(isinstance(part, str) for part in parts):
        what = "whose output was removed" if removed else "whose output is no text"
        raise BadResponseError(
            f"{provider} answered a request to {request.model!r} with a prediction {what}; check the model, "
            "and how long the account keeps predictions.",
            provider=provider,
            model=request.model,
        )
    return "".join(parts)


def _usage(metrics: Mapping[str, Any]) -> Usage | None:
    read, written = count(metrics, "input_token_count"), count(metrics, "output_token_count")
    return None if read is None or written is None else Usage(read, written)


def _seconds(metrics: Mapping[str, Any], key: str) -> float | None:
    value = finite(metrics.get(key))
    return None if value is None or value < 0 else value


def _between(start: Any, end: Any) -> float | None:
    try:
        elapsed = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * 1000
    except (TypeError, ValueError):
        return None
    return elapsed if elapsed >= 0 else None


# Replicate has no codes for these, but the words of its models: replicate/cog-triton and cog-vllm's
# predict.py, replicate/cog-stable-diffusion, and what their callers report.
_TOO_LONG = re.compile(r"PromptTooLong|prompt length.{0,20} exceeds", re.IGNORECASE)
_FILTERED = re.compile(r"\bNSFW\b|flagged as sensitive|\(E005\)", re.IGNORECASE)
_CALLERS_FAULT = re.compile(r"\bE1[01]\d\d [A-Z][a-z]\w+:|^Input validation error")


def prediction_error(
    prediction: Mapping[str, Any], *, provider: str, model: str, secrets: Sequence[str] = ()
) -> ProviderError:
    """The error of a prediction that ended without an answer.

    Its run time may have been charged, unless it was "aborted": ended before it ran.
    """
    text = _said(prediction.get("error"))
    status = prediction.get("status")
    billed = status != "aborted"
    code = next(
        (
            code
            for words, code in ((_TOO_LONG, "context_length_exceeded"), (_FILTERED, "content_filter"))
            if words.search(text)
        ),
        None,
    )
    # By its words first: a prompt that is too long is no failure of the server.
    found = error_from_status(
        400, {"error": {"message": text, "code": code}}, {}, provider, model, secrets=secrets
    )
    if isinstance(found, ContextWindowError | ContentFilteredError):
        found.status_code, found.maybe_billed = None, billed
        return found
    quote = f" ({shown(text, secrets)})" if text else ""
    kind: type[ProviderError] = ServerError
    what = "ask again later"
    if _CALLERS_FAULT.search(text):
        kind, what = InvalidRequestError, "correct the request before asking again"
    return kind(
        f"{provider}'s prediction for {model!r} ended as {status!r}{quote}; {what}.",
        provider=provider,
        model=model,
        billed=billed,
    )


def _said(error: Any) -> str:
    """The words of an error, which in a stream stand in a JSON object."""
    if isinstance(error, str) and error.startswith("{"):
        try:
            error = json.loads(error)
        except (ValueError, RecursionError):
            return str(error)
    if isinstance(error, Mapping) and isinstance(error.get("detail"), str):
        return str(error["detail"])
    return error if isinstance(error, str) else json.dumps(error) if error else ""


class EventReader:
    r"""Server-sent events with their names, in chunks cut anywhere.

    >>> reader = EventReader()
    >>> reader.feed(b"event: output\ndata: Hel")
    []
    >>> reader.feed(b"lo\ndata: you\n\nevent: done\ndata: {}\n\n")
    [('output', 'Hello\nyou'), ('done', '{}')]
    """

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._event = "message"
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events that `chunk` completes."""
        found = []
        for line in self._lines.feed(chunk):
            text = line.decode("utf-8", "replace")
            if text.startswith("event:"):
                self._event = text[6:].strip()
            elif text.startswith("data:"):
                self._data.append(text[5:].removeprefix(" "))
            elif not text and self._data:
                found.append((self._event, "\n".join(self._data)))
                self._event, self._data = "message", []
        return found
