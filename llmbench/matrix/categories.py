"""Scores of the cells within each category of the items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.matrix.summary import answers_by_cell, item_scores, score_interval
from llmbench.stats import Interval, adjust_p_values, paired_difference

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix.dataset import Dataset

__all__ = ["CategoryDifference", "CategoryScore", "category_differences", "category_scores"]


class CategoryScore(NamedTuple):
    """One cell on the items of one category."""

    category: str | None
    cell: str
    n: int
    """Items that it answered."""
    score: float | None
    """Mean over those, 0..1."""
    ci: Interval | None


class CategoryDifference(NamedTuple):
    """Candidate minus baseline on the items of one category that both answered. Exploratory."""

    category: str | None
    candidate: str
    n: int
    difference: float | None
    ci: Interval | None
    """Not adjusted."""
    p_adjusted: float | None
    """Two-sided, of no difference; Benjamini-Hochberg over the categories."""


def category_differences(
    answers: pd.DataFrame, candidate: str, baseline: str, dataset: Dataset, confidence: float = 0.95
) -> tuple[CategoryDifference, ...]:
    """One candidate of an answer table against the baseline, by category in the order of the items."""
    by_cell = answers_by_cell(answers)
    ours, theirs = (
        item_scores(by_cell[cell], int(by_cell[cell]["repeat"].max()) + 1).mean
        for cell in (candidate, baseline)
    )
    clusters = np.array([item.cluster or item.id for item in dataset.rows], dtype=object)
    categories = [item.category for item in dataset.rows]
    parts = []
    for category in dict.fromkeys(categories):
        inside = np.array([each == category for each in categories], dtype=bool)
        labels = clusters[inside].tolist() if dataset.clustered else None
        both = int((~np.isnan(ours[inside]) & ~np.isnan(theirs[inside])).sum())
        parts.append((category, both, paired_difference(ours[inside], theirs[inside], labels, confidence)))
    adjusted = adjust_p_values([found.p_value for *_, found in parts], "benjamini-hochberg")
    return tuple(
        CategoryDifference(
            category,
            candidate,
            n,
            None if math.isnan(found.difference) else found.difference,
            None if math.isnan(found.interval.low) else found.interval,
            None if math.isnan(p) else float(p),
        )
        for (category, n, found), p in zip(parts, adjusted, strict=True)
    )


def category_scores(
    answers: pd.DataFrame, cells: Sequence[str], dataset: Dataset, confidence: float = 0.95
) -> tuple[CategoryScore, ...]:
    """Of an answer table (`MatrixResults.answers`), by category in the order of the items, then `cells`.

    Exploratory: nothing is adjusted for the number of looks. Intervals as those of `CellSummary.score_ci`.
    """
    by_cell = answers_by_cell(answers)
    scores = {cell: item_scores(by_cell[cell], int(by_cell[cell]["repeat"].max()) + 1) for cell in cells}
    clusters = np.array([item.cluster or item.id for item in dataset.rows], dtype=object)
    categories = [item.category for item in dataset.rows]
    found = []
    for category in dict.fromkeys(categories):
        inside = np.array([each == category for each in categories], dtype=bool)
        labels = clusters[inside].tolist()
        for cell in cells:
            part = scores[cell].part(inside)
            known = part.mean[~np.isnan(part.mean)]
            interval = score_interval(part, labels, confidence)
            found.append(
                CategoryScore(
                    category,
                    cell,
                    len(known),
                    float(known.mean()) if len(known) else None,
                    None if math.isnan(interval.low) else interval,
                )
            )
    return tuple(found)
