"""Which cells no other one beats in both quality and money, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["BOOTSTRAPS", "FrontierPoint", "on_frontier", "quality_cost_frontier"]

BOOTSTRAPS = 2000
"""Samples of the items, unless told otherwise."""
_WEIGHTS_AT_ONCE = 4_000_000
"""Of the bootstrap's samples together; all of 2,000 of 50,000 items would be 1.6 GB."""


class FrontierPoint(NamedTuple):
    """One cell in the plane of cost and score."""

    cell: str
    model: str
    score: float
    """Mean over items, 0..1."""
    cost_per_1k_calls: float
    """USD."""
    on_frontier: bool
    """No cell of this sample is at least as good and at most as dear, and better in one of them."""
    probability_on_frontier: float
    """Share of the bootstrap samples in which it is."""


def on_frontier(scores: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of n points is on the frontier; both arrays have shape (..., n).

    A point is off it if another one scores at least as much for at most the same cost, and one of the
    two strictly. Two equal points are both on it.

    >>> on_frontier(np.array([0.5, 0.8, 0.7]), np.array([1.0, 2.0, 3.0])).tolist()
    [True, True, False]
    """
    better = scores[..., :, None] >= scores[..., None, :]
    cheaper = costs[..., :, None] <= costs[..., None, :]
    strictly = (scores[..., :, None] > scores[..., None, :]) | (costs[..., :, None] < costs[..., None, :])
    return np.asarray(~(better & cheaper & strictly).any(axis=-2))


def quality_cost_frontier(
    answers: pd.DataFrame,
    clusters: Sequence[str] | None = None,
    *,
    n_boot: int = BOOTSTRAPS,
    seed: int = 20250123,
) -> tuple[FrontierPoint, ...]:
    """The cells of an answer table (`MatrixResults.answers`) whose costs are all known, dearest last.

    The bootstrap draws items, or clusters of them, with replacement, the same for every cell, and
    computes mean score and mean cost anew: both are means over the items that the cell answered.
    `clusters` is one label per item, in the order of the items. Raises UsageError for `n_boot` under 1.
    """
    if n_boot < 1:
        raise UsageError(f"n_boot must be at least 1; it is {n_boot!r}.")
    given = answers[~answers["missing"].to_numpy(dtype=bool)]
    unpriced = set(given.loc[given["cost_usd"].isna(), "cell"])
    cells = [cell for cell in dict.fromkeys(given["cell"]) if cell not in unpriced]
    if not cells:
        return ()
    items = list(dict.fromkeys(answers["item_id"]))
    kept = given[given["cell"].isin(cells)]
    scores = kept.pivot_table(index="item_id", columns="cell", values="score", aggfunc="mean")
    costs = kept.pivot_table(index="item_id", columns="cell", values="cost_usd", aggfunc="mean")
    tables = (table.reindex(index=items, columns=cells) for table in (scores, costs))
    values = [table.to_numpy(dtype=float, copy=True) for table in tables]
    there = [_known(each) for each in values]
    point = _means(values, there, np.ones((1, len(items))))
    drawn = np.zeros(len(cells))
    for weights in _weights(len(items), clusters, n_boot, seed):
        drawn += on_frontier(*_means(values, there, weights)).sum(axis=0)
    drawn /= n_boot
    here = on_frontier(*point)[0]
    models = dict(zip(given["cell"], given["model"], strict=True))
    found = [
        FrontierPoint(
            cell,
            models[cell],
            float(point[0][0, n]),
            float(point[1][0, n]) * 1000,
            bool(here[n]),
            float(drawn[n]),
        )
        for n, cell in enumerate(cells)
        if not np.isnan(point[0][0, n])
    ]
    return tuple(sorted(found, key=lambda each: each.cost_per_1k_calls))


def _weights(
    items: int, clusters: Sequence[str] | None, n_boot: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """How often each item is in each sample: some samples at a time, shape (samples, items)."""
    rng = np.random.default_rng(seed)
    place: NDArray[np.intp] | None = None
    drawn = items
    if clusters is not None:
        names, place = np.unique(np.asarray(clusters), return_inverse=True)
        drawn = len(names)
    most = max(1, _WEIGHTS_AT_ONCE // max(1, items))
    for start in range(0, n_boot, most):
        counts = rng.multinomial(drawn, np.full(drawn, 1 / drawn), size=min(most, n_boot - start))
        yield np.asarray(counts if place is None else counts[:, place], dtype=float)


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where there is a value, 0 where there is none; there the value becomes 0, too."""
    there = ~np.isnan(values)
    values[~there] = 0.0
    return there.astype(float)


def _means(
    values: Sequence[NDArray[np.float64]], there: Sequence[NDArray[np.float64]], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means per cell of scores and costs, shape (samples, cells); without any item it is NaN."""
    counts = [weights @ there[0]]
    counts.append(counts[0] if np.array_equal(there[0], there[1]) else weights @ there[1])
    scores, costs = (
        np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        for total, count in zip((weights @ each for each in values), counts, strict=True)
    )
    return scores, costs
