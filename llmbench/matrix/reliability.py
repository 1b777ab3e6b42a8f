"""What several answers to one item tell of a cell: whether it can be relied on, and what repeats buy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.matrix.summary import answers_by_cell
from llmbench.numbers import nan_as_none
from llmbench.stats import pass_at_k, pass_hat_k, variance_components

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reliability", "cell_reliability"]


class Reliability(NamedTuple):
    """One cell over its repeats. An answer is right when it has the full score."""

    cell: str
    repeats: int
    """Most answers to one item that have a score."""
    items: int
    """Items with at least one."""
    pass_at_k: float | None
    """Share of items of which at least one of `repeats` answers is right; over items with so many."""
    pass_hat_k: float | None
    """Share of items of which all `repeats` answers are right."""
    between: float | None
    """Variance of scores between items."""
    within: float | None
    """Variance of scores between answers to one item."""
    se_one: float | None
    """Standard error of the score, items taken for independent, with one answer an item."""
    se_now: float | None
    """With `repeats` answers an item."""
    se_many: float | None
    """With ever more answers an item: only more items get below this."""

    def data(self) -> dict[str, Any]:
        """For JSON; null is unknown."""
        return self._asdict()


def cell_reliability(answers: pd.DataFrame, cells: Sequence[str]) -> tuple[Reliability, ...]:
    """Of the cells of an answer table (`MatrixResults.answers`) that were asked more than once an item."""
    by_cell = answers_by_cell(answers)
    found = []
    for cell in cells:
        rows = by_cell[cell].dropna(subset=["score"])
        if not len(rows):
            continue
        items = rows["item_id"]
        right = (rows["score"] == 1.0).groupby(items, sort=False).agg(["size", "sum"])
        repeats = int(right["size"].max())
        if repeats < 2:
            continue
        n, c = right["size"].to_numpy(), right["sum"].to_numpy()
        parts = variance_components(rows["score"].to_numpy(), items)
        errors = [parts.standard_error(k) for k in (1, repeats, math.inf)]
        found.append(
            Reliability(
                cell,
                repeats,
                parts.items,
                _mean(pass_at_k(n, c, repeats)),
                _mean(pass_hat_k(n, c, repeats)),
                *(nan_as_none(value) for value in (parts.between, parts.within, *errors)),
            )
        )
    return tuple(found)


def _mean(shares: Any) -> float | None:
    """Over the items that have enough answers."""
    known = np.asarray(shares, dtype=float)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None
