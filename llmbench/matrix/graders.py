"""Which grader is meant: by name, by a column of the data set, a Python function, or a
model that judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from llmbench.errors import UsageError
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.grading import Grade, Grader
from llmbench.matrix.json_schema import JsonSchema
from llmbench.matrix.judges import Judge
from llmbench.matrix.rules import Choice, Contains, Exact, Numeric, Regex
from llmbench.matrix.similarity import Similarity
from llmbench.matrix.text import as_text, nearest

__all__ = ["GRADERS", "Function", "GraderLike", "PerItem", "grader_for"]


@dataclass(frozen=True, slots=True)
class Function:
    """A Python function of (answer, item) that gives a score from 0 to 1, a bool, or a Grade.

    What it raises, and a score outside 0..1, is a UsageError that names item and function; the
    answers stay in the ledger, and the same command with the function corrected repeats no call.
    """

    function: Callable[[str, Item], Any]
    name: str = "function"

    def bind(self, dataset: Dataset) -> Self:  # noqa: ARG002 - part of the protocol
        """See `Grader`."""
        return self

    def problem(self, item: Item) -> str | None:  # noqa: ARG002 - only the function knows
        """See `Grader`."""
        return None

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        given = self.function(answer, item)
        grade = given if isinstance(given, Grade) else Grade(given)
        try:
            score = float(grade.score)
        except (TypeError, ValueError):
            score = math.nan
        if not 0.0 <= score <= 1.0:
            raise UsageError(f"it gave {grade.score!r}, and a score is a number from 0 to 1")
        return Grade(score, grade.note)


@dataclass(frozen=True, slots=True)
class PerItem:
    """Each item by the grader that a column names: one of `GRADERS`."""

    name: ClassVar[str] = "per item"
    column: str = "grader"
    graders: Mapping[str, Grader] = field(default_factory=lambda: {n: make() for n, make in _BY_NAME.items()})

    def bind(self, dataset: Dataset) -> Self:
        """See `Grader`."""
        dataset.require_column(self.column, "Name the right one in PerItem(column=...).")
        used = {self._key(item) for item in dataset.rows}
        # The choices of a data set without a `choices` column are those of its choice items only.
        bound = {
            key: grader.bind(replace(dataset, rows=tuple(i for i in dataset.rows if self._key(i) == key)))
            for key, grader in self.graders.items()
            if key in used
        }
        return replace(self, graders={**self.graders, **bound})

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        key = self._key(item)
        if not key:
            return f"has no {self.column!r}; give one of {', '.join(self.graders)}"
        if key not in self.graders:
            known = ", ".join(self.graders)
            return f"names the grader {key!r}; known are {known}.{nearest(key, self.graders)}"
        return self.graders[key].problem(item)

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        return self.graders[self._key(item)].grade(answer, item)

    def _key(self, item: Item) -> str:
        value = item.fields.get(self.column)
        return "" if value is None else as_text(value).casefold()


_BY_NAME: dict[str, Callable[[], Grader]] = {
    "exact": Exact,
    "contains": Contains,
    "regex": Regex,
    "numeric": Numeric,
    "choice": Choice,
    "json_schema": JsonSchema,
    "similarity": Similarity,
}

GRADERS = tuple(_BY_NAME)
"""Names of the rules that grade."""

GraderLike = str | Grader | Judge | Callable[[str, Item], Any] | None


def grader_for(given: GraderLike, dataset: Dataset) -> Grader | Judge:
    """The grader meant by a name, a Grader, a function, or None (the data set's column `grader`
    where it has one, else "exact"), bound to `dataset` and checked against each of its items.

    Raises UsageError for what is no grader, DatasetError naming the items that cannot be graded.
    """
    grader: Grader | Judge
    if given is None:
        grader = PerItem() if "grader" in dataset.columns else Exact()
    elif isinstance(given, str):
        if given not in _BY_NAME:
            raise UsageError(
                f"There is no grader {given!r}; use {', '.join(_BY_NAME)}, or a function."
                f"{nearest(given, _BY_NAME)}"
            )
        grader = _BY_NAME[given]()
    elif isinstance(given, Grader | Judge):
        grader = given
    elif callable(given):
        grader = Function(given, getattr(given, "__name__", type(given).__name__))
    else:
        raise UsageError(f"grader must be a name, a grader or a function; it is a {type(given).__name__}.")
    bound = grader.bind(dataset)
    dataset.refuse(
        (item.line, trouble) for item in dataset.rows if (trouble := bound.problem(item)) is not None
    )
    return bound
