"""The input of a prediction at Replicate: a model's own chat template and names of options. No I/O.

Its language models take one text and wrap it into their own template. We write the model's chat
template ourselves and switch theirs off, so that turns are neither dropped nor wrapped twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llmbench.providers.translate import conversation, refused, stop_sequences
from llmbench.types import ChatRequest

__all__ = ["FAMILIES", "prediction_input"]


class _Family(NamedTuple):
    """What the models of one family take at Replicate."""

    fields: Mapping[str, str]
    """Names there of our options. A field that a model does not have is dropped there in silence."""
    marks: re.Pattern[str]
    """What ends a turn in its template."""


FAMILIES: Mapping[str, _Family] = {
    # Inputs of meta/meta-llama-3-{8b,70b}-instruct, which run on replicate/cog-triton: its predict.py
    # has no frequency_penalty, and takes the seed 0 for none.
    "llama": _Family(
        {
            "temperature": "temperature",
            "max_tokens": "max_tokens",
            "top_p": "top_p",
            "presence_penalty": "presence_penalty",
            "stop": "stop_sequences",
        },
        re.compile(r"<\|\w+\|>"),
    ),
    # Inputs of mistralai/mixtral-8x7b-instruct-v0.1, which has neither a seed nor stop texts.
    "mixtral": _Family(
        {
            "temperature": "temperature",
            "max_tokens": "max_new_tokens",
            "top_p": "top_p",
            "presence_penalty": "presence_penalty",
            "frequency_penalty": "frequency_penalty",
        },
        re.compile(r"\[/?INST\]|</?s>"),
    ),
}
_OTHER_TEMPLATES = re.compile(r"llama-?[24](?![0-9])|codellama|mistral-|qwen|gemma|deepseek")
# The texts at which cog-triton ends an answer of Llama 3; a list of one's own takes their place.
_ENDS = ("<|end_of_text|>", "<|eot_id|>")


def prediction_input(request: ChatRequest, *, model: str, provider: str, family: str) -> dict[str, Any]:
    """The `input` of a prediction. What a request leaves out has the model's default there.

    The template is that of the family which `model` names, else of `family`. Raises
    InvalidRequestError for a model of another template, an option that it does not take, and content
    that holds the template's own marks.
    """
    own_name = model.partition("/")[2].lower()
    if _OTHER_TEMPLATES.search(own_name):
        raise refused(
            provider,
            request,
            f"cannot ask {request.model!r} at Replicate: of the chat templates there, llmbench writes those "
            "of Llama 3 and Mixtral; take one of these.",
        )
    name = next((name for name in FAMILIES if name in own_name), family)
    fields, marks = FAMILIES[name]
    for number, message in enumerate(request.messages):
        mark = marks.search(message["content"])
        if mark:
            raise refused(
                provider,
                request,
                f"would read {mark.group()!r} in messages[{number}] as the end of a turn of "
                f"{request.model!r}; remove it.",
            )
    unknown = next((option for option in request.params if option not in fields), None)
    if unknown:
        raise refused(
            provider, request, f"cannot pass on the option {unknown!r} to {request.model!r}; ask without it."
        )
    text = _mixtral_prompt(request, provider) if name == "mixtral" else _llama_3_prompt(request)
    found: dict[str, Any] = {"prompt": text, "prompt_template": "{prompt}"}
    for option, value in request.params.items():
        if option != "stop":
            found[fields[option]] = value
        elif texts := stop_sequences(request, provider=provider):
            found[fields[option]] = _stop_list(texts, request, provider)
    return found


def _stop_list(texts: Sequence[str], request: ChatRequest, provider: str) -> str:
    bad = next((text for text in texts if not text or "," in text), None)
    if bad is not None:
        raise refused(
            provider,
            request,
            f"takes stop for {request.model!r} as a list with commas between, in which {bad!r} cannot stand; "
            "leave it out.",
        )
    return ",".join((*texts, *_ENDS))


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
            raise refused(
                provider,
                request,
                f"needs user and assistant in turn for {request.model!r}; its turns do not alternate from "
                f"number {number + 1} on.",
            )
        content = message["content"]
        if number == 0 and system is not None:
            content = f"{system}\n\n{content}"
        text += f"[INST] {content} [/INST]" if message["role"] == "user" else f" {content}</s>"
    if turns[-1]["role"] != "user":
        raise refused(
            provider, request, f"needs a user message last for {request.model!r}; its template ends there."
        )
    return text
