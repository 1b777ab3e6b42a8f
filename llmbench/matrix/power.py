"""What a set of items can show: the smallest difference, and the items that a smaller one takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from llmbench.numbers import nan_as_none
from llmbench.stats import items_needed, minimum_detectable_paired_difference, resolution_ratio

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POINTS", "PairPower", "pair_power"]

POINTS = (1, 2, 3, 5)
"""Differences, in points, for which the items needed are told."""


class PairPower(NamedTuple):
    """One cell beside the baseline, at 80% power and the level of a comparison, two-sided."""

    candidate: str
    n: int
    """Items that both answered."""
    mde: float | None
    """Smallest difference that they show, in score (0..1); None where the differences do not vary."""
    items_needed: dict[str, int | None]
    """Items for a true difference of so many points."""
    resolution: float | None
    """Items there are over those that the observed difference needs: from 1 on they can tell the two apart
    (`llmbench.stats.resolution_ratio`)."""


def pair_power(
    answers: pd.DataFrame, baseline: str, clusters: Sequence[str] | None = None, alpha: float = 0.05
) -> tuple[PairPower, ...]:
    """Of each cell of an answer table (`MatrixResults.answers`) but the baseline.

    `clusters` is one label per item, in the order of the items; `alpha` is the level of one comparison:
    of several, what Holm's adjustment leaves to the smallest p-value.
    """
    items = list(dict.fromkeys(answers["item_id"]))
    means = answers.pivot_table(index="item_id", columns="cell", values="score", aggfunc="mean")
    means = means.reindex(index=items)
    found = []
    for cell in dict.fromkeys(answers["cell"]):
        if cell == baseline:
            continue
        if cell not in means or baseline not in means:
            found.append(PairPower(cell, 0, None, {str(points): None for points in POINTS}, None))
            continue
        differences = (means[cell] - means[baseline]).to_numpy(dtype=float)
        both = differences == differences
        labels = (
            None
            if clusters is None
            else [label for label, there in zip(clusters, both, strict=True) if there]
        )
        values = differences[both]
        mde = minimum_detectable_paired_difference(values, alpha=alpha, clusters=labels)
        needed = {
            str(points): _whole(items_needed(points / 100, values, alpha, clusters=labels))
            for points in POINTS
        }
        ratio = resolution_ratio(values, alpha, clusters=labels)
        found.append(PairPower(cell, len(values), nan_as_none(mde), needed, nan_as_none(ratio)))
    return tuple(found)


def _whole(items: float) -> int | None:
    return None if math.isnan(items) else math.ceil(items)
