"""Counts of tokens in a reply, as far as they can be meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["count"]

_LARGEST = 10**12
"""More tokens than any call has; a larger number is no count, and the ledger could not keep it."""


def count(table: Mapping[str, Any], key: str, *, missing: int | None = None) -> int | None:
    """The whole number of at least 0 under `key`; None where there is something else, `missing` where
    there is nothing.

    >>> count({"read": 9, "written": "9"}, "read"), count({"written": "9"}, "written")
    (9, None)
    """
    value = table.get(key)
    if value is None:
        return missing
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _LARGEST else None
