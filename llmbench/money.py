"""How an amount of money is written, everywhere."""

from __future__ import annotations

import math

from llmbench.unknown import UNKNOWN

__all__ = ["dollars", "priced_of", "signed_dollars"]


def dollars(amount: float | None, *, cents_below: float = math.inf) -> str:
    """USD with cents, and with two significant digits below ten cents; None is "unknown".

    From `cents_below` USD on (of either sign) without cents.

    >>> [dollars(amount) for amount in (-0.0, 0.0000123, 0.5, 12.3456, 1234.5, -2.5, None)]
    ['$0.00', '$0.000012', '$0.50', '$12.35', '$1,234.50', '−$2.50', 'unknown']
    >>> [dollars(amount, cents_below=100) for amount in (99.5, 1234.56, -1234.56)]
    ['$99.50', '$1,235', '−$1,235']
    """
    if amount is None or math.isnan(amount):
        return UNKNOWN
    if amount < 0:
        return f"−{dollars(-amount, cents_below=cents_below)}"
    amount += 0.0  # there is no -0
    if amount >= cents_below:
        return f"${amount:,.0f}"
    if 0 < amount < 0.1:
        return f"${amount:.{1 - math.floor(math.log10(amount))}f}"
    return f"${amount:,.2f}"


def signed_dollars(difference: float | None) -> str:
    """A difference in USD with its sign; None is "unknown".

    >>> [signed_dollars(difference) for difference in (2.5, -1234.5, 0.0, None)]
    ['+$2.50', '−$1,234.50', '$0.00', 'unknown']
    """
    if difference is None or math.isnan(difference):
        return UNKNOWN
    return ("+" if difference > 0 else "") + dollars(difference)


def priced_of(priced: int, total: int) -> str:
    """How many of some calls have a known price, in the words used everywhere.

    >>> priced_of(412, 500)
    '412 of 500 calls priced'
    """
    return f"{priced:,} of {total:,} calls priced"
