"""From outcomes to grades to the table of answers, one row per planned call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.matrix.grading import Grade, Grader, accepted
from llmbench.matrix.judging import Judged
from llmbench.matrix.outcome import FILTERED, NOT_CALLED, Outcome
from llmbench.matrix.plan import Plan, PlannedCall
from llmbench.matrix.text import as_text
from llmbench.numbers import none_as_nan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ANSWER_COLUMNS", "answer_table", "unread"]

ANSWER_COLUMNS = (
    "item_id", "category", "cluster", "cell", "model", "prompt", "params", "repeat", "answer", "expected",
    "score", "note", "missing", "error", "finish_reason", "cost_usd", "latency_ms", "input_tokens",
    "output_tokens", "cached_tokens", "reasoning_tokens", "served_model", "replayed", "attempts",
)  # fmt: skip

_TEXTS = (
    "category", "cluster", "answer", "expected", "note", "error", "finish_reason", "served_model",
)  # fmt: skip


def answer_table(
    plan: Plan,
    outcomes: Mapping[str, Sequence[Outcome | None]],
    grader: Grader | Judged,
    *,
    grade_truncated: bool = False,
) -> pd.DataFrame:
    """Grade every answer. Rows by cell, then item, then repeat; columns ANSWER_COLUMNS.

    `score` lies in 0..1 and is NaN where the answer is missing, or its judge gave no verdict. An
    answer that was cut off at max_tokens scores 0 unless `grade_truncated`; a content filter's
    always does. Raises UsageError naming item and grader where the grader fails; nothing is lost by
    that, answers are in the ledger.
    """
    import pandas as pd

    columns: dict[str, list[Any]] = {name: [] for name in ANSWER_COLUMNS}
    for cell in plan.cells:
        found = outcomes[cell.label]
        for call in plan.calls(cell):
            outcome = found[call.place] or Outcome(error=NOT_CALLED)
            score, note = _graded(call, outcome, grader, grade_truncated=grade_truncated)
            row = (
                call.item.id, call.item.category, call.item.cluster, cell.label, cell.model, cell.prompt,
                cell.params, call.repeat, outcome.answer, _expected(call.item.expected),
                score, note,
                outcome.missing, outcome.error, outcome.finish_reason, none_as_nan(outcome.cost_usd),
                none_as_nan(outcome.latency_ms), none_as_nan(outcome.input_tokens),
                none_as_nan(outcome.output_tokens),
                none_as_nan(outcome.cached_tokens), none_as_nan(outcome.reasoning_tokens),
                outcome.served_model, outcome.replayed, outcome.attempts,
            )  # fmt: skip
            for name, value in zip(ANSWER_COLUMNS, row, strict=True):
                columns[name].append(value)
    # As objects: Arrow's strings, which pandas infers, cannot hold half of a surrogate pair, and an
    # answer may.
    for name in _TEXTS:
        columns[name] = pd.Series(columns[name], dtype=object)  # type: ignore[assignment]
    return pd.DataFrame(columns)


def unread(outcome: Outcome, *, grade_truncated: bool) -> Grade | None:
    """The grade of an answer that no grader reads; None for one that is to be graded."""
    if outcome.finish_reason == FILTERED:
        return Grade(0.0, "refused by the vendor's content filter")
    if outcome.finish_reason == "length" and not grade_truncated:
        return Grade(0.0, "cut off at max_tokens")
    return None


def _graded(
    call: PlannedCall, outcome: Outcome, grader: Grader | Judged, *, grade_truncated: bool
) -> tuple[float, str | None]:
    if outcome.answer is None:
        return math.nan, None
    if isinstance(grader, Judged):
        verdict = grader.grade(call)
        return (math.nan, verdict) if isinstance(verdict, str) else verdict
    grade = unread(outcome, grade_truncated=grade_truncated)
    if grade is not None:
        return grade
    try:
        return grader.grade(outcome.answer, call.item)
    except Exception as error:
        raise UsageError(
            f"Grader {grader.name!r} fails on the answer of {call.cell.label} to item {call.item.id!r} "
            f"(line {call.item.line}): {type(error).__name__}: {error}; all answers are kept, so correct "
            "the grader and run the same again: no call is repeated."
        ) from error


def _expected(value: Any) -> str | None:
    texts = accepted(value)
    if not texts:
        return None
    return texts[0] if len(texts) == 1 else as_text(" | ".join(texts))
