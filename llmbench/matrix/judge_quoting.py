"""What the judge's calls will take: those that can be written already, and those whose answers are
still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from llmbench.matrix.grading import Grade
from llmbench.matrix.judges import Judge
from llmbench.matrix.judging import JudgePlan, judge_plan
from llmbench.matrix.outcome import Outcome
from llmbench.matrix.plan import Plan
from llmbench.matrix.quote import Quote, Range
from llmbench.matrix.quoting import make_quote
from llmbench.matrix.replay import Replay

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["with_judge"]


def with_judge(
    quote: Quote,
    plan: Plan,
    outcomes: Mapping[str, Sequence[Outcome]],
    judge: Judge,
    unjudged: Callable[[Outcome], Grade | None],
    providers: Mapping[str, BaseLLMProvider],
    ledger: Ledger,
    not_before: datetime | None,
    warnings: Sequence[str],
) -> Quote:
    """`quote` with a cell for the judging of each cell.

    An answer that is still to come is counted as long as the quote has the candidate's answers:
    low, expected and high. Every such answer is taken to need judging.
    """
    expected: dict[str, list[Outcome]] = {}
    for cell in plan.cells:
        # No two stand-ins are equal, so none is taken for a call that another has made.
        expected[cell.label] = [
            Outcome(answer=f"({cell.label} {place})") if there.answer is None and not cell.recorded else there
            for place, there in enumerate(outcomes[cell.label])
        ]
    asked = judge_plan(plan, expected, judge, unjudged)
    coming = _still_to_come(asked, plan, outcomes, quote)
    judged = make_quote(asked, providers, Replay(asked, providers, ledger, not_before), coming)
    return replace(
        quote,
        cells=quote.cells + tuple(replace(cell, role="judge") for cell in judged.cells),
        warnings=tuple(warnings),
    )


def _still_to_come(
    asked: JudgePlan, plan: Plan, outcomes: Mapping[str, Sequence[Outcome]], quote: Quote
) -> dict[str, Range]:
    """Input tokens of each judge's cell that the answers to come will make."""
    judge = asked.judge
    assert judge is not None  # noqa: S101 - made by judge_plan only
    a_call = {
        cell.cell: Range(*(None if value is None else value / cell.to_make for value in cell.output_tokens))
        for cell in quote.cells
        if cell.to_make
    }
    unknown = Range(None, None, None)
    repeats = {cell.label: cell.repeats for cell in plan.cells}
    rival = judge.opponent_cell
    found: dict[str, Range] = {}
    for cell, judged in zip(plan.cells, asked.cells, strict=True):
        total: tuple[float | None, ...] = (0.0, 0.0, 0.0)
        for case in asked.cases[judged.label]:
            call = case.call
            places = [(cell.label, call.place)]
            if rival is not None:
                item = call.place // cell.repeats
                places.append((rival, item * repeats[rival] + call.repeat % repeats[rival]))
            for label, place in places:
                if outcomes[label][place].answer is None:
                    more = a_call.get(label, unknown)
                    total = tuple(
                        None if have is None or add is None else have + add * len(judge.orders)
                        for have, add in zip(total, more, strict=True)
                    )
        found[judged.label] = Range(*total)
    return found
