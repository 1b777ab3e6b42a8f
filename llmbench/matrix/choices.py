"""Which of several labels an answer gives."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from llmbench.matrix.grading import whole_words
from llmbench.matrix.text import as_text

__all__ = ["find_label", "split_choices"]

_END = re.compile(r"[\n.!?;:—(]")


def split_choices(value: Any) -> list[str]:
    """The labels in a cell: a list, a JSON list as text, or text separated by |, ; or , (the
    first of these that occurs).

    >>> split_choices("positive|negative"), split_choices('["a, b", "c"]'), split_choices(None)
    (['positive', 'negative'], ['a, b', 'c'], [])
    """
    if value is None:
        return []
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                value = None
        if not isinstance(value, list):
            separator = next((mark for mark in "|;," if mark in text), None)
            value = text.split(separator) if separator else [text]
    labels = value if isinstance(value, list | tuple) else [value]
    return [label for label in map(as_text, (entry for entry in labels if entry is not None)) if label]


def find_label(answer: str, choices: Sequence[str]) -> tuple[str | None, str | None]:
    """The label that `answer` gives, or None and why not.

    Labels are found as whole words, case ignored (but for labels of one letter: "A" is a choice
    and "a" an article); where labels overlap, the longest counts ("not interested" before
    "interested"). The first one found is the answer unless a different one follows before the
    sentence or line ends.
    """
    text = unicodedata.normalize("NFKC", answer)
    mentions = _mentions(text, choices)
    if not mentions:
        return None, f"none of {', '.join(choices)} is given" if text.strip() else "the answer is empty"
    _, end, label = mentions[0]
    for start, _, other in mentions[1:]:
        if other != label:
            if _END.search(text, end, start):
                break
            return None, f"{label!r} and {other!r} are both given"
    return label, None


def _mentions(text: str, choices: Sequence[str]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for choice in sorted(choices, key=len, reverse=True):
        label = unicodedata.normalize("NFKC", choice).strip()
        flags = 0 if len(label) == 1 else re.IGNORECASE
        for match in re.finditer(whole_words(label), text, flags):
            if not any(start < match.end() and match.start() < end for start, end, _ in found):
                found.append((match.start(), match.end(), choice))
    return sorted(found)
