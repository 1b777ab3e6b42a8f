"""What the economics ask of a number that is given."""

from __future__ import annotations

from llmbench.errors import UsageError
from llmbench.numbers import is_finite

__all__ = ["check_amount"]


def check_amount(name: str, value: float, least: float = 0.0) -> float:
    """`value` as float. Raises UsageError, which names it, unless it is a finite number of at least `least`.

    >>> check_amount("usd_per_hour", 2)
    2.0
    """
    if not (is_finite(value) and value >= least):
        raise UsageError(f"{name} must be a number of at least {least:g}; it is {value!r}.")
    return float(value)
