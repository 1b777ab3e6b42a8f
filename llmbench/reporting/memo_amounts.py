"""Amounts of the memo as a reader meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.money import dollars

if TYPE_CHECKING:
    from llmbench.decision import Spread

__all__ = ["chances", "usd", "usd_range"]


def usd(amount: float | None) -> str:
    """USD without cents from ten dollars on.

    >>> [usd(amount) for amount in (1234.5, -12.4, 3.2, None)]
    ['$1,234', '−$12', '$3.20', 'unknown']
    """
    return dollars(amount, cents_below=10)


def usd_range(spread: Spread) -> str:
    """The middle, and where eight of ten draws lie."""
    return f"{usd(spread.p50)} ({usd(spread.p10)} to {usd(spread.p90)})"


def chances(low: float, high: float) -> str:
    """Where eight of ten draws lie, for those who do not read quantiles."""
    return f"8 chances in 10: {usd(low)} to {usd(high)}"
