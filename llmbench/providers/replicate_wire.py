"""Replicate's predictions: the input of one, its answer, its stream. No I/O.

Its language models take one text and wrap it into their own template. We write the model's chat
template ourselves and switch theirs off, so that turns are neither dropped nor wrapped twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from llmbench.errors import InvalidRequestError, ProviderError, ServerError
from llmbench.providers.translate import conversation
from llmbench.providers.wire_errors import error_from_status, shown
from llmbench.types import ChatRequest, RawAnswer, Usage

__all__ = ["EventReader", "prediction_answer", "prediction_error", "prediction_input"]

_CONTROL = ("<|", "|>", "[INST]", "[/INST]", "<s>", "</s>")


def prediction_input(request: ChatRequest, *, model: str, provider: str) -> dict[str, Any]:
    """The `input` of a prediction.

    Fields are those of meta/meta-llama-3-*-instruct and mistralai/mixtral-8x7b-instruct-v0.1, which
    have neither a seed nor stop texts. What a request leaves out has the model's default there.
    Raises InvalidRequestError for content that holds the template's own marks.
    """
    for number, message in enumerate(request.messages):
        mark = next((each for each in _CONTROL if each in message["content"]), None)
        if mark:
            raise InvalidRequestError(
                f"messages[{number}] holds {mark!r}, which {provider} would read as the end of a turn of "
                f"{request.model!r}; remove it.",
                provider=provider,
                model=request.model,
            )
    mixtral = "mixtral" in model.lower()
    text = _mixtral_prompt(request, provider) if mixtral else _llama_3_prompt(request)
    found: dict[str, Any] = {"prompt": text, "prompt_template": "{prompt}"}
    for option, value in request.params.items():
        found["max_new_tokens" if option == "max_tokens" and mixtral else option] = value
    return found


def _llama_3_prompt(request: ChatRequest) -> str:
    """Meta's prompt format of Llama 3 (llama.com/docs/model-cards-and-prompt-formats/meta-llama-3)."""
    turns = [
        f"<|start_header_id|>{_role(message['role'])}<|end_header_id|>\n\n{message['content']}<|eot_id|>"
        for message in request.messages
    ]
    return f"<|begin_of_text|>{''.join(turns)}<|start_header_id|>assistant<|end_header_id|>\n\n"


def _role(role: str) -> str:
    return "system" if role == "developer" else role


def _mixtral_prompt(request: ChatRequest, provider: str) -> str:
    """The chat template of mistralai/Mixtral-8x7B-Instruct-v0.1; instructions stand before the first turn."""
    system, turns = conversation(request, provider=provider)
    text = "<s>"
    for number, message in enumerate(turns):
        if (message["role"] == "user") != (number % 2 == 0):
            raise InvalidRequestError(
                f"{provider} needs user and assistant in turn for {request.model!r}; its turns do not "
                f"alternate from number {number + 1} on.",
                provider=provider,
                model=request.model,
            )
        content = message["content"]
        if number == 0 and system is not None:
            content = f"{system}\n\n{content}"
        text += f"[INST] {content} [/INST]" if message["role"] == "user" else f" {content}</s>"
    return text


def prediction_answer(
    prediction: Mapping[str, Any], request: ChatRequest, content: str | None = None
) -> RawAnswer:
    """The answer of a prediction that succeeded; `content` where it came as a stream.

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
        content=_output(prediction.get("output")) if content is None else content,
        usage=usage,
        finish_reason="length" if full else None,
        served_model=served if isinstance(served, str) and served else None,
        queue_ms=_between(prediction.get("created_at"), prediction.get("started_at")),
        prefill_ms=None if first is None else first * 1000,
        decode_ms=None if first is None or run is None or run < first else (run - first) * 1000,
        metadata=metadata,
    )


def _output(output: Any) -> str:
    if isinstance(output, list):
        return "".join(part for part in output if isinstance(part, str))
    return output if isinstance(output, str) else ""


def _usage(metrics: Mapping[str, Any]) -> Usage | None:
    read, written = metrics.get("input_token_count"), metrics.get("output_token_count")
    if type(read) is not int or type(written) is not int or min(read, written) < 0:
        return None
    return Usage(read, written)


def _seconds(metrics: Mapping[str, Any], key: str) -> float | None:
    value = metrics.get(key)
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    return float(value) if known and value is not None else None


def _between(start: Any, end: Any) -> float | None:
    try:
        elapsed = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() * 1000
    except (TypeError, ValueError):
        return None
    return elapsed if elapsed >= 0 else None


def prediction_error(
    prediction: Mapping[str, Any], *, provider: str, model: str, secrets: Sequence[str] = ()
) -> ProviderError:
    """The error of a prediction that ended without an answer; its run time may have been charged."""
    said = prediction.get("error")
    text = said if isinstance(said, str) else json.dumps(said) if said else ""
    # By its words first: a prompt that is too long is no failure of the server.
    found = error_from_status(400, {"error": {"message": text}}, {}, provider, model, secrets=secrets)
    if type(found) is not InvalidRequestError:
        found.status_code = None
        return found
    quote = f" ({shown(text, secrets)})" if text else ""
    status = prediction.get("status")
    return ServerError(
        f"{provider}'s prediction for {model!r} ended as {status!r}{quote}; ask again later.",
        provider=provider,
        model=model,
        billed=True,
    )


class EventReader:
    r"""Server-sent events with their names, in chunks cut anywhere.

    >>> reader = EventReader()
    >>> reader.feed(b"event: output\ndata: Hel")
    []
    >>> reader.feed(b"lo\ndata: you\n\nevent: done\ndata: {}\n\n")
    [('output', 'Hello\nyou'), ('done', '{}')]
    """

    def __init__(self) -> None:
        self._pending = b""
        self._event = "message"
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events that `chunk` completes."""
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        found = []
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text.startswith("event:"):
                self._event = text[6:].strip()
            elif text.startswith("data:"):
                self._data.append(text[5:].removeprefix(" "))
            elif not text and self._data:
                found.append((self._event, "\n".join(self._data)))
                self._event, self._data = "message", []
        return found
