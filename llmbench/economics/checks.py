"""What the economics ask of a number that is given; each refusal is a UsageError that names it."""

from __future__ import annotations

from llmbench.errors import UsageError
from llmbench.numbers import is_finite

__all__ = ["check_amount", "check_number", "check_positive", "check_share", "check_whole"]

_MOST = 1e18
"""Of anything that is counted, timed or paid here. Beyond it is a slip, and products of it are no numbers."""


def check_number(name: str, value: object) -> float:
    """`value` as float. Raises UsageError unless it is a finite number of at most 1e18, of either sign."""
    if not is_finite(value):
        raise UsageError(f"{name} must be a finite number; it is {value!r}.")
    if abs(value) > _MOST:
        raise UsageError(f"{name} must not be beyond {_MOST:g}; it is {value!r}.")
    return float(value)


def check_amount(name: str, value: object, least: float = 0.0) -> float:
    """`value` as float. Raises UsageError unless it is a number of at least `least` and at most 1e18.

    >>> check_amount("usd_per_hour", 2)
    2.0
    """
    if not (is_finite(value) and value >= least):
        raise UsageError(f"{name} must be a number of at least {least:g}; it is {value!r}.")
    return check_number(name, value)


def check_positive(name: str, value: object) -> float:
    """`value` as float. Raises UsageError unless it is a number above 0 by which can be divided."""
    if not (is_finite(value) and value > 0):
        raise UsageError(f"{name} must be a number above 0; it is {value!r}.")
    return check_amount(name, value, 1 / _MOST)


def check_share(name: str, value: object, *, above_zero: bool = False) -> float:
    """`value` as float. Raises UsageError unless it lies between 0 and 1, with `above_zero` not at 0."""
    if above_zero and not (is_finite(value) and 0 < value <= 1):
        raise UsageError(f"{name} must be a share above 0 and at most 1; it is {value!r}.")
    if not (is_finite(value) and 0 <= value <= 1):
        raise UsageError(f"{name} must be a share between 0 and 1; it is {value!r}.")
    return check_positive(name, value) if above_zero else float(value)


def check_whole(name: str, value: object, least: int = 0) -> int:
    """`value` as int. Raises UsageError unless it is a whole number of at least `least` and at most 1e18."""
    if not is_finite(value) or value != int(value) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(check_number(name, value))
