"""Judge calls as a plan of their own, run as any other, and their verdicts as grades."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from llmbench.matrix.dataset import Item
from llmbench.matrix.grading import Grade
from llmbench.matrix.judges import Judge, Verdict
from llmbench.matrix.outcome import FILTERED, NO_OPPONENT, NOT_JUDGED, Outcome
from llmbench.matrix.plan import Cell, Plan, PlannedCall
from llmbench.types import Message

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["JudgePlan", "Judged", "judge_cell", "judge_plan", "verdicts"]

_NOTE_CHARS = 500


class _Case(NamedTuple):
    """One answer to be judged, once for each order."""

    call: PlannedCall
    answer: str
    other: str


class _Asked(NamedTuple):
    """Writes the judge's prompt for the cases of one cell; the item's id tells which case."""

    judge: Judge
    cases: Sequence[_Case]
    name: str = "judge"
    text: str = ""

    def messages(self, item: Item) -> list[Message]:
        place = item.line
        case = self.cases[place // len(self.judge.orders)]
        swapped = self.judge.orders[place % len(self.judge.orders)]
        return self.judge.messages(case.call.item, case.answer, case.other, swapped=swapped)


@dataclass(frozen=True, slots=True)
class JudgePlan(Plan):
    """The calls of a judge: one cell for each cell that it judges, case by case, order by order."""

    judge: Judge | None = None
    cases: Mapping[str, Sequence[_Case]] = field(default_factory=dict)
    """By label of the judge's cell."""
    settled: Mapping[tuple[str, int], Grade | None] = field(default_factory=dict)
    """Grades that need no judge, by label and place of the candidate's call; None is missing."""

    def calls(self, cell: Cell) -> Iterator[PlannedCall]:
        """See `Plan`. The item of such a call stands for the case; its line is the place."""
        assert self.judge is not None  # noqa: S101 - made by judge_plan only
        place = 0
        for case in self.cases[cell.label]:
            for _ in self.judge.orders:
                item = case.call.item
                yield PlannedCall(cell, Item(item.id, {}, None, None, None, place), 0, place)
                place += 1

    def size(self, cell: Cell) -> int:
        """See `Plan`."""
        return len(self.cases[cell.label]) * len(self.judge.orders if self.judge else ())

    def __len__(self) -> int:
        return sum(self.size(cell) for cell in self.cells)


def judge_cell(judge: Judge, judged: Cell) -> Cell:
    """The cell of the judge's calls on the answers of `judged`, as yet without a prompt."""
    from llmbench.providers.registry import split_model_id

    endpoint, asked = split_model_id(judge.judge)
    label = f"{judge.judge} judges {judged.label}"
    return Cell(label, judge.judge, judge.name, judged.params, endpoint, asked, None, dict(judge.params))


