"""How far a measured number speaks for and against a gate, from what a report leaves of it.

A report leaves an estimate and one interval. What else a decision needs is told by these two:

- `limits`: the interval at 95%, and at 95% for all comparisons of its report together where the report
  adjusts its verdicts for their number (Bonferroni: each at 1 - 0.05 / m), its missing answers bounded;
- `fail_p_value`: how likely such an estimate, or a worse one, is where the gate is just kept.

Both stretch the interval about the estimate: by the ratio of two normal quantiles, or of Student's t where
the groups behind it are known. Which scale it was made on is not told, so the p-value is the larger one of
that on the plain scale and that on the scale of logarithms (ratios, times) or Wilson's (shares): z is 1.96 at
the limit itself on each.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from llmbench.decision.metrics import Measured
from llmbench.decision.units import UNITS, Unit
from llmbench.stats import Interval

__all__ = ["CONFIDENCE", "fail_p_value", "limits"]

CONFIDENCE = 0.95
"""Of the intervals that gates are judged by: a pass errs in one of 40 cases, whatever the number of gates."""

_NORMAL = NormalDist()


def limits(measured: Measured, confidence: float = CONFIDENCE) -> Interval | None:
    """What a gate is held against; None where there is no interval on both sides.

    >>> low, high = limits(Measured(100.0, 60.0, 150.0, confidence=0.8))
    >>> print(f"{low:.1f} {high:.1f}")
    38.8 176.5
    """
    value, low, high = measured.value, measured.low, measured.high
    if value is None or low is None or high is None:
        return None
    stretch = _critical(measured, confidence, measured.among) / _critical(measured, measured.confidence)
    below, above = max(0.0, value - low), max(0.0, high - value)
    worst = low if measured.worst_low is None else min(low, measured.worst_low)
    best = high if measured.best_high is None else max(high, measured.best_high)
    if stretch == 1:
        return Interval(worst, best)
    return Interval(worst - (stretch - 1) * below, best + (stretch - 1) * above)


def fail_p_value(
    measured: Measured, threshold: float, *, at_least: bool, unit: Unit = "points"
) -> float | None:
    """One-sided p-value of the null that the gate is kept; None where there is no interval.

    At most (1 - confidence) / 2 only where the whole interval lies beyond the threshold.

    >>> p = fail_p_value(Measured(-0.06, -0.09, -0.03), -0.03, at_least=True)
    >>> print(f"{p:.4f}")
    0.0250
    """
    found = limits(measured)
    value = measured.value
    if found is None or value is None:
        return None
    limit = found.high if at_least else found.low
    if limit == value:
        kept = value >= threshold if at_least else value <= threshold
        return 1.0 if kept else 0.0
    # How many half-widths the threshold lies beyond the estimate, on the side of the limit.
    distance = min(_distances(value, limit, threshold, unit))
    return _tail(distance * _critical(measured, CONFIDENCE), measured)


def _distances(value: float, limit: float, threshold: float, unit: Unit) -> list[float]:
    plain = (threshold - value) / (limit - value)
    scale = UNITS[unit].scale
    if scale == "log" and min(value, limit, threshold) > 0:
        return [plain, math.log(threshold / value) / math.log(limit / value)]
    if scale == "wilson" and 0 < limit < 1 and 0 < threshold < 1:
        return [plain, plain * math.sqrt(limit * (1 - limit) / (threshold * (1 - threshold)))]
    return [plain]


def _critical(measured: Measured, confidence: float, among: int = 1) -> float:
    tail = (1 - confidence) / 2 / among
    if measured.clusters is not None and measured.clusters > 1:
        from scipy.special import stdtrit

        return float(-stdtrit(measured.clusters - 1, tail))
    return -_NORMAL.inv_cdf(tail)


def _tail(z: float, measured: Measured) -> float:
    if measured.clusters is not None and measured.clusters > 1:
        from scipy.special import stdtr

        return float(stdtr(measured.clusters - 1, -z))
    return 0.5 * math.erfc(z / math.sqrt(2))
