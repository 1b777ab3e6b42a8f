"""The two results that most functions of this package return."""

from __future__ import annotations

import math
from typing import NamedTuple

from llmbench.shown import shown

__all__ = ["UNKNOWN_INTERVAL", "Interval", "TestResult"]


@shown
class Interval(NamedTuple):
    """A confidence interval; a limit that the data cannot give is NaN.

    >>> Interval(0.2, 0.4)
    Interval(low=0.2, high=0.4)
    """

    low: float
    """Lower limit."""
    high: float
    """Upper limit."""


@shown
class TestResult(NamedTuple):
    """What a test of a null value found."""

    statistic: float
    """The test statistic; each test says which."""
    p_value: float
    """Probability, under the null, of data at least this far from it; NaN where it cannot be told."""


# Its name would make pytest collect the class wherever a test imports it.
TestResult.__test__ = False  # type: ignore[attr-defined]

UNKNOWN_INTERVAL = Interval(math.nan, math.nan)
