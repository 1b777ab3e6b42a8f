"""What the notebook `model_matrix` shows: tables, figures and sentences of a matrix's results.

Numbers come from `llmbench.matrix`; here they are only put into words and columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmbench.money import dollars
from llmbench.numbers import signed_points
from llmbench.reporting.figures import DifferenceRow, ForestRow, Plot, difference_forest, forest
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import (
    estimate,
    limits,
    p_value,
    percent,
    points,
    shorten,
    whole,
)
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix import MatrixResults
    from llmbench.matrix.summary import CellSummary

__all__ = [
    "FIRST_SCREEN",
    "best_candidate",
    "difference_figure",
    "disagreement_sentence",
    "disagreement_table",
    "discordance_table",
    "margin_sentence",
    "more_sentence",
    "ranked_cells",
    "ranked_table",
    "score_figure",
    "score_text",
]


FIRST_SCREEN = 12
"""Cells that a reader takes in at once."""
_NOT_TOLD = "not in the file"


def score_text(results: MatrixResults) -> str:
    """A few lines of plain text, the same on every machine that replays the same ledger."""
    lines = [f"{'cell':<32}{'n':>5}{'missing':>9}{'score':>8}{'difference':>12}  verdict"]
    compared = {c.candidate: c for c in results.comparisons}
    for cell in ranked_cells(results):
        comparison = compared.get(cell.cell)
        score = UNKNOWN if cell.score is None else percent(cell.score)
        difference = comparison.difference if comparison else None
        lines.append(
            f"{cell.cell:<32}{cell.n:>5}{cell.missing:>9}{score:>8}"
            f"{'' if difference is None else signed_points(difference):>12}"
            f"  {comparison.verdict if comparison else 'baseline'}"
        )
    return "\n".join(lines)


def margin_sentence(results: MatrixResults, reason: str) -> str:
    """What "not worse" means in this report, and how the intervals are to be read."""
    because = f", because {reason}" if reason else ""
    return (
        f"Not worse means: at most {points(results.margin)} points below the baseline {results.baseline}"
        f"{because}. Intervals are {100 * results.confidence:g}%; differences are between answers to the "
        "same items."
    )


def ranked_table(results: MatrixResults, most: int | None = FIRST_SCREEN) -> ReportTable:
    """Cells, best first: score, difference from the baseline, cost and latency, with intervals.

    A reader sees the `most` best ones and the baseline; None: all. How many answers are missing, or have no
    score, stands there where some do. The numbers are of all cells.
    """
    import pandas as pd

    against = {comparison.candidate: comparison for comparison in results.comparisons}
    rows = []
    for label in (cell.cell for cell in ranked_cells(results, most)):
        cell, comparison = results.cell(label), against.get(label)
        rows.append(
            {
                "model [prompt]": label,
                "score": estimate(cell.score, cell.score_ci, percent),
                "n": cell.n,
                "missing": cell.missing,
                "no score": cell.ungraded,
                "difference, points": (
                    "baseline"
                    if comparison is None
                    else estimate(comparison.difference, comparison.ci, signed_points)
                ),
                "p adjusted": NONE if comparison is None else p_value(comparison.p_adjusted),
                "verdict": NONE if comparison is None else comparison.verdict,
                "$ per 1,000 calls": estimate(cell.cost_per_1k_calls, cell.cost_per_1k_calls_ci, dollars),
                "latency p50, ms": estimate(cell.latency_p50_ms, cell.latency_p50_ci, whole),
            }
        )
    shown = pd.DataFrame(rows)
    for name, counts in (
        ("missing", [cell.missing for cell in results.cells]),
        ("no score", [cell.ungraded for cell in results.cells]),
    ):
        if not any(counts):
            shown = shown.drop(columns=name)
    numbers = ("score", "difference, points", "p adjusted", "$ per 1,000 calls", "latency p50, ms")
    if results.sources:  # what other tools do not tell of any model would be a column of "unknown"
        told = [name for name in shown if name not in numbers or (shown[name] != UNKNOWN).any()]
        shown = shown[told]
    return ReportTable(results.ranking(), shown, tuple(name for name in numbers if name in shown))


def more_sentence(results: MatrixResults) -> str | None:
    """Where the cells are that the first screen has no room for; None where it shows all."""
    left = len(results.cells) - len(ranked_cells(results, FIRST_SCREEN))
    if not left:
        return None
    all_cells = len(results.cells)
    return (
        f"The {FIRST_SCREEN} best and the baseline are shown, here and below; all {all_cells} are in the "
        "appendix, and in the CSV of each table."
    )


def score_figure(results: MatrixResults, most: int | None = FIRST_SCREEN) -> Plot | None:
    """Forest plot of the scores, in the order of the ranked table; None where no cell has one."""
    rows = [
        ForestRow(cell.cell, cell.score, *limits(cell.score_ci), cell.n, cell.cell == results.baseline)
        for cell in ranked_cells(results, most)
        if cell.score is not None
    ]
    if not rows:
        return None
    return forest(
        rows,
        xlabel="score, %",
        title="Score",
        caption=(
            f"Mean score over the items each cell answered, with {100 * results.confidence:g}% intervals. "
            "Whether two cells differ is read from the differences, not from these intervals."
        ),
    )


def difference_figure(results: MatrixResults, most: int | None = FIRST_SCREEN) -> Plot | None:
    """Forest plot of the paired differences from the baseline; None where nothing is compared."""
    compared = {c.candidate: c for c in results.comparisons if c.difference is not None}
    rows = [
        DifferenceRow(
            label=cell.cell,
            difference=compared[cell.cell].difference or 0.0,
            low=limits(compared[cell.cell].ci)[0],
            high=limits(compared[cell.cell].ci)[1],
            n=compared[cell.cell].n,
            mde=compared[cell.cell].mde,
            verdict=compared[cell.cell].verdict,
        )
        for cell in ranked_cells(results, most)
        if cell.cell in compared
    ]
    if not rows:
        return None
    return difference_forest(
        rows,
        margin=results.margin,
        baseline=results.baseline,
        xlabel="difference, points",
        title="Difference from the baseline",
        caption=(
            f"Mean of candidate minus {results.baseline} over the items that both answered (paired), with "
            f"{100 * results.confidence:g}% intervals. Shaded: the margin that still counts as not worse. "
            'Grey bar: true differences that so many items show with less than 80% chance; "detects" is '
            "half of its width, adjusted for the number of candidates."
        ),
    )


def disagreement_table(results: MatrixResults, n: int = 10) -> ReportTable | None:
    """Items on which the decisive candidate and the baseline score differently; None where there is
    no such item, nothing to compare, or no answer to read (see `disagreement_sentence`).
    """
    candidate = best_candidate(results)
    if candidate is None:
        return None
    frame = results.disagreements(candidate, n)
    if frame.empty or not _has_answers(results, candidate):
        return None
    fields = {item.id: item.fields for item in results.dataset.rows}
    shown = frame[["item_id", "category", "expected", "baseline_answer", "candidate_answer"]].copy()
    shown.insert(2, "item", [_excerpt(fields[name], results.dataset) for name in frame["item_id"]])
    for column in ("baseline_answer", "candidate_answer"):
        # What failed has no score, and so is not in here.
        shown[column] = [shorten(value) if isinstance(value, str) else _NOT_TOLD for value in shown[column]]
    shown["right"] = [_who_is_right(row) for _, row in frame.iterrows()]
    shown.columns = [str(column).replace("_", " ") for column in shown.columns]
    return ReportTable(frame, shown)


def disagreement_sentence(results: MatrixResults) -> str | None:
    """How the table of disagreements is to be read, or why there is none; None where nothing needs saying."""
    candidate = best_candidate(results)
    if candidate is None or results.disagreements(candidate, 1).empty:
        return "They agree on every item, or there is nothing to compare."
    if not _has_answers(results, candidate):
        return (
            "These results have scores and no answers, so there is nothing to read where they differ: "
            "matrix_view.csv has the scores of every item."
        )
    if results.answers["repeat"].max() > 0:
        return (
            "Items were asked more than once. Shown are two answers that differ as the means do; the last "
            "column has how many were right on each side, or the mean scores."
        )
    return None


def _has_answers(results: MatrixResults, candidate: str) -> bool:
    rows = results.answers[results.answers["cell"].isin([candidate, results.baseline])]
    return bool(rows["answer"].notna().any())


def _who_is_right(row: pd.Series[Any]) -> str:
    side, other = ("candidate", "baseline") if row["difference"] > 0 else ("baseline", "candidate")
    if row["candidate_draws"] == row["baseline_draws"] == 1:
        return side
    counts = [row[f"{which}_right"] for which in (side, other)]
    if any(math.isnan(count) for count in counts):
        return f"{side}: {row[f'{side}_score']:.2f} against {row[f'{other}_score']:.2f}"
    ours, theirs = (
        f"{count:.0f} of {row[f'{which}_draws']}" for count, which in zip(counts, (side, other), strict=True)
    )
    return f"{side}: {ours} against {theirs}"


def discordance_table(results: MatrixResults) -> ReportTable | None:
    """How many items only one of the two got right, with McNemar's exact test; None where answers are not
    just right or wrong.
    """
    import pandas as pd

    kept = {cell.cell for cell in ranked_cells(results, FIRST_SCREEN)}
    found = [c for c in results.comparisons if c.only_candidate is not None]
    if not found:
        return None
    rows = [
        {
            "candidate": c.candidate, "n": c.n, "only_candidate": c.only_candidate,
            "only_baseline": c.only_baseline, "p_mcnemar": c.p_mcnemar, "p_value": c.p_value,
        }
        for c in found
    ]  # fmt: skip
    shown = [
        {
            "candidate": c.candidate,
            "items": f"{c.n:,}",
            "right by it alone": f"{c.only_candidate:,}",
            "right by the baseline alone": f"{c.only_baseline:,}",
            "p, exact McNemar": p_value(c.p_mcnemar),
            "p, score": p_value(c.p_value),
        }
        for c in found
        if c.candidate in kept
    ]
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def best_candidate(results: MatrixResults) -> str | None:
    """The cell that the verdict is about; None where nothing is compared."""
    return results.chosen.candidate if results.chosen else None


def ranked_cells(results: MatrixResults, most: int | None = None) -> list[CellSummary]:
    """Best first; of more than `most` the best ones, and the baseline and the chosen one in any case."""
    by_label = {cell.cell: cell for cell in results.cells}
    ranked = [by_label[label] for label in results.ranking()["cell"]]
    if most is None or len(ranked) <= most + 1:
        return ranked
    kept = {cell.cell for cell in ranked[:most]} | {results.baseline, best_candidate(results)}
    return [cell for cell in ranked if cell.cell in kept]


def _excerpt(fields: Mapping[str, Any], dataset: Any) -> str:
    """What an item is about: the column of its prompt, else its longest text."""
    if dataset.prompt_column:
        return shorten(fields.get(dataset.prompt_column))
    named = {name: value for name, value in fields.items() if name not in dataset.roles.values()}
    texts = (
        [named["text"]]
        if isinstance(named.get("text"), str)
        else [v for v in named.values() if isinstance(v, str)]
    )
    return shorten(max(texts, key=len, default=""))
