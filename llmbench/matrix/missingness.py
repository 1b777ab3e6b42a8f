"""Which answers are missing or have no score, and whether one model lacks more than the baseline."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.matrix.outcome import NO_OPPONENT, NOT_JUDGED
from llmbench.stats import adjust_p_values, mcnemar

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UnevenMissing", "missing_by_reason", "uneven_missing", "why_ungraded"]

_UNLIKELY = 0.05


class UnevenMissing(NamedTuple):
    """A cell and the baseline lack answers to different items more often than chance explains."""

    candidate: str
    missing: int
    """Items on which the candidate lacks an answer or its score, and the baseline has all."""
    missing_baseline: int
    """The other way round."""
    p_adjusted: float
    """Exact McNemar test, by Holm over all candidates."""


def missing_by_reason(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Missing answers by model and error, most first; among them answers that are there and have no score,
    such as "not judged: the judge's reply is no verdict".
    """
    gone = answers["missing"].to_numpy(dtype=bool)
    rows = answers[gone]
    kinds = [
        _kind(error.partition(":")[0]) if isinstance(error, str) else "not asked" for error in rows["error"]
    ]
    ungraded = answers[~gone & answers["score"].isna().to_numpy()]
    kinds += [why_ungraded(note) for note in ungraded["note"]]
    counts = Counter(zip([*rows["model"], *ungraded["model"]], kinds, strict=True))
    return [{"model": model, "error": kind, "answers": n} for (model, kind), n in counts.most_common()]


def why_ungraded(note: object) -> str:
    """Why an answer has no score, by the note of its judge; "no score" where another tool gave none.

    >>> why_ungraded("not judged: the judge's reply is no verdict: it is no JSON object")
    "not judged: the judge's reply is no verdict"
    >>> why_ungraded("what another tool remarks"), why_ungraded(None)
    ('no score', 'no score')
    """
    if not isinstance(note, str) or not note.startswith((NOT_JUDGED, NO_OPPONENT)):
        return "no score"
    return _kind(":".join(note.split(":")[:2]))


def _kind(text: str) -> str:
    """Numbers of lines and requests differ in messages that are otherwise the same."""
    return re.sub(r"\d+", "#", text)


def uneven_missing(answers: pd.DataFrame, baseline: str, cells: Sequence[str]) -> tuple[UnevenMissing, ...]:
    """The cells whose answers are missing or without a score unlike the baseline's, at 5% over all of them
    together.

    Such answers are probably not missing at random (long items that run into a deadline, a filter), and the
    items that are left may favour one side.
    """
    lacking = {
        # A missing answer has no score either.
        cell: rows["score"].isna().groupby(rows["item_id"], sort=False).any()
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
