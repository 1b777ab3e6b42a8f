"""Numbers as a reader meets them: an estimate with its interval, in the unit of its column."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llmbench.numbers import nan_as_none
from llmbench.reporting.text import encodable
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.matrix import Range
    from llmbench.stats import Interval

__all__ = [
    "category_text",
    "clip",
    "counted",
    "estimate",
    "expected",
    "limits",
    "minute",
    "p_value",
    "percent",
    "points",
    "shorten",
    "span",
    "whole",
]


def limits(interval: Interval | None) -> tuple[float | None, float | None]:
    """Low and high; None and None where there is no interval, or it has no ends (fewer than two values)."""
    return (None, None) if interval is None else (nan_as_none(interval.low), nan_as_none(interval.high))


def estimate(value: float | None, interval: Interval | None, show: Callable[[float], str]) -> str:
    """A value with its interval; "unknown" where there is no value."""
    return span(value, *limits(interval), show)


def span(value: float | None, low: float | None, high: float | None, show: Callable[[float], str]) -> str:
    """A value with its limits, where they are known and not the value itself.

    >>> span(0.5, 0.4, 0.6, percent), span(0.5, None, None, percent), span(math.nan, None, None, percent)
    ('50.0% (40.0% to 60.0%)', '50.0%', 'unknown')
    """
    if value is None or math.isnan(value):
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


def whole(value: float) -> str:
    """A whole number."""
    return f"{value:,.0f}"


def p_value(value: float | None) -> str:
    """Three digits are enough.

    >>> [p_value(p) for p in (0.0312, 0.00001, None, math.nan)]
    ['0.031', '<0.001', '–', '–']
    """
    if value is None or math.isnan(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def shorten(value: Any, characters: int = 240) -> str:
    """One line of at most so many characters."""
    if not isinstance(value, str):
        return "(missing)"
    text = " ".join(encodable(value).split())
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def category_text(category: str | None) -> str:
    """A category of items, and what stands for those that have none."""
    return category or "(none)"


def counted(number: int, what: str) -> str:
    """So many of something, which takes an s where they are several.

    >>> counted(1, "run"), counted(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


def clip(text: str, characters: int = 40) -> str:
    """At most so many characters; the middle of a longer text is left out.

    >>> clip("mixtral-8x22b-instruct", 12)
    'mixtr…struct'
    """
    text = encodable(text)
    if len(text) <= characters:
        return text
    return f"{text[: (characters - 1) // 2]}…{text[-(characters // 2) :]}"


def minute(instant: str | None) -> str:
    """An ISO instant as a reader wants it; what is not one is shown as it is.

    >>> minute("2025-01-23T09:30:15.123+01:00")
    '2025-01-23 08:30 UTC'
    """
    if instant is None:
        return NONE
    try:
        parsed = datetime.fromisoformat(instant)
    except ValueError:
        return instant
    return f"{parsed.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if parsed.tzinfo else instant
