"""The judge's part of a matrix: its quote, its calls after the candidates', its verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from llmbench.matrix.judge_health import Judging, family_warnings, judging
from llmbench.matrix.judge_quoting import with_judge
from llmbench.matrix.judges import Judge
from llmbench.matrix.judging import Judged, JudgePlan, judge_cell, judge_plan, verdicts
from llmbench.matrix.outcome import Outcome
from llmbench.matrix.plan import Plan
from llmbench.matrix.quote import Quote
from llmbench.matrix.replay import Replay
from llmbench.matrix.scoring import unread

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.matrix.grading import Grade
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["JudgeRun", "planned_with_judge"]

Outcomes = Mapping[str, Sequence[Outcome | None]]


def planned_with_judge(plan: Plan, judge: Judge) -> Plan:
    """`plan` with the judge's cells, to check what is asked of whom; not to be run."""
    return Plan(plan.dataset, (*plan.cells, *(judge_cell(judge, cell) for cell in plan.cells)))


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """One judge over one matrix."""

    judge: Judge
    plan: Plan
    providers: Mapping[str, BaseLLMProvider]
    ledger: Ledger
    not_before: datetime | None
    grade_truncated: bool

    def quote(self, quote: Quote) -> Quote:
        """`quote` of the candidates' calls, with the judge's."""
        there = Replay(self.plan, self.providers, self.ledger, self.not_before).outcomes({})
        return with_judge(
            quote, self.plan, there, self.judge, self._unread, self.providers, self.ledger, self.not_before,
            self._warnings(),
        )  # fmt: skip

    def calls(self, outcomes: Outcomes) -> tuple[JudgePlan, Replay]:
        """The judge's calls on `outcomes`, and which of them the ledger answers."""
        asked = judge_plan(self.plan, outcomes, self.judge, self._unread)
        return asked, Replay(asked, self.providers, self.ledger, self.not_before)

    def verdicts(self, asked: JudgePlan, replies: Outcomes) -> tuple[Judged, Judging]:
        """What the judge said, as grades and summed up."""
        judged = verdicts(asked, replies)
        return judged, judging(self.judge, judged, self._warnings())

    @property
    def _unread(self) -> Callable[[Outcome], Grade | None]:
        return lambda outcome: unread(outcome, grade_truncated=self.grade_truncated)

    def _warnings(self) -> tuple[str, ...]:
        return family_warnings(self.judge, self.plan, self.providers)
