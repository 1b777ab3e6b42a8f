"""Makes the calls that the ledger cannot answer: a few at a time, within the budget, to the end.

Every answer is durable before it is seen here, so a run may end at any moment (Ctrl-C, budget,
kill -9): the same run again repeats only what has no answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from llmbench.errors import (
    BudgetExceededError,
    ContentFilteredError,
    ContextWindowError,
    ProviderError,
)
from llmbench.matrix.batch_budget import BatchPurse
from llmbench.matrix.budget import Budget
from llmbench.matrix.counts import CallCounts
from llmbench.matrix.feed import Feed
from llmbench.matrix.lanes import Lane, Lanes
from llmbench.matrix.outcome import FILTERED, Outcome, from_record, from_response
from llmbench.matrix.pace import Pace
from llmbench.matrix.plan import Cell, Plan
from llmbench.matrix.progress import ProgressReporter
from llmbench.matrix.replay import Job, Replay
from llmbench.providers.worst_case import output_limit, worst_case_price

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.types import Attempt, ChatRequest, LLMResponse

__all__ = ["Runner"]

IDENTICAL_FAILURES = 10
"""After so many same failures of a model in a row nothing more is asked of it."""


class Runner:
    """One run of a plan. Use once, on one event loop.

    After `run`, also when it raises: `outcomes` (by cell label, by place; None where the run did
    not get to), `counts`, `spent_usd` and `failures` (reasons by request hash).
    """

    def __init__(
        self,
        plan: Plan,
        providers: Mapping[str, BaseLLMProvider],
        replay: Replay,
        *,
        run_id: str,
        budget: Budget,
        lanes: Mapping[str, Lanes],
        reporter: ProgressReporter,
        batched: Collection[str] = (),
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace({})
        self._plan = plan
        self._providers = providers
        self._replay = replay
        self._run_id = run_id
        self._budget = budget
        self._lanes = lanes
        self._reporter = reporter
        self._batched = frozenset(batched)
        self._output_limits: dict[tuple[str, str, object], int] = {}
        self.outcomes: dict[str, list[Outcome | None]] = {c.label: [None] * plan.size(c) for c in plan.cells}
        self.counts = CallCounts()
        self.failures: dict[str, Outcome] = {}
        self._known_spend = 0.0
        self._done = 0
        self._answered_calls = 0
        self._message = ""
        self._error: Exception | None = None
        self._stopped: dict[tuple[str | None, str | None], str] = {}
        self._streaks: dict[tuple[str | None, str | None], tuple[str, int]] = {}
        self._owners: dict[str, tuple[str, int]] = {}
        self._twins: list[tuple[Job, tuple[str, int]]] = []

    @property
    def spent_usd(self) -> float | None:
        """What the calls of this run were charged, failed attempts included; None where the charge
        of one is not known, as of an answer without a price or a timeout that may have been billed.
        """
        return None if self.counts.charge_unknown else self._known_spend

    async def run(self) -> None:
        """Make every missing call.

        A failed call is a missing answer and the run goes on; a failure that disables its model,
        or ten same ones in a row, end the calls to that model only. Raises BudgetExceededError
        when the next call might cost more than is left, LedgerError, and whatever else is not a
        provider's failure; calls in flight then end first, and their answers are kept.
        """
        by_endpoint: dict[str, list[Cell]] = {}
        for cell in self._plan.cells:
            if cell.recorded is not None:
                self._take_recorded(cell)
            else:
                by_endpoint.setdefault(str(cell.endpoint), []).append(cell)
        feeds = {endpoint: Feed(self._batches(cells)) for endpoint, cells in by_endpoint.items()}
        try:
            async with asyncio.TaskGroup() as group:
                for endpoint, feed in feeds.items():
                    if endpoint in self._batched:
                        group.create_task(self._work_in_batches(self._providers[endpoint], feed))
                        continue
                    lanes = self._lanes[endpoint]
                    for _ in range(lanes.ceiling):
                        group.create_task(self._work(feed, lanes))
        finally:
            self._share_with_twins()
            self._report(final=True)
            for feed in feeds.values():
                await feed.close()
        if self._error is not None:
            raise self._error

    def _take_recorded(self, cell: Cell) -> None:
        assert cell.recorded is not None  # noqa: S101 - the caller has just looked
        for call in self._plan.calls(cell):
            self._fill(cell.label, call.place, cell.recorded.outcome(call.item))

    def _batches(self, cells: list[Cell]) -> Iterator[list[Job]]:
        for cell in cells:
            yield from self._replay.batches(cell)

    async def _work(self, feed: Feed, lanes: Lanes) -> None:
        try:
            while True:
                lane = await lanes.enter()
                try:
                    job = await self._next(feed)
                    if job is None:
                        return
                    await self._settle(job, lane)
                finally:
                    lanes.leave(lane)
        except Exception as error:  # noqa: BLE001 - the first one is raised once all workers have ended
            self._error = self._error or error

    async def _work_in_batches(self, provider: BaseLLMProvider, feed: Feed) -> None:
        jobs: dict[str, Job] = {}
        try:
            while (job := await self._next(feed)) is not None:
                jobs[job.request_hash] = job
            if jobs:
                await self._run_batches(provider, jobs)
        except BudgetExceededError as error:
            self._error = self._error or self._over_budget(error)
        except ProviderError as error:
            for job in jobs.values():
                self._missing(job, Outcome(error=f"{type(error).__name__}: {error}"))
        except Exception as error:  # noqa: BLE001 - raised once all workers have ended
            self._error = self._error or error

    async def _run_batches(self, provider: BaseLLMProvider, jobs: dict[str, Job]) -> None:
        """Have `jobs` answered; those that are settled are taken out."""

        def worst_case(request: ChatRequest) -> float:
            return self._worst_case(provider, request, batch=True)

        def settle(request_hash: str, outcome: LLMResponse | ProviderError) -> float:
            job = jobs.pop(request_hash)
            worst = worst_case(job.request)
            if isinstance(outcome, ProviderError):
                return self._failed(job, outcome, worst)
            return self._answered(provider, job, outcome, worst)

        def say(what: str) -> None:
            self._message = what
            self._report()

        await provider.run_batches(
            [job.request for job in jobs.values()],
            settle,
            run_id=self._run_id,
            not_before=self._replay.not_before,
            purse=BatchPurse(self._budget, worst_case),
            say=say,
        )
        self._report()

    async def _next(self, feed: Feed) -> Job | None:
        async with feed.lock:
            while not feed.ready and self._error is None:
                batch = await feed.batch()
                if batch is None:
                    return None
                for job in batch:
                    if self._must_be_called(job):
                        feed.ready.append(job)
                self._report()
            return None if self._error is not None else feed.ready.popleft()

    def _must_be_called(self, job: Job) -> bool:
        label, place = job.call.cell.label, job.call.place
        if job.record is not None:
            self.counts = replace(self.counts, replayed=self.counts.replayed + 1)
            self._fill(label, place, from_record(job.record))
            return False
        owner = self._owners.setdefault(job.request_hash, (label, place))
        if owner != (label, place):
            self._twins.append((job, owner))
            return False
        return True

    async def _settle(self, job: Job, lane: Lane) -> None:
        cell = job.call.cell
        target = (cell.endpoint, cell.asked_model)
        if target in self._stopped:
            self._missing(job, Outcome(error=f"not called: {self._stopped[target]}"))
            return
        provider = self._providers[str(cell.endpoint)]
        worst = self._worst_case(provider, job.request)
        try:
            await self._budget.reserve(worst)
        except BudgetExceededError as error:
            raise self._over_budget(error) from None
        charged = worst
        self._message = cell.label
        try:
            charged = await self._call(provider, job, worst, lane)
        finally:
            self._budget.settle(worst, charged)
        self._report()

    def _over_budget(self, error: BudgetExceededError) -> BudgetExceededError:
        return BudgetExceededError(
            f"{error}: {self._answered_calls} of {len(self._plan)} answers are there and kept; raise "
            "budget_usd and run the same again, which makes only the missing calls."
        )

    async def _call(self, provider: BaseLLMProvider, job: Job, worst: float, lane: Lane) -> float:
        """Make the call; returns what to charge the budget with."""
        request, cell = job.request, job.call.cell
        most_output = request.params.get("max_tokens")
        entry = await self._pace.enter((str(cell.endpoint), str(cell.asked_model)), request, most_output)
        try:
            response = await provider.answer(request, request_hash=job.request_hash, run_id=self._run_id)
        except ProviderError as error:
            lane.note(error.attempts, None)
            return self._failed(job, error, worst)
        lane.note(response.attempts, float(response.latency_ms))
        if entry is not None and response.usage is not None:
            entry.settle(response.usage.total_tokens)
        return self._answered(provider, job, response, worst)

    def _answered(self, provider: BaseLLMProvider, job: Job, response: LLMResponse, worst: float) -> float:
        request = job.request
        target = (job.call.cell.endpoint, job.call.cell.asked_model)
        book = provider.price(request.model, response.usage).book
        self._fill(job.call.cell.label, job.call.place, from_response(response, book))
        self._streaks.pop(target, None)
        attempts = max(1, len(response.attempts))
        self.counts = replace(
            self.counts, made=self.counts.made + 1, retried=self.counts.retried + attempts - 1
        )
        costs = [attempt.cost for attempt in response.attempts] or [response.cost]
        return self._charge(costs, worst)

    def _failed(self, job: Job, error: ProviderError, worst: float) -> float:
        tries = max(1, len(error.attempts))
        last: Attempt | None = error.attempts[-1] if error.attempts else None
        filtered = isinstance(error, ContentFilteredError)
        self.counts = replace(
            self.counts,
            made=self.counts.made + 1,
            failed=self.counts.failed + (not filtered),
            retried=self.counts.retried + tries - 1,
        )
        if filtered:
            outcome = Outcome(
                answer="",
                error=str(error),
                finish_reason=FILTERED,
                cost_usd=last.cost if last else None,
                latency_ms=last.latency_ms if last else None,
                attempts=tries,
                answered_at=last.started_at + timedelta(milliseconds=last.latency_ms) if last else None,
            )
            self._fill(job.call.cell.label, job.call.place, outcome)
        else:
            self._missing(job, Outcome(error=f"{type(error).__name__}: {error}", attempts=tries))
            self._consider_stopping(job, error)
        # A failure from outside the call layer brings no attempts.
        costs = [attempt.cost for attempt in error.attempts] or [None if error.maybe_billed else 0.0]
        return self._charge(costs, worst)

    def _charge(self, costs: Sequence[float | None], worst: float) -> float:
        """Count the charges of one call's attempts; returns what to charge the budget with."""
        known = sum(cost for cost in costs if cost is not None)
        unknown = sum(cost is None for cost in costs)
        self._known_spend += known
        self.counts = replace(self.counts, charge_unknown=self.counts.charge_unknown + unknown)
        # A try whose charge nobody knows might have been charged in full.
        return known + unknown * worst

    def _consider_stopping(self, job: Job, error: ProviderError) -> None:
        target = (job.call.cell.endpoint, job.call.cell.asked_model)
        if error.disables_model:
            self._stop(target, str(error))
            return
        if isinstance(error, ContextWindowError):
            return  # says something of this item, nothing of the model's health
        # Request ids and times differ in messages that are otherwise the same.
        signature = re.sub(r"[0-9a-fA-F-]*\d[0-9a-fA-F-]*", "#", f"{type(error).__name__}: {error}")
        previous, count = self._streaks.get(target, ("", 0))
        count = count + 1 if signature == previous else 1
        self._streaks[target] = (signature, count)
        if count >= IDENTICAL_FAILURES:
            self._stop(target, f"{count} same failures in a row ({error})")

    def _stop(self, target: tuple[str | None, str | None], reason: str) -> None:
        self._stopped.setdefault(target, reason)
        self._message = f"{target[0]}/{target[1]} stopped: {reason}"

    def _worst_case(self, provider: BaseLLMProvider, request: ChatRequest, *, batch: bool = False) -> float:
        if self._budget.limit_usd is None:
            return 0.0
        # By the model and what is asked of it: cells differ in their parameters.
        key = (provider.endpoint, request.model, request.params.get("max_tokens"))
        limit = self._output_limits.get(key)
        if limit is None:
            limit = output_limit(provider, request.model, request.params) or 1
            self._output_limits[key] = limit
        return worst_case_price(provider, request.model, request.messages, limit, batch=batch)

    def _missing(self, job: Job, outcome: Outcome) -> None:
        self.failures[job.request_hash] = outcome
        self._fill(job.call.cell.label, job.call.place, outcome)

    def _fill(self, label: str, place: int, outcome: Outcome) -> None:
        self.outcomes[label][place] = outcome
        self._done += 1
        self._answered_calls += not outcome.missing

    def _share_with_twins(self) -> None:
        """The same request twice in one run is called once."""
        for job, (label, place) in self._twins:
            outcome = self.outcomes[label][place]
            if outcome is not None:
                shared = outcome if outcome.missing else replace(outcome, replayed=True)
                self._fill(job.call.cell.label, job.call.place, shared)
                self.counts = replace(self.counts, replayed=self.counts.replayed + (not outcome.missing))
        self._twins.clear()

    def _report(self, *, final: bool = False) -> None:
        counts = self.counts
        self._reporter.report(
            self._done,
            counts.made,
            counts.replayed,
            counts.failed,
            self.spent_usd,
            self._message + counts.caveat,
            final=final,
        )
