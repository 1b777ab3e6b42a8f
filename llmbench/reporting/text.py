"""Text that can be written as UTF-8, whatever a model answered."""

from __future__ import annotations

__all__ = ["encodable"]


def encodable(text: str) -> str:
    r"""`text` with lone surrogates, which UTF-8 has no bytes for, written as escapes.

    A model's answer may hold one: JSON lets an escape stand for half a character.

    >>> encodable("fine, " + chr(0xD83D))
    'fine, \\ud83d'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
