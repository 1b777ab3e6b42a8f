"""A plan and the endpoints it is put to: what its calls would take, and making them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llmbench import background
from llmbench.matrix.budget import Budget
from llmbench.matrix.duration import duration
from llmbench.matrix.endpoints import Endpoints
from llmbench.matrix.execution import Execution
from llmbench.matrix.freshness import answers_from
from llmbench.matrix.judge_run import JudgeRun, planned_with_judge
from llmbench.matrix.judges import Judge
from llmbench.matrix.lanes import lanes_for
from llmbench.matrix.limits import batched_endpoints, check_budget, spent_before
from llmbench.matrix.outcome import Outcome
from llmbench.matrix.plan import Plan
from llmbench.matrix.progress import ProgressCallback, ProgressReporter
from llmbench.matrix.quote import Quote
from llmbench.matrix.quoting import make_quote
from llmbench.matrix.replay import Replay

if TYPE_CHECKING:
    from llmbench.matrix.grading import Grader
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.routing.limits import Limit

__all__ = ["Caller"]


class Caller:
    """Makes the calls of `plan`. `failures` are those of the last time; answers count from `not_before`."""

    def __init__(
        self, plan: Plan, endpoints: Endpoints, limits: Mapping[str, Limit], *, grade_truncated: bool
    ) -> None:
        self.plan = plan
        self.endpoints = endpoints
        self._limits = limits
        self._grade_truncated = grade_truncated
        self.failures: dict[str, Outcome] = {}
        self.not_before: datetime | None = None

    def providers(self, grader: Grader | Judge | None) -> dict[str, BaseLLMProvider]:
        """By endpoint, those of the plan and of a judge."""
        judges = [grader.judge] if isinstance(grader, Judge) else []
        return self.endpoints.providers(self.plan, judges)

    def judge(self, judge: Judge, not_before: datetime | None) -> JudgeRun:
        """Its part of the calls."""
        providers = self.providers(judge)
        return JudgeRun(judge, self.plan, providers, self.endpoints.ledger, not_before, self._grade_truncated)

    def quote(
        self,
        grader: Grader | Judge | None,
        not_before: datetime | None,
        concurrency: int | Mapping[str, int] | None = None,
        plan: Plan | None = None,
    ) -> Quote:
        """What the calls of `plan` (None: of all) and of a judge would take."""
        plan, providers = plan or self.plan, self.providers(grader)
        quote = make_quote(plan, providers, Replay(plan, providers, self.endpoints.ledger, not_before))
        if isinstance(grader, Judge):
            quote = self.judge(grader, not_before).quote(quote)
        return replace(quote, seconds=duration(quote, lanes_for(concurrency, providers), self._limits))

    def execute(
        self,
        plan: Plan,
        grader: Grader | Judge | None,
        budget_usd: float | None = None,
        concurrency: int | Mapping[str, int] | None = None,
        fresh: bool | None = None,
        max_answer_age_days: float | None = None,
        progress: ProgressCallback | None = None,
        *,
        allow_unpriced: bool = False,
        batch: bool | Collection[str] = False,
        run_id: str | None = None,
        charged_usd: float = 0.0,
    ) -> tuple[Execution, Quote]:
        """The calls of `plan`, and of a judge; what became of them, and the quote before.

        `charged_usd` is what earlier parts of the run have used of its budget, where no run id finds them.
        """
        known_run = run_id or os.environ.get("LLMBENCH_RUN_ID") or None
        not_before = answers_from(self.endpoints.ledger, fresh, max_answer_age_days, run_id=known_run)
        run = known_run or f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        judge = grader if isinstance(grader, Judge) else None
        providers = self.providers(judge)
        lanes = lanes_for(concurrency, providers)
        batched = batched_endpoints(providers, batch)
        if budget_usd is not None:
            called = plan if judge is None else planned_with_judge(plan, judge)
            check_budget(called, providers, budget_usd, allow_unpriced=allow_unpriced)
        quote = self.quote(judge, not_before, concurrency, plan)
        self.not_before = not_before
        made = Execution(providers, lanes, batched, Budget(budget_usd), run, self._limits)
        found = spent_before(self.endpoints.ledger, known_run, providers)
        made.budget.charged_usd = max(found, charged_usd)
        reporter = ProgressReporter(progress, total=len(plan), to_make=quote.to_make)

        async def calls() -> None:
            try:
                replay = Replay(plan, providers, self.endpoints.ledger, not_before)
                await made.make(
                    plan, replay, reporter, None if judge is None else self.judge(judge, not_before)
                )
            finally:
                await self.endpoints.disconnect()

        try:
            background.run(calls())
        finally:
            self.failures = made.failures or self.failures
        return made, quote
