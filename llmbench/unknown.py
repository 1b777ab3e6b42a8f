"""What stands where a reader looks for a value and finds none: one rule, everywhere.

What nobody knows is `UNKNOWN`: a price that is not listed, a rate that is not shown yet. What there is none
of is `NONE`: the difference of the baseline from itself, the p-value of a test that was not made. A printer
of any frame or any result cannot tell the two apart, and writes `NONE`, which claims less.
"""

from __future__ import annotations

__all__ = ["NONE", "UNKNOWN"]

UNKNOWN = "unknown"
NONE = "–"
