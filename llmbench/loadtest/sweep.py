"""Rates one after the other, until one is too much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from llmbench import background
from llmbench.errors import BudgetExceededError, UsageError
from llmbench.loadtest.arrivals import MOST_REQUESTS, poisson_arrivals
from llmbench.loadtest.budget import Budget
from llmbench.loadtest.client import Patience, Sample, Traffic
from llmbench.loadtest.knee import next_rate
from llmbench.loadtest.plan import LoadPlan
from llmbench.loadtest.results import LoadTest
from llmbench.loadtest.summary import RateResult, summarise
from llmbench.numbers import is_finite

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Progress", "load_test", "open_load_test"]

_PATIENCE = 5.0
"""Times the objective, after which a request is given up."""
_MOST_RATES = 12
_LEAST_REQUESTS = 10
"""That a search expects at a rate: fewer say nothing."""


class Progress(NamedTuple):
    """Where a test is; `result` is given once, when a rate is done."""

    rate: float
    elapsed_s: float
    seconds: float
    sent: int
    completed: int
    failed: int
    result: RateResult | None = None


def load_test(
    provider: BaseLLMProvider,
    model: str,
    plan: LoadPlan | None = None,
    *,
    usd_per_hour: float | None = None,
    budget_usd: float | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> LoadTest:
    """Send Poisson traffic at rising rates, and find the highest that is carried within the objective.

    Requests do not wait for each other's answers, and none is tried twice. It ends after the first rate
    that is missed (a search then looks between), and ends a rate early where the server does not keep up.
    Ctrl-C ends it with what was measured so far. The first request of all is not counted: it opens
    the connection and loads what must be loaded.

    `usd_per_hour` is what the machine costs, where the endpoint does not say. Calls that cost money need
    `budget_usd`; the worst case of a rate is set aside before it starts.

    Raises UsageError, the ProviderError of a first request that fails, and BudgetExceededError where
    not even that fits.
    """
    sweep = _Sweep(provider, model, plan or LoadPlan(), usd_per_hour, budget_usd, on_progress)
    try:
        background.run(sweep.run())
    except KeyboardInterrupt:
        sweep.interrupt()
    return sweep.result()


async def open_load_test(
    provider: BaseLLMProvider,
    model: str,
    plan: LoadPlan | None = None,
    *,
    usd_per_hour: float | None = None,
    budget_usd: float | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> LoadTest:
    """`load_test` for code that runs in an event loop; cancelling it cancels the test."""
    sweep = _Sweep(provider, model, plan or LoadPlan(), usd_per_hour, budget_usd, on_progress)
    await sweep.run()
    return sweep.result()


class _Sweep:
    def __init__(
        self,
        provider: BaseLLMProvider,
        model: str,
        plan: LoadPlan,
        usd_per_hour: float | None,
        budget_usd: float | None,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.provider, self.model, self.plan = provider, model, plan
        self.usd_per_hour = _hours_cost(provider, usd_per_hour)
        self.on_progress = on_progress
        self.results: list[RateResult] = []
        self.stopped: str | None = None
        self.started_at = datetime.now(UTC)
        self._budget = Budget(provider, model, plan.output_tokens, budget_usd)
        self._under_way: tuple[float, Traffic] | None = None
        goal = plan.objective
        self._patience = Patience(
            _PATIENCE * goal.ttft_ms / 1e3,
            _PATIENCE * (goal.ttft_ms + goal.tpot_ms * plan.output_tokens) / 1e3,
        )

    async def run(self) -> None:
        """All rates. The provider's connections are closed at the end."""
        retry, self.provider.retry = self.provider.retry, replace(self.provider.retry, max_attempts=1)
        try:
            first = await self._warm_up()
            for rate in self._rates(first):
                if not await self._one(rate):
                    return
        finally:
            self.provider.retry = retry
            await self.provider.aclose()

    def _rates(self, seconds_alone: float) -> Iterator[float]:
        if self.plan.rates is not None:
            for rate in sorted(set(self.plan.rates)):
                yield rate
                if self.results[-1].misses:
                    return
            return
        # One request at a time takes half of the time: below the knee of any server but the slowest.
        first = float(f"{0.5 / seconds_alone:.2g}")
        for _ in range(_MOST_RATES):
            tried = next_rate(self.results, first, _LEAST_REQUESTS / self.plan.seconds)
            if tried is None or tried * self.plan.seconds > MOST_REQUESTS:
                return
            yield tried

    async def _warm_up(self) -> float:
        """Seconds that the second of two requests takes, alone: the first may load the model."""
        took = math.nan
        texts = self.plan.texts(self.model, math.inf)
        for prompt in itertools.islice(texts, 2):
            self._budget.take([prompt])
            traffic = self._traffic()
            # Asked as it is used later, but a failure is for the caller: nothing that follows would work.
            answer = self.provider.stream_chat_completion(
                [{"role": "user", "content": prompt}],
                self.model,
                self.plan.temperature,
                self.plan.output_tokens,
            )
            begin = traffic.now
            try:
                async for _ in answer:
                    pass
            finally:
                await answer.aclose()
            took = traffic.now - begin
            self._budget.settle([answer.response.cost])
        return max(took, 1e-3)

    async def _one(self, rate: float) -> bool:
        """Whether to go on."""
        plan = self.plan
        moments = poisson_arrivals(rate, plan.seconds, plan.seed)
        prompts = list(itertools.islice(plan.texts(self.model, rate), len(moments)))
        try:
            self._budget.take(prompts)
        except BudgetExceededError as error:
            self.stopped = f"{error} {rate:g} requests/s were not tried."
            return False
        traffic = self._traffic()
        self._under_way = (rate, traffic)
        await traffic.run(moments, prompts, plan.seconds, lambda seen: self._look(rate, seen))
        self._under_way = None
        self._settle(traffic.samples)
        seconds = plan.seconds if traffic.stopped_at is None else min(plan.seconds, traffic.stopped_at)
        self._add(summarise(traffic.samples, rate, seconds, plan.objective))
        return True

    def _traffic(self) -> Traffic:
        return Traffic(
            self.provider,
            self.model,
            max_tokens=self.plan.output_tokens,
            temperature=self.plan.temperature,
            patience=self._patience,
        )

    def _look(self, rate: float, seen: Traffic, result: RateResult | None = None) -> None:
        done = sum(each.done is not None for each in seen.samples)
        failed = sum(each.error is not None for each in seen.samples)
        self.on_progress(Progress(rate, seen.now, self.plan.seconds, len(seen.samples), done, failed, result))

    def _settle(self, samples: Sequence[Sample]) -> None:
        # A failed or cut try may have been billed, and stays at its worst case.
        self._budget.settle([each.cost if each.done is not None else None for each in samples])

    def _add(self, result: RateResult) -> None:
        self.results.append(result)
        self.on_progress(
            Progress(
                result.rate,
                result.seconds,
                self.plan.seconds,
                result.sent,
                result.completed,
                result.failed,
                result,
            )
        )

    def interrupt(self) -> None:
        """Keep what was measured of the rate under way."""
        self.stopped = "Interrupted: the rates below were measured, and no others."
        if self._under_way is None:
            return
        rate, traffic = self._under_way
        self._settle(traffic.samples)
        last = max((each.done or 0.0 for each in traffic.samples), default=0.0)
        if last:
            cut = max((each.cut or 0.0 for each in traffic.samples), default=0.0)
            seconds = min(self.plan.seconds, max(last, cut))
            self._add(summarise(traffic.samples, rate, seconds, self.plan.objective, interrupted=True))

    def result(self) -> LoadTest:
        """What there is."""
        return LoadTest(
            endpoint=self.provider.endpoint,
            model=self.model,
            objective=self.plan.objective,
            results=tuple(sorted(self.results, key=lambda each: each.rate)),
            seed=self.plan.seed,
            max_tokens=self.plan.output_tokens,
            prompts=self.plan.in_words(),
            usd_per_hour=self.usd_per_hour,
            started_at=self.started_at.isoformat(timespec="seconds"),
            spent_usd=self._budget.spent_usd,
            stopped=self.stopped,
            shared_prefix_tokens=self.plan.shared_prefix_tokens,
        )


def _hours_cost(provider: BaseLLMProvider, given: float | None) -> float | None:
    if given is None:
        return provider.usd_per_hour
    if not (is_finite(given) and given >= 0):
        raise UsageError(f"usd_per_hour must be a number of at least 0; it is {given!r}.")
    return given
