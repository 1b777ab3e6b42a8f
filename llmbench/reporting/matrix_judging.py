"""The judge of the notebook `model_matrix`, and the people it is checked against."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.reporting.matrix_tables import Table
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import NONE, UNKNOWN, estimate, percent, span

if TYPE_CHECKING:
    from llmbench.matrix import Judging, MatrixResults
    from llmbench.matrix.labels import Labels
    from llmbench.stats import Interval

__all__ = ["judge_sentence", "judge_table", "label_sentence", "label_table", "read_labels", "strength_table"]


def judge_sentence(results: MatrixResults) -> str:
    """Who graded, and what to think of before its scores are believed."""
    judging = results.judging
    if judging is None and results.sources:
        return (
            "The scores are those of the files that were read: another tool graded, and how it did is not "
            "known here."
        )
    if judging is None:
        return "No model judged: scores are by the grader's rule, the same for everybody."
    how = "by a rubric"
    if judging.opponent is not None:
        how = f"in pairs against {judging.opponent}, in both orders"
    did = (
        f"{judging.judge} judged {how}: {judging.asked:,} calls, {judging.failed:,} "
        f"without a verdict (their answers have no score), {dollars(judging.cost_usd)}."
    )
    return encodable(" ".join([did, *judging.warnings]))


def judge_table(results: MatrixResults) -> Table | None:
    """How the judge leans, as far as its own verdicts tell; None where no model judged."""
    import pandas as pd

    judging = results.judging
    if judging is None:
        return None
    rows = _pairwise_rows(judging) if judging.opponent is not None else _rubric_rows(judging)
    frame = pd.DataFrame(
        [
            {"measure": name, "value": value, "low": _end(ci, 0), "high": _end(ci, 1)}
            for name, value, ci, *_ in rows
        ]
    )
    shown = pd.DataFrame(
        [
            {
                "measure": name,
                "found": estimate(value, ci, show),
                "without a leaning": fair,
                "what it means": why,
            }
            for name, value, ci, show, fair, why in rows
        ]
    )
    return Table(frame, shown, ("found", "without a leaning"))


def strength_table(results: MatrixResults) -> Table | None:
    """Wins, ties and losses against the opponent, with Bradley-Terry strengths; None for other graders and
    for fewer than three competitors.
    """
    import pandas as pd

    found = results.strengths()
    if not found:
        return None
    rows = [{**each._asdict(), "low": _end(each.ci, 0), "high": _end(each.ci, 1)} for each in found]
    shown = [
        {
            "cell": each.cell,
            "wins": each.wins,
            "ties": each.ties,
            "losses": each.losses,
            "log strength": estimate(each.log_strength, each.ci, "{:+.2f}".format),
        }
        for each in found
    ]
    return Table(pd.DataFrame(rows).drop(columns="ci"), pd.DataFrame(shown), ("log strength",))


def read_labels(sheet: str, root: Path, results: MatrixResults) -> Labels | None:
    """The sheet that people filled in (`llmbench label export`); None where none is named.

    Raises DatasetError as `import_labels` does, and UsageError for a sheet of another matrix.
    """
    if not sheet:
        return None
    from llmbench.matrix.labels import import_labels

    labels = import_labels(root / Path(sheet).expanduser())
    cells = {cell.cell for cell in results.cells}
    strange = sorted(set(labels.judged["cell"]) - cells)
    if strange:
        raise UsageError(
            f"Parameter 'labels' names a sheet of another matrix: it has answers of {', '.join(strange)}, "
            f"and the cells here are {', '.join(sorted(cells))}; export a sheet from these answers."
        )
    return labels


def label_sentence(labels: Labels | None, results: MatrixResults) -> str:
    """How many labels there are and how far raters agree."""
    if labels is None:
        return (
            "No labels by people were given, so nothing here tells how often the grader is wrong: "
            "llmbench label export draws answers for one or two people to grade."
        )
    agreement = ""
    if labels.raters > 1:
        kappa = "cannot be told yet" if labels.kappa is None else f"{labels.kappa:.2f}"
        agreement = f" Agreement of the two raters (Cohen's kappa): {kappa}."
    stale = _graded_otherwise(labels, results)
    changed = (
        f" {stale:,} answers of the sheet have another score now than when it was exported: export a new one."
        if stale
        else ""
    )
    given = len(labels.table) - labels.blank
    return f"{given:,} labels by people, {labels.blank:,} rows left empty.{agreement}{changed}"


def label_table(labels: Labels, results: MatrixResults) -> Table | None:
    """Of each cell with labels: the grader's score, people's on the sample, and the grader's corrected by
    people's (prediction-powered inference); None where no label is filled in.
    """
    import pandas as pd

    rows, shown = [], []
    there = labels.table.dropna(subset=["label", "judge"])
    for cell, sample in there.groupby("cell", sort=False):
        corrected = labels.corrected(str(cell))
        low, high = (None if math.isnan(end) else float(end) for end in corrected.interval)
        people, judge = float(sample["label"].mean()), float(sample["judge"].mean())
        score = results.cell(str(cell)).score
        rows.append(
            {
                "cell": cell, "labels": len(sample), "people": people, "grader_there": judge, "grader": score,
                "corrected": corrected.mean, "low": low, "high": high, "weight": corrected.judge_weight,
            }
        )  # fmt: skip
        shown.append(
            {
                "cell": cell,
                "labels": len(sample),
                "people, there": percent(people),
                "grader, there": percent(judge),
                "grader, all": UNKNOWN if score is None else percent(score),
                "grader, corrected by people": span(corrected.mean, low, high, percent),
            }
        )
    if not rows:
        return None
    frame = pd.DataFrame(shown)
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[2:]))


def _pairwise_rows(judging: Judging) -> list[tuple[Any, ...]]:
    return [
        (
            "the answer shown first is preferred",
            judging.first_preferred, judging.first_preferred_ci, percent, "50%",
            "of verdicts that were no tie; both orders are asked, and a tie unless both agree",
        ),
        (
            "both orders agree", judging.orders_agree, None, percent, "100%",
            "of pairs; where they do not, place decided and not the answer",
        ),
        ("ties", judging.ties, None, percent, NONE, "of verdicts"),
        (
            "the longer answer is preferred", judging.longer_preferred, judging.longer_preferred_ci, percent,
            "50%", "of verdicts that were no tie; longer answers may also be better",
        ),
    ]  # fmt: skip


def _rubric_rows(judging: Judging) -> list[tuple[Any, ...]]:
    return [
        (
            "rank correlation of score and length", judging.length_correlation, judging.length_correlation_ci,
            "{:+.2f}".format, "0", "Spearman's, within cells; longer answers may also be better",
        )
    ]  # fmt: skip


def _end(interval: Interval | None, place: int) -> float | None:
    return None if interval is None else interval[place]


def _graded_otherwise(labels: Labels, results: MatrixResults) -> int:
    names = ["item_id", "cell", "repeat"]
    now = results.answers[[*names, "score"]]
    both = labels.judged.merge(now, on=names, how="left")
    same = (both["judge"] == both["score"]) | (both["judge"].isna() & both["score"].isna())
    return int((~same).sum())
