"""What is sent: prompts of a given length that no cache has seen, or those of a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from llmbench.catalog.tokenizers import count_tokens
from llmbench.errors import DatasetError, UsageError

__all__ = ["read_prompts", "synthetic_prompts"]

# Common enough to be one token each, with its blank, in the vocabularies of today.
_TEXT = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government number "
    "night point home water room mother area money story fact month lot right study book eye job word "
    "business issue side kind head house service friend father power hour game line end member law "
    "car city community name president team minute idea body information back parent face others "
    "level office door health person art war history party result change morning reason research girl "
    "guy moment air teacher force education foot boy age policy music market sense nation plan "
    "college interest death experience effect use class control field development role effort rate "
    "heart drug show leader light voice wife police mind price report decision son view relationship "
    "town road arm difference value building action season society tax director "
)
_WORDS = _TEXT.split()
_ASK = " Write a long story with these words."


def synthetic_prompts(
    model: str, tokens: int, seed: int | Sequence[int] = 20250123, *, shared_prefix_tokens: int = 0
) -> Iterator[str]:
    """Endless prompts of about `tokens` tokens of `model`, drawn by `seed`, no two alike.

    They are words in random order, so that they differ from the first word on and a server's prefix cache
    finds nothing; the first `shared_prefix_tokens` of them are common to all. Tokens are counted as
    `llmbench.catalog.count_tokens` counts a text: the server's own count is in the result.

    Raises UsageError for fewer than 16 tokens, and for a prefix that leaves no room.
    """
    asked = count_tokens(_ASK, model).tokens
    least = asked + 8
    if not tokens >= least:
        raise UsageError(f"input_tokens must be at least {least}; it is {tokens!r}.")
    if not 0 <= shared_prefix_tokens <= tokens - least:
        raise UsageError(
            f"shared_prefix_tokens must lie between 0 and {tokens - least}, which leaves room for what "
            f"differs; it is {shared_prefix_tokens!r}."
        )
    draw = np.random.default_rng(seed)

    def count(text: str) -> int:
        return count_tokens(text, model).tokens

    prefix = _words(shared_prefix_tokens, draw, count) + " " if shared_prefix_tokens else ""
    seen: set[str] = set()
    while True:
        text = _words(tokens - shared_prefix_tokens - asked, draw, count)
        if text not in seen:
            seen.add(text)
            yield prefix + text + _ASK


def _words(tokens: int, draw: np.random.Generator, count: Callable[[str], int]) -> str:
    """The words that come nearest to `tokens` from below, and at least one."""
    words = [_WORDS[index] for index in draw.integers(0, len(_WORDS), tokens)]
    while (over := count(" ".join(words)) - tokens) > 0 and len(words) > 1:
        del words[-min(max(1, over // 2), len(words) - 1) :]
    return " ".join(words)


def read_prompts(path: str | Path) -> list[str]:
    """The prompts of a file: JSON lines with a `prompt` (or `text`) each, else one prompt a line.

    Raises DatasetError for a file that cannot be read or holds none, and names a bad line.
    """
    where = Path(path)
    try:
        lines = [line for line in where.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{where.name} cannot be read as text ({error}).") from error
    if not lines:
        raise DatasetError(f"{where.name} holds no prompt; write one a line.")
    if not lines[0].lstrip().startswith("{"):
        return lines
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            prompt = row.get("prompt", row.get("text"))
        except (ValueError, AttributeError, RecursionError):
            prompt = None
        if not isinstance(prompt, str) or not prompt.strip():
            raise DatasetError(f'{where.name}, line {number}: write {{"prompt": "..."}} with a text.')
        found.append(prompt)
    return found
