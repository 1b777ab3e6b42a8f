"""Score statistics of two independent proportions: difference or ratio against a null value.

The rates are estimated by maximum likelihood *under the null*, p1 - p2 = δ or p1 = θ p2. With them the
statistic is (p̂1 - p̂2 - δ) / √V, or (p̂1 - θ p̂2) / √V: Miettinen and Nurminen (1985), Statistics in Medicine
4:213, with V times N / (N - 1); without that factor Mee (1984), Biometrics 40:1175 and Farrington and
Manning (1990), Statistics in Medicine 9:1447 for the difference, Koopman (1984), Biometrics 40:513 for
the ratio. With third central moment μ of the numerator, the skewness correction replaces the statistic s
by the z that solves z + μ (z² - 1) / (6 V^1.5) = s: Gart and Nam (1988), Biometrics 44:323 and (1990),
Biometrics 46:637; with the factor N / (N - 1) it is the SCAS of Laud (2017), Pharmaceutical Statistics
16:334.

One table at a time, in plain floats: root searches call this thousands of times. `score_arrays` has the
same for many tables at once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = [
    "ScoreParts",
    "difference_parts",
    "excess",
    "ratio_parts",
    "restricted_planned_rates",
    "restricted_rates_of_difference",
    "restricted_rates_of_ratio",
    "score_statistic",
    "skewness_corrected",
]

_STEPS = 100
_CLOSE = 2e-15


class ScoreParts(NamedTuple):
    """What a score statistic is made of; those of several strata add up, each times its weight's power."""

    score: float
    """Observed less expected, such as p̂1 - p̂2 - δ."""
    variance: float
    """Its variance under the null."""
    third_moment: float
    """Its third central moment under the null."""


def difference_parts(
    x1: int, n1: int, x2: int, n2: int, difference: float, *, unbiased: bool = True
) -> ScoreParts:
    """Parts of the statistic against p1 - p2 = `difference`; `unbiased` is the factor N / (N - 1)."""
    if 2 * (x1 + x2) > n1 + n2:
        # p1 - p2 is also the difference of the failure rates, arm 2 less arm 1: rates close to 1 would lose
        # the digits that rates close to 0 keep.
        x1, n1, x2, n2 = n2 - x2, n2, n1 - x1, n1
    p1, p2 = restricted_rates_of_difference(x1, n1, x2, n2, difference)
    variance1, variance2 = p1 * (1 - p1) / n1, p2 * (1 - p2) / n2
    return ScoreParts(
        x1 / n1 - x2 / n2 - difference,
        (variance1 + variance2) * _inflation(n1 + n2, unbiased),
        variance1 * (1 - 2 * p1) / n1 - variance2 * (1 - 2 * p2) / n2,
    )


def ratio_parts(x1: int, n1: int, x2: int, n2: int, ratio: float, *, unbiased: bool = True) -> ScoreParts:
    """Parts of the statistic against p1 = `ratio` · p2."""
    p1, p2 = restricted_rates_of_ratio(x1, n1, x2, n2, ratio)
    variance1, variance2 = p1 * (1 - p1) / n1, ratio**2 * p2 * (1 - p2) / n2
    return ScoreParts(
        x1 / n1 - ratio * x2 / n2,
        (variance1 + variance2) * _inflation(n1 + n2, unbiased),
        variance1 * (1 - 2 * p1) / n1 - ratio * variance2 * (1 - 2 * p2) / n2,
    )


def score_statistic(parts: ScoreParts, *, skewness: bool) -> float:
    """Standard normal under the null; infinite where the null rules the data out."""
    score, variance, third_moment = parts
    if variance <= 0:
        return 0.0 if score == 0 else math.copysign(math.inf, score)
    spread = math.sqrt(variance)
    if not skewness:
        return score / spread
    return skewness_corrected(score / spread, third_moment / (6 * variance * spread))


def skewness_corrected(statistic: float, sixth_of_skewness: float) -> float:
    """The z with z + a (z² - 1) = statistic, on the branch that is the statistic itself at a = 0.

    That parabola turns at z = -1 / (2a). Further out no z solves it; from there on z grows as the
    statistic does, so that a more extreme statistic is never less significant.
    """
    a = sixth_of_skewness
    discriminant = 1 + 4 * a * (statistic + a)
    if discriminant >= 0:
        return 2 * (statistic + a) / (1 + math.sqrt(discriminant))
    # 1 / (2a) of slope one from the turning point, where statistic = -1 / (4a) - a.
    return statistic + a - 1 / (4 * a)


def excess(parts: ScoreParts, critical: float, *, skewness: bool) -> float:
    """Score less what it must exceed for a statistic above `critical` (> 0), finite for any variance.

    Its sign is that of `score_statistic(parts) - critical`; unlike that it has no pole.
    """
    score, variance, third_moment = parts
    if variance <= 0:
        return score
    spread = math.sqrt(variance)
    if not skewness:
        return score - critical * spread
    bend = third_moment / (6 * variance)
    if 2 * critical * bend >= -spread:
        return score - critical * spread - bend * (critical**2 - 1)
    return score - critical * spread + bend - variance / (4 * bend)


