"""The judge of the notebook `model_matrix`, and the people it is checked against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.matrix.graders import PerItem
from llmbench.matrix.label_statistics import FEW_LABELS, cell_labels
from llmbench.money import dollars
from llmbench.numbers import signed, signed_points
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import estimate, limits, percent
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.matrix import Judging, MatrixResults
    from llmbench.matrix.labels import Labels

__all__ = [
    "judge_sentence",
    "judge_table",
    "label_sentence",
    "label_table",
    "read_labels",
    "strength_sentence",
    "strength_table",
]


_MOST_NAMED = 3


def judge_sentence(results: MatrixResults) -> str:
    """Who graded, and what to think of before its scores are believed."""
    judging = results.judging
    if judging is None and results.sources:
        return (
            "The scores are those of the files that were read: another tool graded, and how it did is not "
            "known here."
        )
    if judging is None:
        named = f"the grader {results.grader!r}"
        if results.grader == PerItem.name:
            named = "the grader that the data name for each item"
        return encodable(f"No model judged: scores are by the rule of {named}, the same for everybody.")
    how = "by a rubric"
    if judging.opponent is not None:
        how = f"in pairs against {judging.opponent}, in both orders"
    did = (
        f"{judging.judge} judged {how}: {judging.asked:,} calls, {judging.failed:,} "
        f"without a verdict (their answers have no score), {dollars(judging.cost_usd)}."
    )
    return encodable(" ".join([did, *judging.warnings]))


def judge_table(results: MatrixResults, labels: Labels | None = None) -> ReportTable | None:
    """How the judge leans, as far as its own verdicts tell, and how far it agrees with people where
    `labels` has their grades; None where no model judged.
    """
    import pandas as pd

    judging = results.judging
    if judging is None:
        return None
    rows = _pairwise_rows(judging) if judging.opponent is not None else _rubric_rows(judging)
    if labels is not None:
        rows.append(
            (
                "agreement with people, kappa", labels.grader_kappa(), None, "{:.2f}".format, "1",
                "Cohen's, over answers that both graded; 0 is what chance gives",
            )
        )  # fmt: skip
    frame = pd.DataFrame(
        [
            {"measure": name, "value": value, "low": limits(ci)[0], "high": limits(ci)[1]}
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
    return ReportTable(frame, shown, ("found", "without a leaning"))


def strength_table(results: MatrixResults) -> ReportTable | None:
    """Wins, ties and losses against the opponent, with Bradley-Terry strengths; None for other graders and
    for fewer than three competitors.
    """
    import pandas as pd

    found = results.strengths()
    if not found:
        return None
    rows = [{**each._asdict(), "low": limits(each.ci)[0], "high": limits(each.ci)[1]} for each in found]
    shown = [
        {
            "cell": each.cell,
            "wins": each.wins,
            "ties": each.ties,
            "losses": each.losses,
            "log strength": estimate(each.log_strength, each.ci, _signed),
        }
        for each in found
    ]
    return ReportTable(pd.DataFrame(rows).drop(columns="ci"), pd.DataFrame(shown), ("log strength",))


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
    with_people = labels.grader_kappa()
    if with_people is not None:
        agreement += f" Agreement of the grader with people (Cohen's kappa): {with_people:.2f}."
    few = [each.cell for each in cell_labels(labels, results) if each.labels < FEW_LABELS]
    if few:
        more = f" and {len(few) - _MOST_NAMED:,} more" if len(few) > _MOST_NAMED else ""
        changed += (
            f" Under {FEW_LABELS} labels a corrected interval tends to be too narrow; so few have "
            f"{', '.join(few[:_MOST_NAMED])}{more}."
        )
    answered = int(results.answers["answer"].notna().sum())
    if len(labels.judged) < answered:
        changed += (
            f" The sheet was drawn from {len(labels.judged):,} of the {answered:,} answers, so what is "
            "corrected is the score of those."
        )
    return f"{given:,} labels by people, {labels.blank:,} rows left empty.{agreement}{changed}"


def label_table(labels: Labels, results: MatrixResults) -> ReportTable | None:
    """Of each cell with labels: the grader's score, people's on the sample, and the grader's corrected by
    people's (prediction-powered inference); None where no label is filled in.
    """
    import pandas as pd

    found = cell_labels(labels, results)
    if not found:
        return None
    rows = [
        {
            **{name: value for name, value in each._asdict().items() if not name.endswith("_ci")},
            "low": limits(each.corrected_ci)[0], "high": limits(each.corrected_ci)[1],
            "difference_low": limits(each.difference_ci)[0], "difference_high": limits(each.difference_ci)[1],
        }
        for each in found
    ]  # fmt: skip
    shown = pd.DataFrame(
        [
            {
                "cell": each.cell,
                "labels": each.labels,
                "people, there": percent(each.people),
                "grader, there": percent(each.grader_there),
                "kappa": UNKNOWN if each.kappa is None else f"{each.kappa:.2f}",
                "grader, all": UNKNOWN if each.grader is None else percent(each.grader),
                "grader, corrected by people": estimate(each.corrected, each.corrected_ci, percent),
                "difference corrected, points": (
                    "baseline"
                    if each.cell == results.baseline
                    else estimate(each.difference, each.difference_ci, signed_points)
                ),
            }
            for each in found
        ]
    )
    return ReportTable(pd.DataFrame(rows), shown, tuple(shown.columns[2:]))


def strength_sentence(results: MatrixResults) -> str | None:
    """What the strengths rest on; None where there are none."""
    if results.judging is None or not results.strengths():
        return None
    return encodable(
        f"Every cell met {results.judging.opponent} only: its strength is against that one opponent, and no "
        "two candidates were compared with each other, so their order rests on the model and not on games "
        "between them. To see two of them meet, run again with one as what is compared with."
    )


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
        (
            "both orders agree, kappa", judging.orders_kappa, None, "{:.2f}".format, "1",
            "Cohen's, between the verdicts in one order and in the other; 0 is what chance gives",
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
            _signed, "0", "Spearman's, within cells; longer answers may also be better",
        )
    ]  # fmt: skip


def _graded_otherwise(labels: Labels, results: MatrixResults) -> int:
    names = ["item_id", "cell", "repeat"]
    now = results.answers[[*names, "score"]]
    both = labels.judged.merge(now, on=names, how="left")
    same = (both["judge"] == both["score"]) | (both["judge"].isna() & both["score"].isna())
    return int((~same).sum())


def _signed(value: float) -> str:
    return signed(value, "+.2f")
