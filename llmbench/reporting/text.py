"""Text that can be written and shown, whatever a model answered or is called."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["encodable", "texts_of", "visible"]


def encodable(text: str) -> str:
    r"""`text` with lone surrogates, which UTF-8 has no bytes for, written as escapes.

    A model's answer may hold one: JSON lets an escape stand for half a character.

    >>> encodable("fine, " + chr(0xD83D))
    'fine, \\ud83d'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def texts_of(value: Any) -> Iterator[str]:
    """Every text within a value as JSON has it, the names of its fields too.

    >>> list(texts_of({"models": ["a", {"b": 1}]}))
    ['models', 'a', 'b']
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_of(key)
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def visible(text: object) -> str:
    r"""A text with its control characters spelled: what a model says must not steer the terminal.

    >>> visible("2 lines\nand a bell" + chr(7))
    '2 lines\nand a bell\\x07'
    """
    return "".join(
        each
        if each.isprintable() or each in "\n\t" or unicodedata.category(each) == "Zs"
        else each.encode("unicode_escape").decode()
        for each in str(text)
    )
