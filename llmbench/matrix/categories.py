"""Scores of the cells within each category of the items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.matrix.summary import item_scores, score_interval
from llmbench.stats import Interval

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix.dataset import Dataset

__all__ = ["CategoryScore", "category_scores"]


class CategoryScore(NamedTuple):
    """One cell on the items of one category."""

    category: str | None
    cell: str
    n: int
    """Items that it answered."""
    score: float | None
    """Mean over those, 0..1."""
    ci: Interval | None


def category_scores(
    answers: pd.DataFrame, cells: Sequence[str], dataset: Dataset, confidence: float = 0.95
) -> tuple[CategoryScore, ...]:
    """Of an answer table (`MatrixResults.answers`), by category in the order of the items, then `cells`.

    Exploratory: nothing is adjusted for the number of looks. Intervals as those of `CellSummary.score_ci`.
    """
    by_cell = {str(name): rows for name, rows in answers.groupby("cell", sort=False)}
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
