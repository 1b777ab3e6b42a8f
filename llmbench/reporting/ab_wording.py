"""How the notebook `ab_test` writes reply rates, their ratios and differences, and leads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.numbers import signed_points
from llmbench.reporting.wording import whole
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    from llmbench.abtest import AbResult, Comparison

__all__ = ["count", "fine_percent", "fine_points", "ratio_words", "so_far", "sure_percent", "verdict_words"]


def so_far(result: AbResult) -> str:
    """Of which rate a chance is: of what was seen, while planned leads are of the rate that was expected."""
    return ", at the reply rate so far" if any(arm.units for arm in result.arms) else ""


def fine_percent(share: float) -> str:
    """A reply rate: two digits after the point."""
    return f"{100 * share:.2f}%"


def sure_percent(probability: float) -> str:
    """A probability that draws tell of: so many of them cannot tell that something is certain.

    >>> sure_percent(1.0), sure_percent(0.9731), sure_percent(0.0)
    ('over 99.9%', '97.3%', 'under 0.1%')
    """
    if probability > 0.999:
        return "over 99.9%"
    return "under 0.1%" if probability < 0.001 else f"{probability:.1%}"


def fine_points(value: float) -> str:
    """A difference of reply rates, in points with its sign: two digits, as replies are few in a hundred."""
    return signed_points(value, 2)


def ratio_words(value: float) -> str:
    """A ratio of reply rates, or a limit of it, which may be infinite."""
    return "without limit" if math.isinf(value) else f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def count(value: float | None) -> str:
    """Leads, rounded up; "unknown" where no number of them is enough."""
    return UNKNOWN if value is None or not math.isfinite(value) else whole(math.ceil(value))


def verdict_words(result: AbResult, c: Comparison) -> str:
    """The verdict, with its look where the rest of the table is of another one."""
    newest = result.looks[-1].number if result.looks else None
    if c.look is None or c.look == newest:
        return c.verdict
    return f"{c.verdict} (look {c.look})"
