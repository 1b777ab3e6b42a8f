"""Recorded models: a column of past answers, graded beside models that are called.

A model that was shut down, or that only an outside system may call, is the baseline most teams
have. It makes no calls; what it cost and how long it took are known only where columns say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from llmbench.errors import UsageError
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.outcome import Outcome
from llmbench.matrix.text import as_text
from llmbench.result_data import cell_label

__all__ = ["RecordedModel"]


@dataclass(frozen=True, slots=True)
class RecordedModel:
    """A model whose answers are a column of the data set.

    An empty cell in `answer_column` is a missing answer. `cost_column` holds USD per call,
    `latency_column` milliseconds; an empty cell there is unknown. `date` (ISO) says when the
    answers were made.

    >>> RecordedModel("gpt-4-0613", answer_column="old_answer", date="2024-11-30").label
    'gpt-4-0613[recorded]'
    """

    name: str
    answer_column: str
    cost_column: str | None = None
    latency_column: str | None = None
    date: str | None = None

    def __post_init__(self) -> None:
        if not self.name or any(mark in self.name for mark in "[]{}"):
            raise UsageError(f"A recorded model cannot be named {self.name!r}; use a name without brackets.")
        if self.date is not None:
            try:
                date.fromisoformat(self.date)
            except (TypeError, ValueError):
                raise UsageError(
                    f"RecordedModel {self.name!r} has the date {self.date!r}; write it as in 2024-11-30."
                ) from None

    @property
    def label(self) -> str:
        """The label of its cell."""
        return cell_label(self.name, "recorded")

    def check(self, dataset: Dataset) -> None:
        """Raise DatasetError for a column that is not there or a cell that is no number of at least 0."""
        for parameter in ("answer_column", "cost_column", "latency_column"):
            column = getattr(self, parameter)
            if column is not None:
                dataset.require_column(column, f"Name the right one in RecordedModel({parameter}=...).")
        dataset.refuse(
            (item.line, f"has {item.fields[column]!r} in {column!r}, which must be a number of at least 0")
            for item in dataset.rows
            for column in (self.cost_column, self.latency_column)
            if column is not None
            and item.fields.get(column) is not None
            and _amount(item.fields[column]) is None
        )

    def outcome(self, item: Item) -> Outcome:
        """The recorded answer to `item`, or a missing one."""
        answer = item.fields.get(self.answer_column)
        cost = _amount(item.fields.get(self.cost_column)) if self.cost_column else None
        latency = _amount(item.fields.get(self.latency_column)) if self.latency_column else None
        answered = datetime.fromisoformat(self.date).replace(tzinfo=UTC) if self.date else None
        if answer is None:
            where = f"{self.answer_column!r} is empty in line {item.line}"
            return Outcome(error=f"no answer was recorded ({where})", attempts=0)
        return Outcome(
            answer=answer if isinstance(answer, str) else as_text(answer),
            cost_usd=cost,
            latency_ms=latency,
            served_model=self.name,
            replayed=True,
            attempts=0,
            answered_at=answered,
        )


def _amount(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = float(value)
    except (TypeError, ValueError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None
