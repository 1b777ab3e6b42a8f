"""Every cell against the baseline, on the same items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from llmbench.numbers import nan_as_none, signed_points
from llmbench.shown import shown
from llmbench.stats import (
    Interval,
    adjust_p_values,
    items_needed,
    mcnemar,
    minimum_detectable_paired_difference,
    paired_difference,
    paired_margin_test,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmbench.matrix.summary import ItemScores

__all__ = ["LEAST_ITEMS", "Comparison", "ComparisonVerdict", "compare"]

ComparisonVerdict = Literal["better", "not worse", "worse", "cannot tell"]

LEAST_ITEMS = 100
"""Fewer pairs than this give no verdict."""

_POWER = 0.8
_MOST_ITEMS = 1_000_000


@shown
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
    p_not_worse_adjusted: float | None
    """One-sided, of a difference of at most -margin; by Holm over all comparisons of the matrix."""
    n: int
    """Items that both answered."""
    mde: float | None
    """Smallest true difference that so many items show with chance .8, adjusted for the candidates."""
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
    only_candidate: int | None = None
    """Items that only the candidate got right; None where answers are not just right or wrong."""
    only_baseline: int | None = None
    p_mcnemar: float | None = None
    """Exact McNemar test of these two, two-sided, unadjusted; beside `p_value`, which is reported."""
    clusters: int | None = None
    """Groups of items that belong together, among those that both answered; None where none do."""
    items_needed: int | None = None
    """Where the verdict is "cannot tell": about so many more items would settle it, if the true
    difference is the one seen. None where no realistic number does, or none is needed."""


class _Evidence(NamedTuple):
    """What one set of scores says of one cell against the baseline; NaN is not known."""

    difference: float
    interval: Interval
    p_value: float
    p_adjusted: float
    p_not_worse_adjusted: float

    @property
    def known(self) -> bool:
        return not math.isnan(self.interval.low)

    def is_better(self, alpha: float) -> bool:
        return self.interval.low > 0 and self.p_adjusted < alpha

    def is_not_worse(self, alpha: float) -> bool:
        # For a single comparison this is the interval of 1 - alpha lying above -margin.
        return self.p_not_worse_adjusted < alpha / 2

    def is_worse(self, alpha: float) -> bool:
        return self.interval.high < 0 and self.p_adjusted < alpha


def compare(
    baseline: str,
    scores: Mapping[str, ItemScores],
    clusters: Sequence[str] | None,
    *,
    margin: float,
    confidence: float,
) -> tuple[Comparison, ...]:
    """Compare each cell of `scores` with `baseline`, paired by item and adjusted by Holm.

    Difference, interval and p-values are `llmbench.stats.paired_difference` and, against -margin,
    `paired_margin_test` over the items that both answered (mean over repeats), clustered by
    `clusters`. The two-sided p-values (no difference) and the one-sided ones (at most -margin) are
    each adjusted over all comparisons; intervals are not. With alpha = 1 - confidence:

    - "better": the interval lies above 0 and the adjusted two-sided p-value is below alpha;
    - "not worse": else, the adjusted one-sided p-value is below alpha / 2 (for one candidate: the
      interval lies above -margin);
    - "worse": else, the interval lies below 0 and the adjusted two-sided p-value is below alpha;
    - "cannot tell": else, and whenever fewer than 100 items are compared.

    So over the whole matrix the chance that any cell at or below -margin is called not worse is at
    most alpha / 2. Missing answers are bounded over all items: "better" and "not worse" hold only
    if their rule does with every missing answer wrong for the candidates and right for the
    baseline ("better" is else "not worse", where that holds), "worse" only if its rule does with
    the opposite assumption. Else the verdict is "cannot tell".
    """
    theirs = scores[baseline]
    others = {label: ours for label, ours in scores.items() if label != baseline}

    def evidence(pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> list[_Evidence]:
        return _evidence(pairs, clusters, margin, confidence)

    seen = evidence([(ours.mean, theirs.mean) for ours in others.values()])
    worst = evidence([(ours.if_wrong, theirs.if_right) for ours in others.values()])
    best = evidence([(ours.if_right, theirs.if_wrong) for ours in others.values()])
    # What the smallest of several p-values is held against.
    level = (1 - confidence) / max(1, len(others))
    found: list[Comparison] = []
    for (label, ours), by_seen, at_worst, at_best in zip(others.items(), seen, worst, best, strict=True):
        c = _comparison(baseline, label, ours, theirs, by_seen, clusters, margin, level)
        c = replace(
            c,
            worst_case_low=nan_as_none(at_worst.interval.low),
            best_case_high=nan_as_none(at_best.interval.high),
        )
        verdict, reason = _verdict(c, by_seen, at_worst, at_best, 1 - confidence, len(others))
        c = replace(c, verdict=verdict, reason=reason)
        if verdict == "cannot tell":
            c = replace(c, items_needed=_more_items(c, ours, theirs, clusters, level))
        found.append(c)
    return tuple(found)


def _evidence(
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    clusters: Sequence[str] | None,
    margin: float,
    confidence: float,
) -> list[_Evidence]:
    found = [paired_difference(ours, theirs, clusters, confidence) for ours, theirs in pairs]
    adjusted = adjust_p_values([difference.p_value for difference in found])
    not_worse = adjust_p_values(
        [paired_margin_test(ours, theirs, -margin, clusters, "greater").p_value for ours, theirs in pairs]
    )
    return [
        _Evidence(*difference, p_adjusted, p_not_worse)
        for difference, p_adjusted, p_not_worse in zip(found, adjusted, not_worse, strict=True)
    ]


def _comparison(
    baseline: str,
    candidate: str,
    ours: ItemScores,
    theirs: ItemScores,
    seen: _Evidence,
    clusters: Sequence[str] | None,
    margin: float,
    alpha: float,
) -> Comparison:
    both = ~np.isnan(ours.mean) & ~np.isnan(theirs.mean)
    incomplete = (ours.if_right > ours.if_wrong) | (theirs.if_right > theirs.if_wrong)
    mde = minimum_detectable_paired_difference(
        ours.mean - theirs.mean, alpha=alpha, power=_POWER, clusters=clusters
    )
    ours_only, theirs_only, p_mcnemar = _discordant(ours.mean[both], theirs.mean[both])
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        difference=nan_as_none(seen.difference),
        ci=seen.interval if seen.known else None,
        p_value=nan_as_none(seen.p_value),
        p_adjusted=nan_as_none(seen.p_adjusted),
        p_not_worse_adjusted=nan_as_none(seen.p_not_worse_adjusted),
        n=int(both.sum()),
        mde=nan_as_none(mde),
        margin=margin,
        verdict="cannot tell",
        missing=int(incomplete.sum()),
        only_candidate=ours_only,
        only_baseline=theirs_only,
        p_mcnemar=p_mcnemar,
        clusters=(
            None
            if clusters is None
            else len({label for label, there in zip(clusters, both, strict=True) if there})
        ),
    )


def _discordant(
    ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> tuple[int | None, int | None, float | None]:
    if not len(ours) or not np.isin([ours, theirs], [0.0, 1.0]).all():
        return None, None, None
    return int((ours > theirs).sum()), int((theirs > ours).sum()), mcnemar(ours, theirs).p_value


def _verdict(
    c: Comparison, seen: _Evidence, worst: _Evidence, best: _Evidence, alpha: float, comparisons: int
) -> tuple[ComparisonVerdict, str]:
    if c.n < LEAST_ITEMS:
        return "cannot tell", f"{c.n} items are compared, and a verdict needs {LEAST_ITEMS}"
    if not (seen.known and worst.known and best.known):
        return "cannot tell", "too few independent clusters to give an interval"
    unsure = f"{c.missing} items lack an answer, and their scores could change the verdict"
    margin = f"the margin of {signed_points(-c.margin)} points"
    if seen.is_better(alpha) and worst.is_better(alpha):
        return "better", "the interval lies above 0"
    if seen.is_not_worse(alpha):
        if not worst.is_not_worse(alpha):
            return "cannot tell", unsure
        return "not worse", f"the interval lies above {margin}"
    if seen.is_worse(alpha):
        if not best.is_worse(alpha):
            return "cannot tell", unsure
        return "worse", "the interval lies below 0"
    several = f"but the p-value adjusted for {comparisons} comparisons is"
    if seen.interval.low > -c.margin:
        p = f"{seen.p_not_worse_adjusted:.3g}, not below {alpha / 2:.3g}"
        return "cannot tell", f"the interval lies above {margin}, {several} {p}"
    if seen.interval.high < 0:
        p = f"{seen.p_adjusted:.3g}, not below {alpha:.3g}"
        return "cannot tell", f"the interval lies below 0, {several} {p}"
    return "cannot tell", f"the interval reaches from below {margin} to above it"


def _more_items(
    c: Comparison, ours: ItemScores, theirs: ItemScores, clusters: Sequence[str] | None, alpha: float
) -> int | None:
    """About how many more items a verdict needs, if the difference seen is the true one: to show
    that it is above -margin, or, where it is not, that it is below 0. Power .8.
    """
    least = max(0, LEAST_ITEMS - c.n)
    if c.difference is None:
        # Items that a dead endpoint did not answer need an endpoint, not more items.
        return None if c.missing else least or None
    target = c.difference + c.margin if c.difference > -c.margin else c.difference
    if target == 0:
        return None
    needed = items_needed(target, ours.mean - theirs.mean, alpha, _POWER, clusters=clusters)
    if math.isnan(needed):
        # No item tells the two apart: Tango's interval of such a sample is ± z²/(n + z²), of n clusters
        # where items come in these.
        if c.difference != 0:
            return least or None
        z = NormalDist().inv_cdf(1 - alpha / 2)
        needed = z * z * (1 - c.margin) / c.margin * (c.n / c.clusters if c.clusters else 1)
    more = max(least, math.ceil(needed) - c.n)
    if more <= 0:
        # Enough by this estimate and still undecided: missing answers, if there are any, stand in the
        # way, and more items are no cure for these.
        return None if c.missing else 1
    return more if more <= _MOST_ITEMS else None
