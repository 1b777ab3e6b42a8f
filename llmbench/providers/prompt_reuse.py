"""When the beginning of a prompt can be kept from the call before without changing a bit of the answer.

llama.cpp keeps what the last prompt has left, and reads of the next one only what follows their common
beginning. The same tokens are then read in other portions, and an answer stays the same only where every
kernel works on each token alone:

- flash attention does not (7 of 48 greedy answers changed), so it is turned off, at no cost in speed;
- a portion of one token goes through a kernel of its own, which rounds differently;
- so did the tokens that were generated, which a later turn of a conversation would find in place.

All else was alike, to the last bit of the five likeliest tokens: 48 prompts of data/sales_tasks.jsonl, and
others of 20 to 560 tokens with the last 2 to 520 read anew. Measured for the known model on x86-64; another
quantisation or processor has other kernels, so nothing is claimed for it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmbench.providers.model_files import KNOWN_FILES, is_intact
from llmbench.types import Usage

__all__ = ["PORTION", "may_reuse", "reuses_exactly", "was_exact"]

PORTION = 512
"""Tokens that are read at a time."""
_MACHINES = frozenset({"x86_64", "amd64"})
_SPECIAL = "<|"
"""How the known model's special tokens begin: in a text, they could make a turn of their own."""


def reuses_exactly(path: Path) -> bool:
    """Whether the model in `path` can be run on this machine so that reuse changes nothing."""
    known = (file for file in KNOWN_FILES.values() if file.file_name == path.name)
    return platform.machine().lower() in _MACHINES and any(is_intact(path, file) for file in known)


def may_reuse(messages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether no answer that was generated can be part of the prompt.

    >>> question = {"role": "user", "content": "What is the capital of France?"}
    >>> may_reuse([question]), may_reuse([question, {"role": "assistant", "content": "Paris"}, question])
    (True, False)
    """
    return all(
        message["role"] in {"system", "user"} and _SPECIAL not in str(message["content"])
        for message in messages
    )


def was_exact(usage: Usage | None) -> bool:
    """Whether a call read no portion of one token, nor would have without reuse.

    >>> was_exact(Usage(input_tokens=80, output_tokens=1, cache_read_tokens=20))
    True
    >>> was_exact(Usage(input_tokens=80, output_tokens=1, cache_read_tokens=79))  # the same prompt again
    False
    """
    if usage is None:
        return False
    whole, kept = usage.input_tokens, usage.cache_read_tokens
    return not kept or all(tokens % PORTION != 1 for tokens in (whole, whole - kept))
