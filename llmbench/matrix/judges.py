"""Graders that ask a model: by a rubric, or which of two answers is better.

Their calls go through the matrix's runner, ledger, quote and budget; see `llmbench.matrix.judging`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from llmbench.errors import UsageError
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.grading import Grade, accepted
from llmbench.matrix.judge_prompt import (
    FIRST,
    SECOND,
    TIE,
    pairwise_messages,
    read_score,
    read_winner,
    rubric_messages,
)
from llmbench.matrix.plan import Plan
from llmbench.matrix.text import as_text, nearest
from llmbench.types import Message

__all__ = ["Judge", "Pairwise", "Rubric", "Verdict"]

_BETTER = "Which answer is more correct, more complete and more useful to whoever asked the question?"
_PARAMS = {"temperature": 0, "max_tokens": 512}


class Verdict(NamedTuple):
    """One reply of a judge, read."""

    value: float
    """Of the candidate: 1 best, 0 worst."""
    said: str
    """In the judge's own terms: its score, or "candidate", "reference" or "tie"."""
    reason: str


@runtime_checkable
class Judge(Protocol):
    """What `llmbench.matrix.judging` needs of a grader that asks a model."""

    @property
    def judge(self) -> str:
        """endpoint/model."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def params(self) -> Mapping[str, Any]:
        """Parameters of its calls."""

    @property
    def orders(self) -> tuple[bool, ...]:
        """One call for each; True puts the candidate second."""

    def bind(self, dataset: Dataset) -> Judge:
        """The same judge, checked against the data set."""

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""

    def bind_plan(self, plan: Plan) -> Judge:
        """The same judge, checked against the plan."""

    def opponent(self, item: Item) -> str | None:
        """What is compared with: an answer that the data set has. None where there is none."""

    @property
    def opponent_cell(self) -> str | None:
        """What is compared with: the label of a cell. None where it is no cell."""

    def messages(self, item: Item, answer: str, other: str, *, swapped: bool) -> list[Message]:
        """What the judge is asked."""

    def read(self, reply: str, *, swapped: bool) -> Verdict:
        """The verdict. Raises ValueError for a reply that is none."""

    def reconcile(self, verdicts: Sequence[Verdict]) -> Grade:
        """The grade by the verdicts in all orders."""


class _Asking:
    """What both judges have in common."""

    name: ClassVar[str]
    judge: str
    question: str | None
    show_expected: bool
    _prompt_column: str | None

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        if self._question(item) is None:
            return f"has no {self._prompt_column!r}, which grader {self.name!r} shows to the judge"
        return None

    def _column(self, dataset: Dataset) -> str:
        if self.question is not None:
            dataset.require_column(
                self.question, f"Name the right one in {type(self).__name__}(question=...)."
            )
            return self.question
        if dataset.prompt_column is None:
            raise UsageError(
                f"The data set was loaded without a prompt column; say what the judge is shown: "
                f"{type(self).__name__}(question=column)."
            )
        return dataset.prompt_column

    def _question(self, item: Item) -> str | None:
        value = item.fields.get(self._prompt_column or "")
        return None if value is None else as_text(value)

    def _reference(self, item: Item) -> str | None:
        texts = accepted(item.expected) if self.show_expected else []
        return "\nor: ".join(texts) or None


def _check_judge(judge: object) -> None:
    if not isinstance(judge, str) or "/" not in judge:
        raise UsageError(
            f'judge must be "endpoint/model", such as "openai/gpt-4o-mini"; it is {judge!r:.80}.'
        )


def _check_rubric(rubric: object) -> None:
    if not isinstance(rubric, str) or not rubric.strip():
        raise UsageError("rubric must say, in words, what makes an answer good; it is empty.")


@dataclass(frozen=True, slots=True)
class Rubric(_Asking):
    """A model grades each answer by a rubric.

    Args:
        judge: endpoint/model.
        rubric: what makes an answer good, in words.
        scale: whole numbers from worst to best; the score is (given - worst) / (best - worst).
        question: column that the judge is shown as the question; None is the prompt column.
        show_expected: show the expected answer, where the item has one.
        params: of the judge's calls. Draws of one judgement beyond the first are not made.

    The reply must be one JSON object {"reason", "score"} and nothing else. A judge that fails,
    is cut off, or replies anything else leaves the score missing: never 0.
    """

    name: ClassVar[str] = "rubric"
    opponent_cell: ClassVar[None] = None
    orders: ClassVar[tuple[bool, ...]] = (False,)
    judge: str
    rubric: str
    scale: tuple[int, int] = (1, 5)
    question: str | None = None
    show_expected: bool = True
    params: Mapping[str, Any] = field(default_factory=lambda: dict(_PARAMS))
    _prompt_column: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_judge(self.judge)
        _check_rubric(self.rubric)
        ends: Any = self.scale
        whole = isinstance(ends, tuple | list) and all(type(end) is int for end in ends)
        if not whole or len(ends) != 2 or ends[0] >= ends[1]:
            raise UsageError(f"scale is (worst, best) in whole numbers, such as (1, 5); it is {ends!r:.40}.")

    def bind(self, dataset: Dataset) -> Self:
        """See `Judge`."""
        return replace(self, _prompt_column=self._column(dataset))

    def bind_plan(self, plan: Plan) -> Self:  # noqa: ARG002 - a rubric compares with no cell
        """See `Judge`."""
        return self

    def opponent(self, item: Item) -> str | None:  # noqa: ARG002 - as above
        """See `Judge`."""
        return None

    def messages(self, item: Item, answer: str, other: str, *, swapped: bool) -> list[Message]:  # noqa: ARG002
        """See `Judge`."""
        question, (low, high) = self._question(item) or "", self.scale
        return rubric_messages(self.rubric, (low, high), question, answer, self._reference(item))

    def read(self, reply: str, *, swapped: bool) -> Verdict:  # noqa: ARG002 - there is one order
        """See `Judge`."""
        low, high = self.scale
        score, reason = read_score(reply, (low, high))
        return Verdict((score - low) / (high - low), str(score), reason)

    def reconcile(self, verdicts: Sequence[Verdict]) -> Grade:
        """See `Judge`."""
        (verdict,) = verdicts
        return Grade(verdict.value, f"{verdict.said}: {verdict.reason}" if verdict.reason else verdict.said)


@dataclass(frozen=True, slots=True)
class Pairwise(_Asking):
    """A model says which of two answers is better, in both orders.

    Args:
        judge: endpoint/model.
        against: what every cell is compared with: the label of a cell, a model with one cell, or a
            column of answers in the data set. Repeats meet repeat by repeat.
        rubric: what makes an answer better, in words.
        question, show_expected, params: as in `Rubric`.

    The score is 1 for a win, 0.5 for a tie, 0 for a loss. The rule that reconciles the two orders:
    an answer wins only if it is preferred in both; anything else is a tie (the "conservative
    approach" of Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena",
    arXiv:2306.05685, section 3.4). If one order fails, the comparison is missing. Not asked, and a
    tie: two identical answers, and the cell compared with itself. An answer that was cut off or
    filtered loses to one that was not.
    """

    name: ClassVar[str] = "pairwise"
    orders: ClassVar[tuple[bool, ...]] = (False, True)
    judge: str
    against: str
    rubric: str = _BETTER
    question: str | None = None
    show_expected: bool = True
    params: Mapping[str, Any] = field(default_factory=lambda: dict(_PARAMS))
    _prompt_column: str | None = field(default=None, repr=False)
    opponent_cell: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_judge(self.judge)
        _check_rubric(self.rubric)
        if not isinstance(self.against, str):
            raise UsageError(f"against is a cell, a model or a column by name; it is {self.against!r:.80}.")

    def bind(self, dataset: Dataset) -> Self:
        """See `Judge`."""
        return replace(self, _prompt_column=self._column(dataset))

    def bind_plan(self, plan: Plan) -> Self:
        """See `Judge`."""
        labels = [cell.label for cell in plan.cells]
        of_model = [cell.label for cell in plan.cells if cell.model == self.against]
        if self.against in labels:
            return replace(self, opponent_cell=self.against)
        if len(of_model) == 1:
            return replace(self, opponent_cell=of_model[0])
        if of_model:
            raise UsageError(
                f"against {self.against!r} has several cells; name one of {', '.join(of_model)}."
            )
        if self.against not in plan.dataset.columns:
            known = [*labels, *plan.dataset.columns]
            raise UsageError(
                f"against {self.against!r} is neither a cell ({', '.join(labels)}) nor a column "
                f"({', '.join(plan.dataset.columns)}).{nearest(self.against, known)}"
            )
        return self

    def opponent(self, item: Item) -> str | None:
        """See `Judge`."""
        value = item.fields.get(self.against)
        return None if value is None else as_text(value)

    def messages(self, item: Item, answer: str, other: str, *, swapped: bool) -> list[Message]:
        """See `Judge`."""
        first, second = (other, answer) if swapped else (answer, other)
        return pairwise_messages(
            self.rubric, self._question(item) or "", first, second, self._reference(item)
        )

    def read(self, reply: str, *, swapped: bool) -> Verdict:
        """See `Judge`."""
        winner, reason = read_winner(reply)
        if winner == TIE:
            return Verdict(0.5, TIE, reason)
        won = winner == (SECOND if swapped else FIRST)
        return Verdict(float(won), "candidate" if won else "reference", reason)

    def reconcile(self, verdicts: Sequence[Verdict]) -> Grade:
        """See `Judge`."""
        said = {verdict.said for verdict in verdicts}
        if len(said) > 1:
            return Grade(0.5, "a tie: the two orders disagree")
        first = verdicts[0]
        reason = f": {first.reason}" if first.reason else ""
        return Grade(first.value, ("a tie" if first.said == TIE else f"{first.said} preferred") + reason)
