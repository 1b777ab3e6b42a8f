"""Ratings from a judge's comparisons: Bradley-Terry strengths of the cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from llmbench.stats import Interval, bradley_terry

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix.summary import CellSummary

__all__ = ["Strength", "pairwise_strengths"]

_LEAST_COMPETITORS = 3
_TIE = 0.5


class Strength(NamedTuple):
    """One cell against what all are compared with. Items count once: the mean over their repeats."""

    cell: str
    wins: int
    ties: int
    losses: int
    log_strength: float | None
    """Above that of the opponent; None where one of the two won every item, or none was judged."""
    ci: Interval | None


def pairwise_strengths(
    answers: pd.DataFrame, cells: Sequence[CellSummary], opponent: str
) -> tuple[Strength, ...]:
    """Strengths of an answer table with the scores of a pairwise judge (1, 0.5 or 0), strongest first.

    Every cell meets `opponent` only, a cell or a column of past answers. So its log strength is the logit
    of its score, and the interval that of its score (see `CellSummary.score_ci`) on that scale. Empty for
    fewer than three competitors, where the score says the same.
    """
    rivals = [cell for cell in cells if cell.cell != opponent]
    if len(rivals) + 1 < _LEAST_COMPETITORS:
        return ()
    found = []
    for cell in rivals:
        rows = answers[answers["cell"] == cell.cell]
        score = rows.groupby("item_id", sort=False)["score"].mean().dropna().to_numpy()
        won = float(score.sum())
        ours, theirs = bradley_terry([[0, won], [len(score) - won, 0]])
        strength = float(ours - theirs)
        known = not math.isnan(strength)
        found.append(
            Strength(
                cell.cell,
                wins=int((score > _TIE).sum()),
                ties=int((score == _TIE).sum()),
                losses=int((score < _TIE).sum()),
                log_strength=strength if known else None,
                ci=Interval(*map(_logit, cell.score_ci)) if known and cell.score_ci else None,
            )
        )
    return tuple(sorted(found, key=_place))


def _logit(share: float) -> float:
    if share <= 0:
        return -math.inf
    return math.inf if share >= 1 else math.log(share / (1 - share))


def _place(each: Strength) -> float:
    """Unknown ones last, but for those who won every item."""
    if each.log_strength is not None:
        return -each.log_strength
    return -math.inf if each.wins and not each.losses and not each.ties else math.inf
