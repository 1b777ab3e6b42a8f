"""Numbers that come from outside."""

from __future__ import annotations

import math

__all__ = ["finite"]


def finite(value: object) -> float | None:
    """`value` as a float where it is a finite number; None for anything else, and for what no float can hold.

    >>> finite(0.5), finite(3), finite(True), finite("1"), finite(float("nan")), finite(10**400)
    (0.5, 3.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
