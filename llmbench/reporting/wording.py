"""Numbers as a reader meets them: an estimate with its interval, in the unit of its column."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmbench.matrix import Range
    from llmbench.stats import Interval

__all__ = [
    "NONE",
    "UNKNOWN",
    "estimate",
    "expected",
    "limits",
    "p_value",
    "percent",
    "points",
    "shorten",
    "signed_points",
    "span",
    "usd",
    "whole",
]

UNKNOWN = "unknown"
NONE = "–"


def limits(interval: Interval | None) -> tuple[float | None, float | None]:
    """Low and high; None and None where there is no interval."""
    return (None, None) if interval is None else (interval.low, interval.high)


def estimate(value: float | None, interval: Interval | None, show: Callable[[float], str]) -> str:
    """A value with its interval; "unknown" where there is no value."""
    return span(value, *limits(interval), show)


def span(value: float | None, low: float | None, high: float | None, show: Callable[[float], str]) -> str:
    """A value with its limits, where they are known and not the value itself."""
    if value is None:
        return UNKNOWN
    if low == value == high:  # nothing varies: each call of one's own endpoint costs 0
        return str(show(value))
    return f"{show(value)}" if low is None or high is None else f"{show(value)} ({show(low)} to {show(high)})"


def expected(values: Range, show: Callable[[float], str]) -> str:
    """Expected value and its range; one number where they are the same."""
    if values.low == values.expected == values.high:
        return UNKNOWN if values.expected is None else str(show(values.expected))
    low, high = (UNKNOWN if value is None else show(value) for value in (values.low, values.high))
    return f"{UNKNOWN if values.expected is None else show(values.expected)} ({low} to {high})"


def percent(share: float) -> str:
    """A share of 1, in percent."""
    return f"{100 * share:.1f}%"


def points(share: float) -> str:
    """A share of 1, in points."""
    return f"{100 * share:g}"


def signed_points(share: float) -> str:
    """A difference of shares, in points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def usd(amount: float) -> str:
    """Dollars with two significant digits below one.

    >>> [usd(amount) for amount in (0.0, 0.00123, 12.3456, 1234.5)]
    ['$0.00', '$0.0012', '$12.35', '$1,234.50']
    """
    if 0 < amount < 0.1:
        return f"${amount:.{1 - math.floor(math.log10(amount))}f}"
    return f"${amount:,.2f}"


def whole(value: float) -> str:
    """A whole number."""
    return f"{value:,.0f}"


def p_value(value: float | None) -> str:
    """Three digits are enough.

    >>> [p_value(p) for p in (0.0312, 0.00001, None)]
    ['0.031', '<0.001', '–']
    """
    if value is None:
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def shorten(value: Any, characters: int = 240) -> str:
    """One line of at most so many characters."""
    if not isinstance(value, str):
        return "(missing)"
    text = " ".join(value.split())
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
