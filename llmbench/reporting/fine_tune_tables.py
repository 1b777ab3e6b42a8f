"""Tables and sentences of the notebook `fine_tune` on what the tuned model does better and worse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.reporting.matrix_tables import disagreement_table
from llmbench.reporting.matrix_variation import shown_differences
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import category_text, counted, estimate, limits, percent, shorten
from llmbench.stats import Interval, wilson_interval
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix import MatrixResults
    from llmbench.matrix.categories import CategoryDifference
    from llmbench.reporting.fine_tune_results import TunedResults

__all__ = [
    "FormShare",
    "answer_forms",
    "example_table",
    "form_table",
    "general_table",
    "regression_sentence",
    "regression_table",
    "regressions",
    "training_sentence",
    "training_table",
]

_MOST_LABELS = 12
_LEAST_REPEATED = 3
"""A right answer that so many items share is a label, not a text of its own."""


class FormShare(NamedTuple):
    """How many answers of a cell have the form that was asked for."""

    cell: str
    n: int
    """Answers."""
    in_form: int
    cut_off: int
    """Of those that are not: they were still going on at max_tokens."""
    has_right: int
    """Answers in which the right one stands somewhere: more than this no milder grader could find right."""
    ci: Interval


def regressions(tuned: TunedResults) -> list[dict[str, Any]]:
    """The tuned model against the baseline in each category, the worst first; p adjusted by
    Benjamini-Hochberg over the categories.
    """
    return [
        {
            "category": each.category, "n": each.n, "difference": each.difference,
            "ci": None if each.ci is None else list(each.ci), "p_adjusted": each.p_adjusted,
            "regressed": _regressed(each),
        }
        for each in _worst_first(tuned)
    ]  # fmt: skip


def regression_table(tuned: TunedResults) -> ReportTable | None:
    """Those of `regressions`; None for fewer than two categories."""
    import pandas as pd

    found = _worst_first(tuned)
    if len(found) < 2:
        return None
    frame = pd.DataFrame(
        [
            {
                "category": each.category, "n": each.n, "difference": each.difference,
                "p_adjusted": each.p_adjusted, "regressed": _regressed(each),
                "low": limits(each.ci)[0], "high": limits(each.ci)[1],
            }
            for each in found
        ]
    )  # fmt: skip
    shown = shown_differences(found, "difference, points")
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


def _worst_first(tuned: TunedResults) -> list[CategoryDifference]:
    found = tuned.results.category_differences(tuned.candidate)
    return sorted(found, key=lambda each: 0.0 if each.difference is None else each.difference)


def _regressed(found: CategoryDifference) -> bool:
    return found.ci is not None and found.ci.high < 0


def regression_sentence(tuned: TunedResults) -> str:
    """Where it got worse, in a sentence."""
    found = _worst_first(tuned)
    worse = [category_text(each.category) for each in found if _regressed(each)]
    lower = [
        category_text(each.category)
        for each in found
        if (each.difference or 0.0) < 0 and not _regressed(each)
    ]
    if worse:
        return f"It is worse than {tuned.results.baseline} in {', '.join(worse)}."
    if lower:
        return (
            f"In no category is it shown to be worse; it scored lower in {', '.join(lower)}, by no more than "
            "chance could do."
        )
    return "It scored lower in no category."


def general_table(tuned: TunedResults) -> ReportTable | None:
    """Base and tuned model on the general questions, by category and over all."""
    import pandas as pd

    general = tuned.general
    if general is None:
        return None
    base, mine = general.baseline, general.comparisons[0].candidate
    by_category = {(each.category, each.cell): each for each in general.categories()}
    names = list(dict.fromkeys(category for category, _ in by_category))
    pairs = [(category_text(name), by_category[name, base], by_category[name, mine]) for name in names]
    rows = [(name, old.n, old.score, old.ci, new.score, new.ci) for name, old, new in pairs]
    old, new = general.cell(base), general.cell(mine)
    rows.append(("all", old.n, old.score, old.score_ci, new.score, new.score_ci))
    frame = pd.DataFrame(
        [
            {
                "category": name, "n": n,
                "base": of_base, "base_low": limits(base_ci)[0], "base_high": limits(base_ci)[1],
                "tuned": of_tuned, "tuned_low": limits(tuned_ci)[0], "tuned_high": limits(tuned_ci)[1],
            }
            for name, n, of_base, base_ci, of_tuned, tuned_ci in rows
        ]
    )  # fmt: skip
    shown = pd.DataFrame(
        [
            {
                "category": name,
                "questions": f"{n:,}",
                "base": estimate(of_base, base_ci, percent),
                "tuned": estimate(of_tuned, tuned_ci, percent),
            }
            for name, n, of_base, base_ci, of_tuned, tuned_ci in rows
        ]
    )
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


def answer_forms(results: MatrixResults) -> tuple[FormShare, ...]:
    """By cell, the answers that are whole and, where the right answers are labels, are one of them.

    Right answers that at least three items of a category share are its labels; where a category has others
    too, or more than twelve, any whole answer is in form.
    """
    answers = results.answers
    labels = _labels(answers)
    found = []
    for cell in (cell.cell for cell in results.cells):
        rows = answers[(answers["cell"] == cell) & answers["answer"].notna()]
        whole = rows["finish_reason"].fillna("stop") != "length"
        pairs = zip(rows["category"], rows["answer"], strict=True)
        known = [_in_form(answer, labels[category]) for category, answer in pairs]
        good = sum(a and b for a, b in zip(known, whole, strict=True))
        interval = wilson_interval(good, len(rows), results.confidence) if len(rows) else Interval(0.0, 1.0)
        texts = zip(rows["answer"], rows["expected"], strict=True)
        holding = sum(bool(_plain(right)) and _plain(right) in _plain(answer) for answer, right in texts)
        found.append(FormShare(cell, len(rows), good, int((~whole).sum()), holding, interval))
    return tuple(found)


def form_table(results: MatrixResults) -> ReportTable:
    """Those of `answer_forms`."""
    import pandas as pd

    forms = answer_forms(results)
    frame = pd.DataFrame(
        [
            {
                "cell": f.cell,
                "n": f.n,
                "in_form": f.in_form,
                "cut_off": f.cut_off,
                "has_right": f.has_right,
                "low": f.ci.low,
                "high": f.ci.high,
            }
            for f in forms
        ]
    )
    shown = pd.DataFrame(
        [
            {
                "model [prompt]": f.cell,
                "answers": f"{f.n:,}",
                "in the form asked for": UNKNOWN if not f.n else estimate(f.in_form / f.n, f.ci, percent),
                "cut off": f"{f.cut_off:,}",
                "right answer somewhere in it": UNKNOWN if not f.n else percent(f.has_right / f.n),
            }
            for f in forms
        ]
    )
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


def example_table(tuned: TunedResults) -> ReportTable | None:
    """Items on which tuned model and baseline differ, each with its text, where the evaluation has it."""
    found = disagreement_table(tuned.pair)
    if found is None:
        return None
    shown = found.shown.copy()
    if not any(item.fields.get("question") for item in tuned.pair.dataset.rows):
        texts = [tuned.questions.get(str(name)) for name in shown["item id"]]
        if any(texts):
            shown["item"] = [NONE if text is None else shorten(text) for text in texts]
        else:
            shown = shown.drop(columns=["item"])
    return found._replace(shown=shown)


def training_sentence(tuned: TunedResults) -> str:
    """Whether the training file may be trained on, and whether it has the answers to the evaluation."""
    report = tuned.training
    if report is None:
        return "No training file is named, so whether the evaluation was seen in training is not known."
    seen = tuned.seen_in_training
    if seen is None:
        overlap = "No evaluation is named, so whether its questions are in it is not known"
    elif not seen:
        overlap = "None of the evaluation's questions is in it, word for word or nearly"
    else:
        overlap = f"Of its lines {seen:,} hold questions of the evaluation, so the scores above mean nothing"
    counts = (counted(report.examples, "example"), counted(report.errors, "error"))
    return f"{report.path.name} has {', '.join(counts)} and {counted(report.warnings, 'warning')}. {overlap}."


def training_table(tuned: TunedResults) -> ReportTable | None:
    """What was found in the training file, by kind; None where no file was named or nothing was found."""
    import pandas as pd

    if tuned.training is None or not tuned.training.counts:
        return None
    found = sorted(tuned.training.counts.items())
    frame = pd.DataFrame([{"severity": kind[0], "kind": kind[1], "lines": count} for kind, count in found])
    return ReportTable(frame, frame.assign(kind=[kind[1].replace("_", " ") for kind, _ in found]), ("lines",))


def _labels(answers: pd.DataFrame) -> dict[Any, set[str] | None]:
    found: dict[Any, set[str] | None] = {}
    first = answers[answers["cell"] == answers["cell"].iloc[0]]
    for category in first["category"].unique():
        right = first.loc[first["category"] == category, "expected"].dropna().map(_plain)
        counts = right.value_counts()
        closed = 2 <= len(counts) <= _MOST_LABELS and counts.min() >= _LEAST_REPEATED
        found[category] = set(counts.index) if closed else None
    return found


def _in_form(answer: Any, labels: set[str] | None) -> bool:
    return labels is None or _plain(answer) in labels


def _plain(answer: Any) -> str:
    return str(answer).strip().strip(".\"'").casefold()
