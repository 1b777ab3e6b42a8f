"""Numbers: not known is None where kept and shown, NaN in arithmetic; a minus is written as one."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import TypeGuard

__all__ = ["finite", "is_finite", "known_total", "nan_as_none", "none_as_nan", "signed", "signed_points"]


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


def is_finite(value: object) -> TypeGuard[float]:
    """Whether `value` is a number, numpy's too, that a float can hold; never raises.

    True and False are none, and neither is an array of one number.

    >>> is_finite(3), is_finite(float("inf")), is_finite(10**400), is_finite("3"), is_finite(True)
    (True, False, False, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def nan_as_none(value: float) -> float | None:
    """None for NaN; infinity is a number that is known.

    >>> nan_as_none(0.5), nan_as_none(float("nan")), nan_as_none(float("inf"))
    (0.5, None, inf)
    """
    return None if math.isnan(value) else float(value)


def none_as_nan(value: float | None) -> float:
    """NaN for None.

    >>> none_as_nan(3), none_as_nan(None)
    (3.0, nan)
    """
    return math.nan if value is None else float(value)


def known_total(values: Iterable[float | None]) -> float | None:
    """The sum; None where one of `values` is not known, for what is left out would count as nothing.

    >>> known_total([0.5, 0.25]), known_total([0.5, None]), known_total([])
    (0.75, None, 0)
    """
    found = list(values)
    return None if None in found else sum(value for value in found if value is not None)


def signed(value: float, form: str) -> str:
    """A number in the format `form`, for a reader: with a minus sign, where Python writes a hyphen.

    >>> signed(-1234.5, "+,.0f"), signed(0.031, "+.1%"), signed(-0.25, ".2f")
    ('−1,234', '+3.1%', '−0.25')
    """
    return format(value, form).replace("-", "−")


def signed_points(difference: float, digits: int = 1) -> str:
    """A difference of two shares of 1, in points, with its sign.

    >>> signed_points(-0.031), signed_points(0.0025, 2)
    ('−3.1', '+0.25')
    """
    return signed(100 * difference, f"+.{digits}f")
