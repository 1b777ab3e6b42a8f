"""From training examples to token numbers, with a mark at those that are to be learned.

Only what the assistant says is learned. Prompts are put in tokens apart from answers, as they are when the
model is called: so the first token of an answer never melts with the last one of its prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from llmbench.errors import DatasetError

__all__ = ["IGNORED", "Encoded", "Tokenizer", "batches", "encode", "read_examples"]

IGNORED = -100
"""The label of a token that is not learned."""
_BATCHES_SORTED_TOGETHER = 8


class Tokenizer(Protocol):
    """What is used of a tokenizer of transformers."""

    eos_token_id: int | None

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]:
        """Token numbers of a text, in `input_ids`."""

    def apply_chat_template(
        self, conversation: list[Any], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """A conversation as the model reads it."""


class Encoded(NamedTuple):
    """One example. `labels[k]` is `ids[k]` where it is learned, else IGNORED."""

    ids: list[int]
    labels: list[int]
    line: int


def read_examples(path: Path, tokenizer: Tokenizer, max_length: int) -> list[Encoded]:
    """Every example of a checked JSONL file. Raises DatasetError naming the line of a too long one."""
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            encoded = encode(json.loads(line), tokenizer, f"{path.name}:{number}", number)
            if len(encoded.ids) > max_length:
                raise DatasetError(
                    f"{path.name}:{number} has {len(encoded.ids)} tokens, and at most {max_length} are "
                    "trained on; shorten it, or give a larger max_seq_length."
                )
            found.append(encoded)
    return found


def encode(row: Mapping[str, Any], tokenizer: Tokenizer, where: str = "", line: int = 0) -> Encoded:
    """One example: a conversation, a prompt with its completion, or a text, which is learned as a whole."""
    if "messages" in row:
        parts = list(_turns(row["messages"], tokenizer, where))
    elif "prompt" in row:
        parts = [(row["prompt"], False), (row["completion"], True)]
    else:
        parts = [(row["text"], True)]
    ids: list[int] = []
    labels: list[int] = []
    for text, learned in parts:
        new = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        ids += new
        labels += new if learned else [IGNORED] * len(new)
    end = tokenizer.eos_token_id
    if end is not None and labels and labels[-1] != IGNORED and labels[-1] != end:
        if end in labels:
            # What the template writes after the end of an answer is never generated.
            last = len(labels) - 1 - labels[::-1].index(end)
            ids, labels = ids[: last + 1], labels[: last + 1]
        else:
            ids, labels = [*ids, end], [*labels, end]
    if all(label == IGNORED for label in labels):
        raise DatasetError(f"{where} has nothing to learn: no answer of the assistant with text in it.")
    return Encoded(ids, labels, line)


def _turns(
    messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, where: str
) -> Iterator[tuple[str, bool]]:
    """The conversation in pieces of text, each with whether it is learned."""
    done = ""
    for number, message in enumerate(messages):
        if message.get("role") != "assistant":
            continue
        if not isinstance(message.get("content"), str):
            raise DatasetError(f"{where} has an answer that is no text; tool calls cannot be trained here.")
        before = _written(tokenizer, messages[:number], where, ask=True)
        after = _written(tokenizer, messages[: number + 1], where, ask=False)
        if not (before.startswith(done) and after.startswith(before)):
            raise DatasetError(
                f"{where} cannot be split into prompts and answers: the model's chat template rewrites "
                "earlier turns; use conversations with one answer."
            )
        yield before[len(done) :], False
        # `weight` is OpenAI's way to keep an answer from being learned.
        yield after[len(before) :], message.get("weight", 1) != 0
        done = after


def _written(tokenizer: Tokenizer, messages: Sequence[Any], where: str, *, ask: bool) -> str:
    try:
        return tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask)
    except Exception as error:  # a template is a program of the model's, and raises what it likes
        raise DatasetError(
            f"{where} does not suit the model's chat template ({type(error).__name__}: {error}); correct the "
            "roles, or train a model that has a chat template."
        ) from error


def batches(examples: Sequence[Encoded], size: int, seed: int, epoch: int) -> list[list[Encoded]]:
    """The batches of one epoch: the same for the same seed, whatever was interrupted before.

    Examples of like length go together, within groups of some batches, so that little is padded.
    """
    import random

    rng = random.Random(f"{seed}/{epoch}")  # noqa: S311 - an order, not a secret
    order = list(range(len(examples)))
    rng.shuffle(order)
    group = size * _BATCHES_SORTED_TOGETHER
    found = []
    for start in range(0, len(order), group):
        part = sorted(order[start : start + group], key=lambda k: len(examples[k].ids))
        found += [[examples[k] for k in part[at : at + size]] for at in range(0, len(part), size)]
    rng.shuffle(found)
    return found
