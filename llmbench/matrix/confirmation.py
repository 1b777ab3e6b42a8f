"""The best of several candidates, measured again on items that had no part in picking it.

Whatever came out best on some items came out there a little too well. So the items are split by the
seed: one part ranks the candidates, and the difference of the one it picks is taken from the other.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.stats import Interval, paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmbench.matrix.compare import Comparison
    from llmbench.matrix.summary import CellSummary, ItemScores

__all__ = ["Confirmation", "confirm", "held_out"]


class Confirmation(NamedTuple):
    """The candidate that some items picked, on the others; difference candidate minus baseline."""

    candidate: str
    candidates: int
    """Among which it was picked."""
    picked_on: int
    """Items that picked it."""
    n: int
    """Items held out, answered by both; what follows is of these."""
    score: float | None
    baseline_score: float | None
    difference: float | None
    """In score (0..1); None where no held-out item was answered by both."""
    ci: Interval | None
    p_value: float | None
    """Two-sided, of no difference; it needs no adjustment, for the held-out items compare once."""

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {**self._asdict(), "ci": None if self.ci is None else [self.ci.low, self.ci.high]}


def held_out(items: int, clusters: Sequence[Hashable] | None, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of `items` are held out: `share` of the clusters, or of the items, drawn by `seed`.

    >>> held_out(6, ["a", "a", "b", "b", "c", "c"], 0.34, seed=1).tolist()
    [True, True, False, False, False, False]
    """
    numbers: dict[Hashable, int] = {}
    units = np.array(
        [numbers.setdefault(label, len(numbers)) for label in clusters or range(items)], dtype=int
    )
    count = len(numbers)
    drawn = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    return np.asarray(np.isin(units, drawn))


def confirm(
    baseline: str,
    comparisons: Sequence[Comparison],
    cells: Mapping[str, CellSummary],
    scores: Mapping[str, ItemScores],
    clusters: Sequence[str] | None,
    *,
    share: float,
    confidence: float,
    seed: int,
) -> Confirmation | None:
    """Pick the best candidate on a part of the items, and compare it on the rest.

    Candidates are ranked by their mean difference from the baseline on the items that are not held out; at
    equal differences the cheaper one is first. Nothing of the held-out items goes into that, verdicts over
    all items neither. None where there are fewer than two candidates, or `share` is 0.
    """
    if len(comparisons) < 2 or share == 0:
        return None
    theirs = scores[baseline].mean
    out = held_out(len(theirs), clusters, share, seed)

    def rank(c: Comparison) -> tuple[float, float]:
        # Against the baseline, so that candidates with missing answers are compared on their own items.
        difference = (scores[c.candidate].mean - theirs)[~out]
        known = difference[~np.isnan(difference)]
        cost = cells[c.candidate].cost_per_1k_calls
        return -float(known.mean()) if len(known) else math.inf, math.inf if cost is None else cost

    picked = min(comparisons, key=rank).candidate
    ours = scores[picked].mean
    labels = (
        None if clusters is None else [label for label, there in zip(clusters, out, strict=True) if there]
    )
    found = paired_difference(ours[out], theirs[out], labels, confidence)
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    seen = both & out
    return Confirmation(
        candidate=picked,
        candidates=len(comparisons),
        picked_on=int((both & ~out).sum()),
        n=int(seen.sum()),
        score=float(ours[seen].mean()) if seen.any() else None,
        baseline_score=float(theirs[seen].mean()) if seen.any() else None,
        difference=None if math.isnan(found.difference) else found.difference,
        ci=None if math.isnan(found.interval.low) else found.interval,
        p_value=None if math.isnan(found.p_value) else found.p_value,
    )
