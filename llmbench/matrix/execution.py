"""The calls of one run: the candidates', and then those of the judge of their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from llmbench.matrix.budget import Budget
from llmbench.matrix.counts import CallCounts
from llmbench.matrix.judge_run import JudgeRun
from llmbench.matrix.judging import JudgePlan
from llmbench.matrix.lanes import Lanes
from llmbench.matrix.outcome import Outcome
from llmbench.matrix.pace import Pace
from llmbench.matrix.plan import Plan
from llmbench.matrix.progress import ProgressReporter
from llmbench.matrix.replay import Replay
from llmbench.matrix.runner import Runner
from llmbench.numbers import known_total

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.routing.limits import Limit

__all__ = ["Execution", "total_usd"]


class Execution:
    """Runs over the same endpoints and the same budget, one after the other, and what became of them."""

    def __init__(
        self,
        providers: Mapping[str, BaseLLMProvider],
        lanes: Mapping[str, Lanes],
        batched: Collection[str],
        budget: Budget,
        run_id: str,
        limits: Mapping[str, Limit],
    ) -> None:
        self._pace = Pace(limits)
        self.budget = budget
        self._providers = providers
        self._lanes = lanes
        self._batched = batched
        self.run_id = run_id
        self._runners: list[Runner] = []
        self._asked: list[JudgePlan] = []

    async def make(
        self, plan: Plan, replay: Replay, reporter: ProgressReporter, judge: JudgeRun | None
    ) -> None:
        """The calls of `plan` that `replay` cannot answer, then the judge's. Raises as `Matrix.run` does."""
        first = await self._run(plan, replay, reporter)
        if judge is not None:
            asked, found = await asyncio.to_thread(judge.calls, first.outcomes)
            self._asked.append(asked)
            reporter.go_on(len(asked), first.counts, first.spent_usd)
            await self._run(asked, found, reporter)

    @property
    def outcomes(self) -> Mapping[str, Sequence[Outcome | None]]:
        """Of the candidates."""
        return self._runners[0].outcomes

    @property
    def replies(self) -> list[tuple[JudgePlan, Mapping[str, Sequence[Outcome | None]]]]:
        """Of the judge, with what it was asked."""
        judges = zip(self._asked, self._runners[1:], strict=True)
        return [(asked, runner.outcomes) for asked, runner in judges]

    @property
    def failures(self) -> dict[str, Outcome]:
        """What failed for good, by request."""
        return {key: why for runner in self._runners for key, why in runner.failures.items()}

    @property
    def counts(self) -> CallCounts:
        """Of all calls."""
        return sum((runner.counts for runner in self._runners), CallCounts())

    @property
    def spent_usd(self) -> float | None:
        """By all calls; None where the charge of one is not known."""
        return known_total(runner.spent_usd for runner in self._runners)

    async def _run(self, plan: Plan, replay: Replay, reporter: ProgressReporter) -> Runner:
        runner = Runner(
            plan, self._providers, replay,
            run_id=self.run_id, budget=self.budget, lanes=self._lanes, reporter=reporter,
            batched=self._batched, pace=self._pace,
        )  # fmt: skip
        self._runners.append(runner)
        await runner.run()
        return runner


def total_usd(executions: Iterable[Execution]) -> float | None:
    """What they spent together; None where the charge of one call is not known."""
    return known_total(each.spent_usd for each in executions)
