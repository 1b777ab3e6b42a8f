"""Cells and names as text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

__all__ = ["as_text", "nearest"]


def as_text(value: Any) -> str:
    """A cell as a label or an id: spreadsheets and parquet turn the label 1 into 1.0.

    >>> as_text(1.0), as_text(0.5), as_text(True), as_text(" yes ")
    ('1', '0.5', 'true', 'yes')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).strip()


def nearest(word: str, words: Iterable[str]) -> str:
    """A question after the name meant, for a name close to one of `words`; else nothing."""
    by_folded = {known.casefold(): known for known in words}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[close[0]]!r}?" if close else ""
