"""What more training examples buy: the score by size of the training set, over seeds.

Two things are drawn by chance, the items and the seed of the training; both are in the interval. With y the
score of item i under seed s, the mean over n items and S seeds has the variance

    V = V_items + V_seeds - V_rest

of the two one-way means and of what neither explains, as in a two-way layout with random rows and columns
(Searle, Casella and McCulloch 1992, chapter 4), never below the larger of the first two; the degrees of
freedom are Satterthwaite's. Of one seed nothing is known of how far seeds differ: the interval is then of
that one trained model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats import Interval, mean_and_standard_error, mean_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["CurvePoint", "LearningCurve", "TrainedScore", "learning_curve"]


class TrainedScore(NamedTuple):
    """One trained model."""

    n_train: int
    """Examples it was trained on; 0 is the base model."""
    seed: int
    score: float
    """Mean over the items it answered."""
    ci: Interval
    """Over items: of this one trained model."""


class CurvePoint(NamedTuple):
    """One size, over its seeds."""

    n_train: int
    seeds: int
    score: float
    """Mean over the items that the models of all seeds answered."""
    ci: Interval
    """Over items and seeds; over items alone where there is one seed."""
    seed_sd: float
    """How far the scores of seeds lie apart, standard deviation; NaN of one seed."""
    n: int
    """Items."""


@shown
@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Scores by size of the training set. Made by `learning_curve`."""

    points: tuple[CurvePoint, ...]
    """By size, the smallest first."""
    trained: tuple[TrainedScore, ...]
    confidence: float

    def gain(self) -> float:
        """Score at the largest size minus that of the smallest."""
        return self.points[-1].score - self.points[0].score

    def to_pandas(self) -> pd.DataFrame:
        """One row a size: n_train, seeds, score, low, high, seed_sd, n."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "n_train": p.n_train, "seeds": p.seeds, "score": p.score, "low": p.ci.low,
                    "high": p.ci.high, "seed_sd": p.seed_sd, "n": p.n,
                }
                for p in self.points
            ]
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.to_pandas().to_html(index=False, float_format="{:.3f}".format))


def learning_curve(
    scores: Mapping[tuple[int, int], Sequence[float]],
    clusters: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> LearningCurve:
    """The curve of `scores`: {(examples, seed): score of each item}, the same items in the same order.

    NaN is a missing answer; a size's mean is over the items that all of its seeds answered. `clusters` says
    which items belong together. Raises UsageError for lists of different lengths, no list, or a negative
    size.

    >>> flat = learning_curve({(0, 0): [0, 1, 0, 1], (8, 1): [1, 1, 0, 1], (8, 2): [1, 1, 1, 0]})
    >>> [(p.n_train, p.seeds, p.score) for p in flat.points]
    [(0, 1, 0.5), (8, 2, 0.75)]
    """
    if not scores:
        raise UsageError("learning_curve needs the scores of at least one trained model.")
    lengths = {len(values) for values in scores.values()}
    if len(lengths) != 1:
        raise UsageError(
            f"scores has lists of {' and '.join(map(str, sorted(lengths)))} items; give the same items, in "
            "the same order, for every trained model, with NaN where an answer is missing."
        )
    if clusters is not None and len(clusters) not in lengths:
        raise UsageError(f"clusters has {len(clusters)} names for {lengths.pop()} items.")
    if min(size for size, _ in scores) < 0:
        raise UsageError("A number of training examples cannot be negative; 0 is the base model.")
    tables = {key: np.asarray(values, dtype=float) for key, values in scores.items()}
    points, trained = [], []
    for size in sorted({size for size, _ in tables}):
        of_size = {seed: tables[size, seed] for n, seed in sorted(tables) if n == size}
        points.append(_point(size, np.array(list(of_size.values())), clusters, confidence))
        trained += [
            TrainedScore(size, seed, *_over_items(values, clusters, confidence))
            for seed, values in of_size.items()
        ]
    return LearningCurve(tuple(points), tuple(trained), confidence)


def _over_items(
    values: NDArray[np.float64], clusters: Sequence[str] | None, confidence: float
) -> tuple[float, Interval]:
    known = [i for i, value in enumerate(values) if not math.isnan(value)]
    groups = None if clusters is None else [clusters[i] for i in known]
    return _of_items(values[known], groups, confidence)


def _of_items(
    values: NDArray[np.float64], groups: Sequence[str] | None, confidence: float
) -> tuple[float, Interval]:
    """Mean and Student's t interval; of items without any spread the exact one, which is no point."""
    if not len(values):
        return math.nan, Interval(math.nan, math.nan)
    found = mean_interval(values, groups, confidence, value_range=(0.0, 1.0))
    if not math.isnan(found.low):
        found = Interval(max(0.0, found.low), min(1.0, found.high))
    return float(values.mean()), found


def _point(
    size: int, table: NDArray[np.float64], clusters: Sequence[str] | None, confidence: float
) -> CurvePoint:
    """`table` has a row a seed and a column an item."""
    known: NDArray[np.bool_] = np.logical_not(np.isnan(table).any(axis=0))
    table = table[:, known]
    groups = None if clusters is None else [name for name, kept in zip(clusters, known, strict=True) if kept]
    seeds, items = table.shape
    if items == 0:
        return CurvePoint(size, seeds, math.nan, Interval(math.nan, math.nan), math.nan, 0)
    by_item, by_seed = table.mean(axis=0), table.mean(axis=1)
    mean, error = mean_and_standard_error(by_item, groups)
    of_items, degrees = error**2, (len(set(groups)) if groups is not None else items) - 1
    if seeds == 1 or not table.std():
        interval = _of_items(by_item, groups, confidence)[1]
        return CurvePoint(size, seeds, mean, interval, math.nan if seeds == 1 else 0.0, items)
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    rest = table - by_item[None, :] - by_seed[:, None] + mean
    of_rest = float((rest**2).sum()) / max(1, (seeds - 1) * (items - 1)) / (seeds * items)
    variance = max(of_items, of_seeds, of_items + of_seeds - of_rest)
    spread = of_items**2 / max(1, degrees) + of_seeds**2 / (seeds - 1)
    freedom = variance**2 / spread if spread > 0 else float(degrees)
    interval = _interval(mean, variance, freedom, confidence)
    return CurvePoint(size, seeds, mean, interval, float(by_seed.std(ddof=1)), items)


def _interval(mean: float, variance: float, degrees: float, confidence: float) -> Interval:
    """Student's t, kept within 0 and 1, where scores lie; unknown below one degree of freedom."""
    from scipy.special import stdtrit

    if degrees < 1 or math.isnan(variance):
        return Interval(math.nan, math.nan)
    half = float(stdtrit(degrees, (1 + confidence) / 2)) * math.sqrt(variance)
    return Interval(max(0.0, mean - half), min(1.0, mean + half))
