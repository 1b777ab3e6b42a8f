"""Checks of numbers that callers give."""

from __future__ import annotations

import math

from llmbench.errors import UsageError

__all__ = ["share", "smallest", "whole_number"]


def whole_number(name: str, value: object) -> int:
    """`value`, a whole number of at least 1. Raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} must be a whole number of at least 1; it is {value!r}.")
    return value


def smallest(name: str, value: object, least: float = 0.0) -> float:
    """`value`, a finite number of at least `least`. Raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise UsageError(f"{name} must be a number of at least {least:g}; it is {value!r}.")
    return float(value)


def share(name: str, value: object, such_as: float) -> float:
    """`value`, a number strictly between 0 and 1. Raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise UsageError(f"{name} lies between 0 and 1, such as {such_as:g}; it is {value!r}.")
    return float(value)
