"""Text that can be written and shown, whatever a model answered or is called."""

from __future__ import annotations

import unicodedata

__all__ = ["encodable", "visible"]


def encodable(text: str) -> str:
    r"""`text` with lone surrogates, which UTF-8 has no bytes for, written as escapes.

    A model's answer may hold one: JSON lets an escape stand for half a character.

    >>> encodable("fine, " + chr(0xD83D))
    'fine, \\ud83d'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


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
