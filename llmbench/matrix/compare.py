"""Every cell against the baseline, on the same items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from llmbench.stats import (
    Interval,
    adjust_p_values,
    items_needed,
    minimum_detectable_paired_difference,
    paired_difference,
)

if TYPE_CHECKING:
    from llmbench.matrix.summary import ItemScores

__all__ = ["LEAST_ITEMS", "Comparison", "ComparisonVerdict", "compare"]

ComparisonVerdict = Literal["better", "not worse", "worse", "cannot tell"]

LEAST_ITEMS = 100
"""Fewer pairs than this give no verdict."""

_POWER = 0.8
_MOST_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """One cell against the baseline; `difference` is candidate minus baseline, in score (0..1)."""

    baseline: str
    candidate: str
    difference: float | None
    ci: Interval | None
    p_value: float | None
    """Two-sided, of no difference."""
    p_adjusted: float | None
    """By Holm over all comparisons of the matrix."""
    n: int
    """Items that both answered."""
    mde: float | None
    """Smallest true difference that so many items show with chance .8."""
    margin: float
    verdict: ComparisonVerdict
    reason: str = ""
    """Why, in a clause."""
    missing: int = 0
    """Items on which an answer of either is missing."""
    worst_case_low: float | None = None
    """Lower limit with missing answers wrong for the candidate and right for the baseline."""
    best_case_high: float | None = None
    """Upper limit with missing answers right for the candidate and wrong for the baseline."""
    items_needed: int | None = None
    """Where the verdict is "cannot tell": about so many more items would settle it, if the true
    difference is the one seen. None where no realistic number does, or none is needed."""


def compare(
    baseline: str,
    scores: Mapping[str, ItemScores],
    clusters: Sequence[str] | None,
    *,
    margin: float,
    confidence: float,
) -> tuple[Comparison, ...]:
    """Compare each cell of `scores` with `baseline`, paired by item and adjusted by Holm.

    Difference, interval and p-value are `llmbench.stats.paired_difference` over the items that both
    answered (mean over repeats), clustered by `clusters`. With alpha = 1 - confidence:

    - "better": the interval lies above 0 and the adjusted p-value is below alpha;
    - "not worse": else, the interval lies above -margin (for .95, one-sided at .025);
    - "worse": else, the interval lies below -margin, or below 0 with the adjusted p-value below alpha;
    - "cannot tell": else, and whenever fewer than 100 items are compared.

    Missing answers are bounded over all items. "better" holds only if the interval stays above 0
    with every missing answer wrong for the candidate and right for the baseline, and is then "not
    worse" if it stays above -margin; "not worse" holds only if it does; "worse" holds only if the
    interval stays below 0 with the opposite assumption. Else the verdict is "cannot tell".
    """
    found = [
        _difference(baseline, label, scores[label], scores[baseline], clusters, margin, confidence)
        for label in scores
        if label != baseline
    ]
    adjusted = adjust_p_values([math.nan if c.p_value is None else c.p_value for c in found])
    judged = (
        _judged(replace(comparison, p_adjusted=None if math.isnan(p) else p), 1 - confidence)
        for comparison, p in zip(found, adjusted, strict=True)
    )
    return tuple(
        replace(
            c, items_needed=_more_items(c, scores[c.candidate], scores[baseline], clusters, 1 - confidence)
        )
        if c.verdict == "cannot tell"
        else c
        for c in judged
    )


def _difference(
    baseline: str,
    candidate: str,
    ours: ItemScores,
    theirs: ItemScores,
    clusters: Sequence[str] | None,
    margin: float,
    confidence: float,
) -> Comparison:
    difference, interval, p_value = paired_difference(ours.mean, theirs.mean, clusters, confidence)
    worst = paired_difference(ours.if_wrong, theirs.if_right, clusters, confidence).interval
    best = paired_difference(ours.if_right, theirs.if_wrong, clusters, confidence).interval
    both = ~np.isnan(ours.mean) & ~np.isnan(theirs.mean)
    incomplete = (ours.if_right > ours.if_wrong) | (theirs.if_right > theirs.if_wrong)
    mde = minimum_detectable_paired_difference(
        ours.mean - theirs.mean, alpha=1 - confidence, power=_POWER, clusters=clusters
    )
    known = not math.isnan(interval.low)
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        difference=None if math.isnan(difference) else difference,
        ci=interval if known else None,
        p_value=None if math.isnan(p_value) else p_value,
        p_adjusted=None,
        n=int(both.sum()),
        mde=None if math.isnan(mde) else mde,
        margin=margin,
        verdict="cannot tell",
        missing=int(incomplete.sum()),
        worst_case_low=None if math.isnan(worst.low) else worst.low,
        best_case_high=None if math.isnan(best.high) else best.high,
    )


def _judged(c: Comparison, alpha: float) -> Comparison:
    verdict, reason = _verdict(c, alpha)
    return replace(c, verdict=verdict, reason=reason)


def _verdict(c: Comparison, alpha: float) -> tuple[ComparisonVerdict, str]:
    if c.n < LEAST_ITEMS:
        return "cannot tell", f"{c.n} items are compared, and a verdict needs {LEAST_ITEMS}"
    if c.ci is None or c.worst_case_low is None or c.best_case_high is None:
        return "cannot tell", "too few independent clusters to give an interval"
    significant = c.p_adjusted is not None and c.p_adjusted < alpha
    unsure = f"{c.missing} items lack an answer, and their scores could change the verdict"
    if c.ci.low > 0 and significant and c.worst_case_low > 0:
        return "better", "the interval lies above 0"
    if c.ci.low > -c.margin:
        if c.worst_case_low <= -c.margin:
            return "cannot tell", unsure
        return "not worse", f"the interval lies above the margin of {_points(-c.margin)}"
    if c.ci.high < -c.margin or (c.ci.high < 0 and significant):
        if c.best_case_high >= 0:
            return "cannot tell", unsure
        return "worse", "the interval lies below 0"
    return "cannot tell", f"the interval reaches from below the margin of {_points(-c.margin)} to above it"


def _more_items(
    c: Comparison, ours: ItemScores, theirs: ItemScores, clusters: Sequence[str] | None, alpha: float
) -> int | None:
    """About how many more items a verdict needs, if the difference seen is the true one: to show
    that it is above -margin, or, where it is not, that it is below 0. Power .8.
    """
    least = max(0, LEAST_ITEMS - c.n)
    if c.difference is None:
        return least or None
    target = c.difference + c.margin if c.difference > -c.margin else c.difference
    if target == 0:
        return None
    needed = items_needed(target, ours.mean - theirs.mean, alpha, _POWER, clusters=clusters)
    if math.isnan(needed):
        # No item tells the two apart: Tango's interval of such a sample is ± z²/(n + z²).
        if c.difference != 0:
            return least or None
        z = NormalDist().inv_cdf(1 - alpha / 2)
        needed = z * z * (1 - c.margin) / c.margin
    more = max(least, math.ceil(needed) - c.n)
    # Enough by this estimate and still undecided: the estimate leaves out adjustment and missing answers.
    return max(1, more) if more <= _MOST_ITEMS else None


def _points(score: float) -> str:
    return f"{100 * score:+.1f} points".replace("-", "−")
