"""Items on which a candidate and the baseline score differently."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llmbench.matrix.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["disagreements"]

_SAME = 1e-12


def disagreements(
    answers: pd.DataFrame, dataset: Dataset, candidate: str, baseline: str, n: int, seed: int
) -> pd.DataFrame:
    """Up to `n` items on which candidate and baseline score differently: the largest differences of
    their mean scores first, drawn by `seed` among equals.

    Of several draws the answers are of two that differ as the means do: the best of the side that is
    better, the worst of the other (the first of equals; `candidate_repeat`, `baseline_repeat`).
    `candidate_right` of `candidate_draws` that have a score are right; NaN where a score is not just
    right or wrong. Answers are None where results of others do not tell them.
    """
    import numpy as np
    import pandas as pd

    sides = {
        "candidate": _scored(answers, candidate),
        "baseline": _scored(answers, baseline),
    }
    ours, theirs = (rows.groupby("item_id", sort=False)["score"].mean() for rows in sides.values())
    difference = (ours - theirs.reindex(ours.index)).dropna()
    # Sums of the same scores in another order are not a difference.
    difference = difference[difference.abs() > _SAME]
    rng = np.random.default_rng(seed)
    drawn = difference.to_frame("difference").assign(
        order=rng.permutation(len(difference)), size=-difference.abs()
    )
    drawn = drawn.sort_values(["size", "order"]).head(n)
    items = {item.id: item for item in dataset.rows}
    column = dataset.prompt_column
    by_item = {
        side: {str(name): part for name, part in rows[rows["item_id"].isin(drawn.index)].groupby("item_id")}
        for side, rows in sides.items()
    }
    found = []
    for name, above in zip(map(str, drawn.index), drawn["difference"], strict=True):
        told: dict[str, Any] = {}
        for side, highest in (("baseline", above < 0), ("candidate", above > 0)):
            told |= _told(side, by_item[side][name], highest=highest)
        first = by_item["candidate"][name].iloc[0]
        prompt = items[name].fields.get(column) if column else None
        found.append(
            {
                "item_id": name, "category": first["category"], "prompt": prompt,
                "expected": first["expected"], **told, "difference": above,
            }
        )  # fmt: skip
    sided = ("answer", "score", "repeat", "right", "draws")
    columns = [
        "item_id", "category", "prompt", "expected",
        *(f"{side}_{name}" for name in sided for side in ("baseline", "candidate")), "difference",
    ]  # fmt: skip
    return pd.DataFrame(found, columns=columns)


def _scored(answers: pd.DataFrame, label: str) -> pd.DataFrame:
    rows = answers[(answers["cell"] == label) & answers["score"].notna()]
    return rows[["item_id", "category", "expected", "answer", "repeat", "score"]]


def _told(side: str, rows: pd.DataFrame, *, highest: bool) -> dict[str, Any]:
    """Of one item's draws: the best or the worst one, and how many are right."""
    scores = rows["score"].to_numpy(dtype=float)
    shown = rows.iloc[int(scores.argmax() if highest else scores.argmin())]
    right = float(scores.sum()) if ((scores == 0) | (scores == 1)).all() else math.nan
    answer = shown["answer"]
    return {
        f"{side}_answer": answer if isinstance(answer, str) else None,
        f"{side}_score": float(scores.mean()), f"{side}_repeat": int(shown["repeat"]),
        f"{side}_right": right, f"{side}_draws": len(scores),
    }  # fmt: skip