def judge_plan(
    plan: Plan,
    outcomes: Mapping[str, Sequence[Outcome | None]],
    judge: Judge,
    unjudged: Callable[[Outcome], Grade | None],
) -> JudgePlan:
    """What the judge is to be asked about `outcomes`.

    `unjudged` gives the grade of an answer that is not read by any grader (cut off, filtered).
    """
    opponents = outcomes.get(judge.opponent_cell) if judge.opponent_cell is not None else None
    repeats = next((cell.repeats for cell in plan.cells if cell.label == judge.opponent_cell), 1)
    cells: list[Cell] = []
    cases: dict[str, list[_Case]] = {}
    settled: dict[tuple[str, int], Grade | None] = {}
    pairwise = len(judge.orders) > 1
    for cell in plan.cells:
        found: list[_Case] = []
        for call in plan.calls(cell):
            outcome = outcomes[cell.label][call.place]
            if outcome is None or outcome.answer is None:
                continue
            refused, other, key = unjudged(outcome), "", (cell.label, call.place)
            if pairwise:
                rival = (
                    opponents[call.place // cell.repeats * repeats + call.repeat % repeats]
                    if opponents is not None
                    else Outcome(answer=judge.opponent(call.item))
                )
                if rival is None or rival.answer is None:
                    settled[key] = None
                    continue
                grade = _without_judge(cell, judge, outcome.answer, rival, refused, unjudged(rival))
                if grade is not None:
                    settled[key] = grade
                    continue
                other = rival.answer
            elif refused is not None:
                settled[key] = refused
                continue
            found.append(_Case(call, outcome.answer, other))
        asking = replace(judge_cell(judge, cell), template=_Asked(judge, found))
        cases[asking.label] = found
        cells.append(asking)
    return JudgePlan(plan.dataset, tuple(cells), judge, cases, settled)


def _without_judge(
    cell: Cell, judge: Judge, answer: str, rival: Outcome, refused: Grade | None, rival_refused: Grade | None
) -> Grade | None:
    if cell.label == judge.opponent_cell:
        return Grade(0.5, "what the others are compared with")
    if refused is not None:
        return refused if rival_refused is None else Grade(0.5, f"both {refused.note}")
    if rival_refused is not None:
        return Grade(1.0, f"the other was {rival_refused.note}")
    return Grade(0.5, "a tie: the same answer") if answer == rival.answer else None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge said: a grade for each answer, or why there is none."""

    name: str
    grades: Mapping[tuple[str, int], Grade | str]
    """By label and place of the candidate's call; a text says why the grade is missing."""
    table: pd.DataFrame
    """One row per judge call: cell, item_id, repeat, candidate_position, verdict, value, reason,
    error, answer_chars, other_chars, cost_usd, latency_ms, replayed."""

    def grade(self, call: PlannedCall) -> Grade | str:
        """The grade of the answer of `call`, or why it has none."""
        return self.grades.get((call.cell.label, call.place), f"{NOT_JUDGED} yet")


def verdicts(plan: JudgePlan, outcomes: Mapping[str, Sequence[Outcome | None]]) -> Judged:
    """Read the replies to `plan`. A reply that failed or is no verdict gives no grade."""
    import pandas as pd

    judge = plan.judge
    assert judge is not None  # noqa: S101 - made by judge_plan only
    grades: dict[tuple[str, int], Grade | str] = {
        key: grade if grade is not None else NO_OPPONENT for key, grade in plan.settled.items()
    }
    rows = []
    for cell in plan.cells:
        replies = iter(outcomes[cell.label])
        for case in plan.cases[cell.label]:
            read: list[Verdict] = []
            trouble = None
            for swapped in judge.orders:
                reply = next(replies)
                verdict, failed = _read(judge, reply, swapped=swapped)
                trouble = trouble or failed
                if verdict is not None:
                    read.append(verdict)
                rows.append(
                    {
                        "cell": case.call.cell.label, "item_id": case.call.item.id,
                        "repeat": case.call.repeat,
                        "candidate_position": ("second" if swapped else "first")
                        if len(judge.orders) > 1 else None,
                        "verdict": verdict.said if verdict else None,
                        "value": verdict.value if verdict else None,
                        "reason": verdict.reason if verdict else None,
                        "error": failed, "answer_chars": len(case.answer), "other_chars": len(case.other),
                        "cost_usd": reply.cost_usd if reply else None,
                        "latency_ms": reply.latency_ms if reply else None,
                        "replayed": bool(reply and reply.replayed),
                    }
                )  # fmt: skip
            key = (case.call.cell.label, case.call.place)
            if trouble is not None:
                grades[key] = f"{NOT_JUDGED}: {trouble}"
                continue
            grade = judge.reconcile(read)
            grades[key] = Grade(grade.score, grade.note[:_NOTE_CHARS] if grade.note else None)
    table = pd.DataFrame(rows, columns=_COLUMNS).astype(dict.fromkeys(_NUMBERS, float))
    return Judged(judge.name, grades, table)


_COLUMNS = [
    "cell", "item_id", "repeat", "candidate_position", "verdict", "value", "reason", "error",
    "answer_chars", "other_chars", "cost_usd", "latency_ms", "replayed",
]  # fmt: skip
_NUMBERS = ("value", "cost_usd", "latency_ms")


def _read(judge: Judge, reply: Outcome | None, *, swapped: bool) -> tuple[Verdict | None, str | None]:
    if reply is None or reply.answer is None:
        return None, (reply.error if reply else None) or "not called yet"
    if reply.finish_reason == FILTERED:
        return None, "the judge's content filter refused"
    if reply.finish_reason == "length":
        return None, "the judge's reply was cut off at max_tokens"
    try:
        return judge.read(reply.answer, swapped=swapped), None
    except ValueError as error:
        return None, f"the judge's reply is no verdict: {error}"
