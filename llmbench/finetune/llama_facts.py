"""config.json and tokenizer.json of a Llama model of unknown origin, checked before any of it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbench.errors import ConfigError
from llmbench.providers.gguf import LARGEST_COUNT

__all__ = ["LlamaShape", "Vocabulary", "as_object", "read_json", "read_shape", "read_text", "read_vocabulary"]

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
"""Kinds of a token in a .gguf."""
_LARGEST_VOCABULARY = 2**20
"""Some have 262,144 tokens; as a list, more would fill the memory."""
_LARGEST_NUMBER = 1e30
"""A .gguf keeps floats of 32 bits."""


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """Counts of a model; `width` is of one head, in numbers."""

    layers: int
    context: int
    hidden: int
    feed_forward: int
    heads: int
    key_heads: int
    width: int
    vocabulary: int
    rope_base: float
    norm_epsilon: float
    tied: bool
    """Whether the output has the embedding's weights."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens in their order with their kinds in a .gguf, and the merges as pairs with a space between."""

    tokens: list[str]
    kinds: list[int]
    merges: list[str]


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`. Raises ConfigError for anything else."""
    text = read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(found, dict):
        raise _odd(path, "it is no object")
    return found


def read_text(path: Path) -> str:
    """Raises ConfigError for what is missing or no UTF-8."""
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def as_object(value: object) -> dict[str, Any]:
    """`value`, or an empty one for what is no object: its fields are then missing."""
    return value if isinstance(value, dict) else {}


def read_shape(folder: Path) -> LlamaShape:
    """Raises ConfigError with the field of config.json that is missing or cannot be."""
    path = folder / "config.json"
    config = read_json(path)
    heads = _count(path, config, "num_attention_heads")
    key_heads = _count(path, config, "num_key_value_heads", heads)
    hidden = _count(path, config, "hidden_size")
    base = as_object(config.get("rope_parameters")).get("rope_theta")
    shape = LlamaShape(
        layers=_count(path, config, "num_hidden_layers"),
        context=_count(path, config, "max_position_embeddings"),
        hidden=hidden,
        feed_forward=_count(path, config, "intermediate_size"),
        heads=heads,
        key_heads=key_heads,
        width=_count(path, config, "head_dim", hidden // heads),
        vocabulary=_count(path, config, "vocab_size", largest=_LARGEST_VOCABULARY),
        rope_base=_number(path, "rope_theta", base or config.get("rope_theta") or 10_000.0),
        norm_epsilon=_number(path, "rms_norm_eps", config.get("rms_norm_eps")),
        tied=bool(config.get("tie_word_embeddings")),
    )
    if heads % key_heads or shape.width % 2:
        raise _odd(path, f"{heads} heads of {shape.width} numbers cannot share {key_heads} key heads")
    return shape


def read_vocabulary(path: Path, tokenizer: dict[str, Any], size: int) -> Vocabulary:
    """The `size` tokens of `tokenizer`, which was read from `path`.

    Raises ConfigError with what is missing or cannot be.
    """
    model = as_object(tokenizer.get("model"))
    vocabulary, merges = model.get("vocab"), model.get("merges")
    added = tokenizer.get("added_tokens", [])
    if not isinstance(vocabulary, dict) or not isinstance(merges, list) or not isinstance(added, list):
        raise _odd(path, "vocab, merges or added_tokens is missing or of another type")
    tokens = [f"[unused{k}]" for k in range(size)]
    kinds = [_UNUSED] * size
    for token, number in vocabulary.items():
        place = _place(path, token, number, size)
        tokens[place], kinds[place] = token, _NORMAL
    for entry in map(as_object, added):
        token, number, special = entry.get("content"), entry.get("id"), entry.get("special")
        if not isinstance(token, str) or not isinstance(special, bool):
            raise _odd(path, "an added token has no content, or does not say whether it is special")
        place = _place(path, token, number, size)
        tokens[place], kinds[place] = token, _CONTROL if special else _USER_DEFINED
    return Vocabulary(tokens, kinds, [_merge(path, pair) for pair in merges])


def _merge(path: Path, pair: object) -> str:
    if isinstance(pair, str):
        return pair
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return " ".join(pair)
    raise _odd(path, "a merge is no pair of texts")


def _place(path: Path, token: str, number: object, size: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < size:
        raise _odd(path, f"token {_told(token)} has the number {_told(number)}, of {size:,} tokens")
    return number


def _count(
    path: Path,
    config: dict[str, Any],
    name: str,
    otherwise: int | None = None,
    *,
    largest: int = LARGEST_COUNT,
) -> int:
    value = config.get(name)
    value = otherwise if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise _odd(path, f"{name} is {_told(value)}, and must be a count from 1 to {largest:,}")
    return value


def _number(path: Path, name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= _LARGEST_NUMBER:
        raise _odd(path, f"{name} is {_told(value)}, and must be a number above 0")
    return float(value)


def _told(value: object) -> str:
    """At most 20 characters of it; of a number of thousands of digits, which Python does not write, none."""
    try:
        return repr(value)[:20]
    except ValueError:
        return "too long"


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"{path.name} of the model in {path.parent.name} cannot be read ({error}).")


def _odd(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path.name} of the model in {path.parent.name} is not that of a Llama model: {why}.")
