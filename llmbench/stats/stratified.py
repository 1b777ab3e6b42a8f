"""Two arms compared within strata: epochs of weights, campaigns.

Totals over strata mislead where both the split and the rate differ between them (Simpson's paradox). Here
the difference or ratio is taken as common to all strata, and the score statistics of the strata are added
with Mantel-Haenszel weights n1 n2 / (n1 + n2): Miettinen and Nurminen (1985), Statistics in Medicine 4:213,
with those weights as in Laud (2017), Pharmaceutical Statistics 16:334. Against no difference the square of
the statistic is the Cochran-Mantel-Haenszel χ².
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from llmbench.stats.checks import check_choice
from llmbench.stats.intervals import Interval, TestResult
from llmbench.stats.score import ScoreParts, difference_parts, ratio_parts, score_statistic
from llmbench.stats.score_limits import likely_width, lower_limit_of_difference, lower_limit_of_ratio
from llmbench.stats.two_arms import (
    Alternative,
    OneSided,
    Scale,
    check_margin,
    check_strata,
    critical_value,
    normal_test,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "stratified_difference_interval",
    "stratified_equality_test",
    "stratified_margin_test",
    "stratified_ratio_interval",
]

StratifiedMethod = Literal["miettinen-nurminen", "scas"]
Weights = Literal["mantel-haenszel"]

_METHODS = ("miettinen-nurminen", "scas")


def stratified_difference_interval(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    confidence: float = 0.95,
    weights: Weights = "mantel-haenszel",
    method: StratifiedMethod = "miettinen-nurminen",
) -> Interval:
    """Interval of a difference p1 - p2 common to strata; `x1`, `n1`, `x2`, `n2` hold one value each.

    Method "scas" corrects for skewness. A stratum with one arm only compares nothing and has no weight;
    where there is no other, (-1, 1). Of a single stratum it is `rate_difference_interval`. Raises
    UsageError.

    >>> low, high = stratified_difference_interval([21, 11, 8], [464, 165, 69], [26, 25, 11], [453, 174, 70])
    >>> print(f"{low:.4f} {high:.4f}")
    -0.0589 -0.0037
    """
    _check_form(weights, method)
    critical = critical_value(confidence)
    strata = _strata(x1, n1, x2, n2)
    if strata is None:
        return Interval(-1.0, 1.0)
    skewness = method == "scas"
    low, high = (
        lower_limit_of_difference(
            side.difference_parts, side.difference, side.width(critical), critical, skewness=skewness
        )
        for side in (strata, strata.exchanged)
    )
    return Interval(low, -high)


def stratified_ratio_interval(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    confidence: float = 0.95,
    weights: Weights = "mantel-haenszel",
    method: StratifiedMethod = "miettinen-nurminen",
) -> Interval:
    """Interval of a ratio p1 / p2 common to strata; `x1`, `n1`, `x2`, `n2` hold one value each.

    As `stratified_difference_interval`; of a single stratum it is `rate_ratio_interval`. Raises UsageError.

    >>> low, high = stratified_ratio_interval([21, 11, 8], [464, 165, 69], [26, 25, 11], [453, 174, 70])
    >>> print(f"{low:.4f} {high:.4f}")
    0.4450 0.9514
    """
    _check_form(weights, method)
    critical = critical_value(confidence)
    strata = _strata(x1, n1, x2, n2)
    if strata is None:
        return Interval(0.0, math.inf)
    skewness = method == "scas"
    low, inverse = (
        0.0
        if not side.has_success
        else lower_limit_of_ratio(
            side.ratio_parts, side.ratio, side.log_width(critical), critical, skewness=skewness
        )
        for side in (strata, strata.exchanged)
    )
    return Interval(low, 1 / inverse if inverse > 0 else math.inf)


def stratified_margin_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    margin: float,
    scale: Scale = "ratio",
    alternative: OneSided = "greater",
    weights: Weights = "mantel-haenszel",
    method: StratifiedMethod = "miettinen-nurminen",
) -> TestResult:
    """As `margin_test`, of a ratio or difference common to strata: one value per stratum each.

    p is below .025 exactly where the 95% interval of the same scale and method lies beyond the margin. NaN
    where no stratum has both arms. Raises UsageError.

    >>> x1, n1 = [21, 76, 73, 75], [29, 96, 124, 107]
    >>> x2, n2 = [19, 73, 91, 87], [27, 95, 130, 118]
    >>> print(f"{stratified_margin_test(x1, n1, x2, n2, -0.125, 'difference', method='scas').p_value:.5f}")
    0.00711
    """
    check_choice("alternative", alternative, ("greater", "less"))
    _check_form(weights, method)
    null = check_margin(margin, scale)
    strata = _strata(x1, n1, x2, n2)
    if strata is None:
        return TestResult(math.nan, math.nan)
    parts = strata.ratio_parts(null) if scale == "ratio" else strata.difference_parts(null)
    return normal_test(score_statistic(parts, skewness=method == "scas"), alternative)


def stratified_equality_test(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    alternative: Alternative = "two-sided",
    weights: Weights = "mantel-haenszel",
    method: StratifiedMethod = "miettinen-nurminen",
) -> TestResult:
    """Test of p1 = p2 in every stratum, one value per stratum each.

    The square of the statistic is the Cochran-Mantel-Haenszel χ² without continuity correction: Mantel and
    Haenszel (1959), JNCI 22:719. Of a single stratum it is `equality_test`. NaN where no stratum has both
    arms. Raises UsageError.

    >>> x1, n1 = [21, 76, 73, 75], [29, 96, 124, 107]
    >>> x2, n2 = [19, 73, 91, 87], [27, 95, 130, 118]
    >>> print(f"{stratified_equality_test(x1, n1, x2, n2).p_value:.3f}")
    0.206
    """
    check_choice("alternative", alternative, ("two-sided", "greater", "less"))
    _check_form(weights, method)
    strata = _strata(x1, n1, x2, n2)
    if strata is None:
        return TestResult(math.nan, math.nan)
    return normal_test(score_statistic(strata.difference_parts(0.0), skewness=method == "scas"), alternative)


class _Stratum(NamedTuple):
    x1: int
    n1: int
    x2: int
    n2: int
    weight: float
    """The weights of all strata sum to 1."""


@dataclass(frozen=True)
class _Strata:
    strata: Sequence[_Stratum]

    @property
    def exchanged(self) -> _Strata:
        return _Strata([_Stratum(s.x2, s.n2, s.x1, s.n1, s.weight) for s in self.strata])

    @property
    def has_success(self) -> bool:
        """Whether arm 1 has any."""
        return any(s.x1 for s in self.strata)

    @property
    def difference(self) -> float:
        return math.fsum(s.weight * (s.x1 / s.n1 - s.x2 / s.n2) for s in self.strata)

    @property
    def ratio(self) -> float:
        """Where the score is zero, or, without a success in arm 2, where half of one would put it."""
        above = math.fsum(s.weight * s.x1 / s.n1 for s in self.strata)
        below = math.fsum(s.weight * s.x2 / s.n2 for s in self.strata)
        return above / (below or 0.5 * math.fsum(s.weight / s.n2 for s in self.strata))

    def width(self, critical: float) -> float:
        return math.hypot(*(s.weight * likely_width(s.x1, s.n1, s.x2, s.n2, critical) for s in self.strata))

    def log_width(self, critical: float) -> float:
        x1, x2 = sum(s.x1 for s in self.strata), sum(s.x2 for s in self.strata)
        return critical * math.sqrt(1 / x1 + 1 / (x2 + 0.5))

    def difference_parts(self, difference: float) -> ScoreParts:
        return self._added(difference_parts, difference)

    def ratio_parts(self, ratio: float) -> ScoreParts:
        return self._added(ratio_parts, ratio)

    def _added(self, parts_of: Callable[..., ScoreParts], null: float) -> ScoreParts:
        score = variance = third_moment = 0.0
        for x1, n1, x2, n2, weight in self.strata:
            parts = parts_of(x1, n1, x2, n2, null)
            score += weight * parts.score
            variance += weight**2 * parts.variance
            third_moment += weight**3 * parts.third_moment
        return ScoreParts(score, variance, third_moment)


def _strata(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike) -> _Strata | None:
    """The strata that have both arms; None where there is none."""
    compared = [counts for counts in check_strata(x1, n1, x2, n2) if counts[1] and counts[3]]
    weights = [n1 * n2 / (n1 + n2) for _, n1, _, n2 in compared]
    total = math.fsum(weights)
    strata = [_Stratum(*counts, weight / total) for counts, weight in zip(compared, weights, strict=True)]
    return _Strata(strata) if strata else None


def _check_form(weights: str, method: str) -> None:
    check_choice("weights", weights, ("mantel-haenszel",))
    check_choice("method", method, _METHODS)
