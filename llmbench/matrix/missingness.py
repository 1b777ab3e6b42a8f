"""Which answers are missing, and whether one model lacks more of them than the baseline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.stats import adjust_p_values, mcnemar

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UnevenMissing", "missing_by_reason", "uneven_missing"]

_UNLIKELY = 0.05


class UnevenMissing(NamedTuple):
    """A cell and the baseline lack answers to different items more often than chance explains."""

    candidate: str
    missing: int
    """Items on which the candidate lacks an answer, and the baseline has all."""
    missing_baseline: int
    """The other way round."""
    p_adjusted: float
    """Exact McNemar test, by Holm over all candidates."""


def missing_by_reason(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Missing answers by model and error, most first."""
    rows = answers[answers["missing"].to_numpy(dtype=bool)]
    # Numbers of lines and requests differ in messages that are otherwise the same.
    kinds = (
        re.sub(r"\d+", "#", error.partition(":")[0]) if isinstance(error, str) else "not asked"
        for error in rows["error"]
    )
    counts = Counter(zip(rows["model"], kinds, strict=True))
    return [{"model": model, "error": kind, "answers": n} for (model, kind), n in counts.most_common()]


def uneven_missing(answers: pd.DataFrame, baseline: str, cells: Sequence[str]) -> tuple[UnevenMissing, ...]:
    """The cells whose answers are missing unlike the baseline's, at 5% over all of them together.

    Such answers are probably not missing at random (long items that run into a deadline, a filter), and the
    items that are left may favour one side.
    """
    lacking = {
        cell: rows.groupby("item_id", sort=False)["missing"].any()
        for cell, rows in answers.groupby("cell", sort=False)
    }
    theirs = lacking[baseline].astype(float)
    pairs = [(cell, lacking[cell].reindex(theirs.index).astype(float)) for cell in cells if cell != baseline]
    tests = adjust_p_values([mcnemar(ours.to_numpy(), theirs.to_numpy()).p_value for _, ours in pairs])
    return tuple(
        UnevenMissing(cell, int((ours > theirs).sum()), int((theirs > ours).sum()), float(p))
        for (cell, ours), p in zip(pairs, tests, strict=True)
        if p < _UNLIKELY
    )
