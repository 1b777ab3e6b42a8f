"""How an amount of money is written, everywhere."""

from __future__ import annotations

import math

__all__ = ["dollars", "priced_of"]


def dollars(amount: float | None) -> str:
    """USD with cents, and with two significant digits below ten cents; None is "unknown".

    >>> [dollars(amount) for amount in (0.0, 0.0000123, 0.5, 12.3456, 1234.5, -2.5, None)]
    ['$0.00', '$0.000012', '$0.50', '$12.35', '$1,234.50', '-$2.50', 'unknown']
    """
    if amount is None or math.isnan(amount):
        return "unknown"
    if amount < 0:
        return f"-{dollars(-amount)}"
    if 0 < amount < 0.1:
        return f"${amount:.{1 - math.floor(math.log10(amount))}f}"
    return f"${amount:,.2f}"


def priced_of(priced: int, total: int) -> str:
    """How many of some calls have a known price, in the words used everywhere.

    >>> priced_of(412, 500)
    '412 of 500 calls priced'
    """
    return f"{priced:,} of {total:,} calls priced"
