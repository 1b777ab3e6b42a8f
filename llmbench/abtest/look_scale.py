"""What a look by itself says of a net value, and what is left of it over all looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from llmbench.abtest.bounds import confidence_of, critical_value
from llmbench.abtest.plan import Plan
from llmbench.stats import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LookScale", "look_scale"]

_NORMAL = NormalDist()
_KNOTS = (0.0005, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)
"""z of an only look. What a look of several asks for is almost a straight line in them."""


@dataclass(frozen=True, slots=True)
class LookScale:
    """Takes draws of one look to what holds at all looks together. Made by `look_scale`."""

    confidence: float
    """Of intervals over all looks."""
    stretch: float = 1.0
    """Of the interval of an only look, on each side; infinite where the look may show nothing."""
    look_confidence: float = math.nan
    """Of the stretched interval, were this the only look."""
    critical: tuple[float, ...] = ()
    """What this look asks of z where an only look asks `_KNOTS`; empty for an only look."""

    def interval(self, estimate: float, drawn: Floats) -> Interval:
        """Percentiles of the draws, their distances from the estimate stretched."""
        tail = (1 - self.confidence) / 2
        # Interpolation draws percentiles inwards, by 1% for 1,000 draws; over several looks that adds up.
        ends = np.quantile(drawn, [tail, 1 - tail], method="weibull" if self.critical else "linear")
        low, high = (float(end) for end in ends)
        if self.stretch == 1:
            return Interval(low, high)
        if math.isinf(self.stretch):
            return Interval(-math.inf, math.inf)
        return Interval(
            estimate + self.stretch * (low - estimate), estimate + self.stretch * (high - estimate)
        )

    def probability(self, estimate: float, drawn: Floats) -> float:
        """The share of the draws above zero; of several looks what their repeated p-value leaves of it."""
        share = _share_positive(drawn)
        if not self.critical:
            return share
        if math.isinf(self.stretch):
            return 0.5
        if 0 < share < 1:
            z = _NORMAL.inv_cdf(share)
        else:
            # No draw tells how far zero lies beyond the last of them.
            spread = float(np.std(drawn))
            z = estimate / spread if spread > 0 else math.copysign(math.inf, share - 0.5)
        left = float(np.interp(abs(z), self.critical, _KNOTS))
        return _NORMAL.cdf(math.copysign(left, z))


def look_scale(plan: Plan, fractions: Sequence[float]) -> LookScale:
    """The scale of the last of the looks at these `fractions` of the information.

    An only look is taken as it is. Of several, the interval is the repeated confidence interval of Jennison
    and Turnbull (1989), JRSS B 51:305: the critical value of the look in place of that of an only one, with
    the spending of the test of replies, so that over all looks either limit errs in at most half of 1 -
    confidence, whenever the test ends. The first look of four asks for a tail of 7 in a million, which no
    bootstrap has draws in: so the percentiles of an only look are stretched by the ratio of both critical
    values, each side by itself, which keeps their skewness. Probabilities go the way of repeated p-values,
    which say "above zero" where such an interval does.

    >>> scale = look_scale(Plan("mail-7", control="a"), (0.25, 0.5))
    >>> print(f"{scale.confidence:.0%} over all looks is {scale.look_confidence:.2%} at this one")
    95% over all looks is 99.70% at this one
    """
    if plan.stopping_rule == "fixed" or not fractions:
        return LookScale(plan.confidence, look_confidence=plan.confidence)
    tail = (1 - plan.confidence) / 2
    critical = critical_value(plan, fractions, tail)
    return LookScale(
        plan.confidence,
        critical / _NORMAL.inv_cdf(1 - tail),
        confidence_of(critical),
        tuple(critical_value(plan, fractions, _NORMAL.cdf(-z)) for z in _KNOTS),
    )


def _share_positive(drawn: Floats) -> float:
    """The share of the draws above zero; those that are zero count by half."""
    return float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2)
