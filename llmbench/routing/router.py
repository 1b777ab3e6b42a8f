"""The router: it chooses a model for each request, and sees to it that one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from llmbench.errors import LedgerError, UsageError
from llmbench.providers.calling import RetryPolicy
from llmbench.providers.clock import Clock, SystemClock
from llmbench.providers.trail import Trail
from llmbench.routing.assigning import Assigner
from llmbench.routing.book import Book
from llmbench.routing.calibrated import CalibratedRouting
from llmbench.routing.choosing import Chooser
from llmbench.routing.decision import Decision
from llmbench.routing.dispatch import Dispatch
from llmbench.routing.experiment import Experiment
from llmbench.routing.gate import Gate
from llmbench.routing.health import CooldownPolicy
from llmbench.routing.limits import Budgets, Limit
from llmbench.routing.performance import PerformanceReport, report_of, saving_against, tally_attempts
from llmbench.routing.recording import open_providers, recorders, seed_spending
from llmbench.routing.route import Route
from llmbench.routing.strategy import RoutingStrategy
from llmbench.routing.table import RoutingTable, routing_table
from llmbench.routing.targets import Endpoints

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.types import LLMResponse, Message

__all__ = ["ModelRouter"]


class ModelRouter:
    """Sends each request to the model that a strategy chooses, and on to the next where that fails.

    Args:
        providers: {endpoint name: provider}; or names of endpoints of llmbench.toml; or None for
            all endpoints at hand. Those opened by name record to the project's ledger.
        default_strategy: where a call names none.
        routes: the rules of SMART: "document", "current", the path of a TOML file, or its content; or a
            router that was learned: what `calibrate` returns, or the path of its .json file.
        models: what CHEAPEST, FASTEST and BEST_QUALITY choose from ("endpoint/model", or a model's
            name); default: what the table names and the providers serve.
        quality: {"endpoint/model" or model: score}, such as `Matrix(...).results()` gives, for
            BEST_QUALITY.
        experiment: arms and weights for AB_TEST; default: the table's.
        limits: {"endpoint/model": Limit}; an endpoint alone means each of its models.
        budgets: USD a run, hour and day.
        ledger: where every attempt, assignment and outcome is kept. Without one, providers record to
            their own ledgers, if they have any.
        store_texts: also keep prompts and answers. Off: the ledger holds who asked what model when,
            tokens, costs and times, and a hash of the request.
        redact: what to blacken in kept texts: "email", "phone", "iban", "card", "ip", or a regular
            expression.
        allow_unpriced: whether CHEAPEST and budgets let models without a known price through.
        fallback: whether another model may answer when the chosen one cannot.
        cooldown: when a failing model is left alone, and for how long.
        max_attempts: of one call, over all models.
        deadline_s: of one call, waits and retries included.

    >>> from llmbench import FakeProvider
    >>> providers = {"openai": FakeProvider(["Yes."], model="gpt-4o")}
    >>> router = ModelRouter(providers)
    >>> print(router.explain([{"role": "user", "content": "Is 7 prime?"}], task_type="complex"))
    openai/gpt-4o by complex: the hint is 'complex'
    """

    def __init__(
        self,
        providers: Mapping[str, BaseLLMProvider] | Sequence[str] | None = None,
        default_strategy: RoutingStrategy | str = RoutingStrategy.SMART,
        *,
        routes: str | Path | Mapping[str, Any] | RoutingTable | CalibratedRouting = "document",
        models: Sequence[str] | None = None,
        quality: Mapping[str, float] | Any | None = None,
        experiment: Experiment | None = None,
        limits: Mapping[str, Limit] | None = None,
        budgets: Budgets | None = None,
        ledger: Ledger | None = None,
        store_texts: bool = False,
        redact: Sequence[str] = (),
        allow_unpriced: bool = False,
        fallback: bool = True,
        cooldown: CooldownPolicy | None = None,
        max_attempts: int = 6,
        deadline_s: float = 120.0,
        clock: Clock | None = None,
    ) -> None:
        self.default_strategy = RoutingStrategy.of(default_strategy)
        self.table = _table(routes)
        if not isinstance(providers, Mapping):
            providers, ledger = open_providers(providers, ledger)
        if not providers:
            raise UsageError('The router has no providers; give them as {"name": provider}.')
        if ledger is not None and not callable(getattr(ledger, "record_assignment", None)):
            raise UsageError(f"ledger must be a Ledger, such as Ledger(path); it is {ledger!r:.80}.")
        self.ledger = ledger
        self._endpoints = Endpoints(providers)
        self._clock = clock or SystemClock()
        self._policy = RetryPolicy(max_attempts=max_attempts, deadline_s=deadline_s)
        self._allow_unpriced = allow_unpriced
        self._recorders = recorders(self._endpoints.providers, ledger, texts=store_texts, redact=redact)
        _refuse_unknown(limits or {}, self._endpoints)
        self._gate = Gate(
            self._clock,
            limits=limits or {},
            budgets=budgets or Budgets(),
            cooldown=cooldown or CooldownPolicy(),
        )
        self._book = Book()
        self._chooser = Chooser(
            self._endpoints,
            self.table,
            models=models,
            quality=quality,
            speeds=self._book.speeds,
            ledger=ledger,
            allow_unpriced=allow_unpriced,
            fallback=fallback,
        )
        self._assigner = Assigner(self._chooser.experiment(experiment), ledger, self._clock)
        if ledger is not None and self._gate.spending is not None:
            seed_spending(self._gate.spending, ledger, self._clock)

    @staticmethod
    def calibrate(results: Any, **options: Any) -> CalibratedRouting:
        """Learn from the results of a matrix which model suffices for a prompt, with a guarantee: see
        `llmbench.routing.calibration.calibrate` for `options`. What it returns is given to
        `ModelRouter(routes=...)`, or saved and given by its path. Needs the extra `routing`.
        """
        from llmbench.routing.calibration import calibrate

        return calibrate(results, **options)

    async def route(
        self,
        messages: Sequence[Message],
        task_type: str | None = None,
        strategy: RoutingStrategy | str | None = None,
        provider: str | None = None,
        model: str | None = None,
        unit_id: str | None = None,
        *,
        unit_attributes: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        deadline_s: float | None = None,
        **options: Any,
    ) -> LLMResponse:
        """Ask the model that the strategy chooses; `options` are those of `chat_completion`.

        `provider` and `model` name it themselves: then no other is asked, and a cooldown is waited
        out. `unit_id` is for whom it is: a lead, an account; `unit_attributes` (mailbox, campaign, size of
        the company) are recorded with its assignment to an arm, when that is made.
        `response.metadata["route"]` says what was chosen and why, `response.attempts` every try with its
        model and cost.

        Raises ProviderError when no attempt succeeded, BudgetExceededError, UsageError for what
        cannot be meant, and LedgerError when an answer could not be made durable.
        """
        attributes = {}
        if unit_attributes:
            from llmbench.ledger.attributes import checked_attributes

            attributes = checked_attributes(unit_attributes)
        route = self._chooser.decide(
            self.default_strategy, messages, task_type, strategy, provider, model, unit_id, options,
            observe=True,
        )  # fmt: skip
        assigned = None
        if route.strategy is RoutingStrategy.AB_TEST:
            assigned = await self._assigner.assign(unit_id)
            route = self._chooser.route_of(assigned, self._assigner.experiment)
        seconds = self._policy.deadline_s if deadline_s is None else deadline_s
        trail = Trail(
            self._clock,
            seconds,
            self._recorders[route.targets[0].endpoint],
            run_id,
            unit_id=assigned.unit_id if assigned else unit_id,
            experiment_id=assigned.experiment_id if assigned else None,
            arm=assigned.arm if assigned else None,
            route=route.data() | ({"task_type": task_type} if isinstance(task_type, str) else {}),
        )
        dispatch = self._dispatch(route, messages, options, trail, self._policy)
        if assigned is None or assigned.known:
            return await dispatch.run()
        # Written while the model works, and durable before its answer is handed out.
        keeping = asyncio.ensure_future(self._assigner.keep(assigned, attributes))
        try:
            response = await dispatch.run()
        except BaseException:
            with suppress(LedgerError):  # what ended the call says more
                await asyncio.shield(keeping)
            raise
        try:
            await asyncio.shield(keeping)
        except LedgerError as error:
            error.response = response
            raise
        return response

    def decision(
        self, *, unit_id: str | None = None, run_id: str | None = None, deadline_s: float | None = None
    ) -> Decision:
        """Begin several calls that are attempts of one decision, as those of a `Cascade` are: one
        `call_id` in the ledger, one deadline from now on.
        """
        if unit_id is not None and (type(unit_id) is not str or not unit_id):
            raise UsageError(f"unit_id must be a text; it is {unit_id!r}.")
        seconds = self._policy.deadline_s if deadline_s is None else deadline_s
        trail = Trail(self._clock, seconds, None, run_id, unit_id=unit_id)
        return Decision(self._chooser.named, self._dispatch, trail, self._policy)

    def _dispatch(
        self,
        route: Route,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        trail: Trail,
        policy: RetryPolicy,
    ) -> Dispatch:
        return Dispatch(
            route,
            messages,
            options,
            trail=trail,
            recorders=self._recorders,
            gate=self._gate,
            book=self._book,
            policy=policy,
            allow_unpriced=self._allow_unpriced,
        )

    def explain(
        self,
        messages: Sequence[Message],
        task_type: str | None = None,
        strategy: RoutingStrategy | str | None = None,
        provider: str | None = None,
        model: str | None = None,
        unit_id: str | None = None,
        **options: Any,
    ) -> Route:
        """What `route` would do with the same arguments, without a call: rule, reason and candidates,
        with what is known against each at the moment.
        """
        route = self._chooser.decide(
            self.default_strategy, messages, task_type, strategy, provider, model, unit_id, options
        )
        if route.strategy is RoutingStrategy.AB_TEST:
            route = self._chooser.route_of(self._assigner.look(unit_id), self._assigner.experiment)
        notes = []
        for target, candidate in zip(route.targets, route.candidates, strict=True):
            ends = target.provider.shutdown_date(target.model)
            known = (
                candidate.note,
                self._gate.condition(target),
                ends and f"the catalog has it end on {ends}",
            )
            notes.append("; ".join(each for each in known if each))
        return Route(
            route.strategy, route.rule, route.reason, route.targets, notes, route.assigned, route.explicit
        )

    def get_performance_report(
        self, source: str = "memory", *, baseline: str | None = None, since: datetime | None = None
    ) -> PerformanceReport:
        """What each model did: of this router ("memory"), or of all routed and other calls in the
        ledger ("ledger", not started before `since`).

        `baseline` ("endpoint/model" or a model's name) is what `.saving` compares with; default: the
        best of the table that the providers serve.
        """
        if source == "memory":
            report = self._book.report()
        elif source == "ledger":
            if self.ledger is None:
                raise UsageError('The router has no ledger; give it one, or ask for source="memory".')
            report = report_of(tally_attempts(self.ledger.attempt_facts(since)))
        else:
            raise UsageError(f'source is {source!r}; it is "memory" or "ledger".')
        against = self._chooser.baseline(baseline)
        if against is not None:
            info = against.provider.get_model_info(against.model)
            prices = (info.cost_per_1k_input_tokens, info.cost_per_1k_output_tokens)
            report.saving = saving_against(report, against.id, prices)
        return report

    def enable(self, model: str) -> None:
        """Ask "endpoint/model" again, whatever was held against it: after a key was put right, say."""
        for target in self._chooser.named(model):
            self._gate.enable(target)

    async def aclose(self) -> None:
        """Close the connections of all providers."""
        for provider in self._endpoints.providers.values():
            await provider.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        names = ", ".join(self._endpoints.providers)
        return f"ModelRouter({names}; {self.default_strategy.name}, routes {self.table.name!r})"


def _table(
    routes: str | Path | Mapping[str, Any] | RoutingTable | CalibratedRouting,
) -> RoutingTable | CalibratedRouting:
    if isinstance(routes, CalibratedRouting):
        return routes
    if isinstance(routes, str | Path) and Path(routes).suffix.lower() == ".json":
        return CalibratedRouting.load(routes)
    return routing_table(routes)


def _refuse_unknown(limits: Mapping[str, Limit], endpoints: Endpoints) -> None:
    for name, limit in limits.items():
        if name.partition("/")[0] not in endpoints.providers:
            raise UsageError(
                f"limits names {name!r}, which is no endpoint of the router; it has "
                f"{', '.join(endpoints.providers)}."
            )
        if not isinstance(limit, Limit):
            raise UsageError(f"limits[{name!r}] is {limit!r}; give a Limit(...).")