def restricted_rates_of_ratio(
    x1: float, n1: float, x2: float, n2: float, ratio: float
) -> tuple[float, float]:
    """Likeliest p1 and p2 with p1 = `ratio` · p2, for a positive ratio."""
    # Of N θ p² - linear · p + (x1 + x2) = 0 the smaller root; the discriminant is written as a sum of
    # two squares, and the root as a quotient, so that nothing cancels.
    linear = ratio * (n1 + x2) + n2 + x1
    root = math.sqrt((ratio * (n1 + x2) - n2 - x1) ** 2 + 4 * ratio * (n1 - x1) * (n2 - x2))
    p2 = min(1.0, 2 * (x1 + x2) / (linear + root))
    return min(1.0, ratio * p2), p2


def restricted_rates_of_difference(
    x1: float, n1: float, x2: float, n2: float, difference: float
) -> tuple[float, float]:
    """Likeliest p1 and p2 with p1 - p2 = `difference`, for a difference in [-1, 1]."""
    p2 = _restricted_second_rate(x1, n1, x2, n2, difference)
    return min(1.0, max(0.0, p2 + difference)), p2


def restricted_planned_rates(
    p1: float, p2: float, allocation: float, margin: float, *, ratio: bool
) -> tuple[float, float]:
    """The rates at the margin that data with the rates `p1` and `p2` make likeliest; n2 / n1 = allocation."""
    counts = p1, 1.0, p2 * allocation, allocation
    return (restricted_rates_of_ratio if ratio else restricted_rates_of_difference)(*counts, margin)


def _inflation(total: int, unbiased: bool) -> float:
    return total / (total - 1) if unbiased else 1.0


def _restricted_second_rate(x1: float, n1: float, x2: float, n2: float, difference: float) -> float:
    low, high = max(0.0, -difference), min(1.0, 1 - difference)
    if difference == 0:
        return (x1 + x2) / (n1 + n2)
    if low >= high or _is_steepest_at_zero(x1, n1, x2, n2, difference):
        return low
    # Failures are successes of the other side of the same table.
    if _is_steepest_at_zero(n1 - x1, n1, n2 - x2, n2, -difference):
        return high
    rate = _closed_form(x1, n1, x2, n2, difference)
    if not low < rate < high:
        rate = (low + high) / 2
    # The closed form loses half the digits where two roots of the cubic lie close together, as they do
    # at small rates. The likelihood's slope falls from low to high, which brackets the right root.
    for _ in range(_STEPS):
        p1 = rate + difference
        binomial1, binomial2 = p1 * (1 - p1), rate * (1 - rate)
        lack1, lack2 = x1 - n1 * p1, x2 - n2 * rate
        slope = lack1 * binomial2 + lack2 * binomial1
        if slope > 0:
            low = rate
        elif slope < 0:
            high = rate
        else:
            break
        bend = lack1 * (1 - 2 * rate) + lack2 * (1 - 2 * p1) - n1 * binomial2 - n2 * binomial1
        closer = rate - slope / bend if bend < 0 else low
        if not low < closer < high:
            closer = (low + high) / 2
        step, rate = abs(closer - rate), closer
        if step <= _CLOSE * rate:
            break
    return rate


def _is_steepest_at_zero(x1: float, n1: float, x2: float, n2: float, difference: float) -> bool:
    """Whether the likelihood falls from the lowest rates on: p2 = 0, or p1 = 0 if difference < 0."""
    if difference < 0:
        x1, n1, x2, n2, difference = x2, n2, x1, n1, -difference
    return x2 == 0 and x1 / difference - _divided(n1 - x1, 1 - difference) - n2 <= 0


def _divided(count: float, rate: float) -> float:
    return 0.0 if count == 0 else count / rate if rate > 0 else math.inf


def _closed_form(x1: float, n1: float, x2: float, n2: float, difference: float) -> float:
    """p2 as the middle root of the likelihood's cubic, by cosines: Farrington and Manning (1990)."""
    total = n1 + n2
    # total · p³ + square · p² + linear · p + constant = 0
    square = (n1 + 2 * n2) * difference - total - x1 - x2
    linear = (n2 * difference - total - 2 * x2) * difference + x1 + x2
    constant = x2 * difference * (1 - difference)
    third = square / (3 * total)
    v = third**3 - square * linear / (6 * total**2) + constant / (2 * total)
    u = math.copysign(math.sqrt(max(0.0, third**2 - linear / (3 * total))), v)
    if u == 0:
        return -third
    angle = (math.pi + math.acos(max(-1.0, min(1.0, v / u**3)))) / 3
    return 2 * u * math.cos(angle) - third
