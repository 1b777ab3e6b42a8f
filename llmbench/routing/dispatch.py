"""One routed call: down its chain of models, until one answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from llmbench.errors import (
    BudgetExceededError,
    ContextWindowError,
    InvalidRequestError,
    ModelUnavailableError,
    ProviderError,
    ProviderTimeoutError,
    UsageError,
)
from llmbench.providers.calling import Call, RetryPolicy
from llmbench.providers.worst_case import output_limit, worst_case_price
from llmbench.routing.gate import Blocked, Gate, Ticket
from llmbench.routing.ranking import ASSUMED_OUTPUT_TOKENS

if TYPE_CHECKING:
    from llmbench.providers.trail import Trail
    from llmbench.routing.book import Book
    from llmbench.routing.route import Route
    from llmbench.routing.targets import Target
    from llmbench.types import ChatRequest, LLMResponse, Message, Recorder

__all__ = ["Dispatch"]

_CHARACTERS_PER_TOKEN = 4


class Dispatch:
    """Use once. The first model of the route that can take the call is asked; a failure that another
    model may not have goes on to the next, and round again as long as attempts and time last.
    """

    def __init__(
        self,
        route: Route,
        messages: Sequence[Message],
        options: Mapping[str, Any],
        *,
        trail: Trail,
        recorders: Mapping[str, Recorder | None],
        gate: Gate,
        book: Book,
        policy: RetryPolicy,
        allow_unpriced: bool,
    ) -> None:
        self._route = route
        self._messages = messages
        self._options = options
        self._trail = trail
        self._recorders = recorders
        self._gate = gate
        self._book = book
        self._policy = policy
        self._allow_unpriced = allow_unpriced
        self._left = list(route.targets)
        self._requests: dict[Target, ChatRequest] = {}
        self._not_before: dict[Target, float] = {}
        self._tries: dict[Target, int] = {}
        self._refused: dict[str, str] = {}
        self._failure: Exception | None = None
        self._over_budget = False

    async def run(self) -> LLMResponse:
        """The answer. Raises ProviderError, BudgetExceededError, UsageError or LedgerError."""
        while True:
            ticket = await self._enter()
            target = ticket.target
            within = self._gate.answer_within(target) if len(self._left) > 1 else None
            self._trail.recorder = self._recorders[target.endpoint]
            if target not in self._tries:
                self._book.asked(target)
            self._tries[target] = self._tries.get(target, 0) + 1
            try:
                call = Call(target.provider, self._requests[target], self._trail, target.endpoint)
                response = await call.try_once(within)
            except ProviderError as error:
                self._gate.failed(ticket, error)
                self._book.failed(target, self._trail.attempts[-1].cost)
                self._go_on(target, error)
            except BaseException:
                self._gate.left(ticket)
                raise
            else:
                tokens = response.usage.total_tokens if response.usage else None
                latency = self._trail.attempts[-1].latency_ms
                self._gate.answered(ticket, latency_ms=latency, tokens=tokens, charged_usd=response.cost)
                self._book.answered(target, response, fallback=target is not self._route.targets[0])
                return response

    def _go_on(self, target: Target, error: ProviderError) -> None:
        """Prepare for the next attempt, or raise what ended the last one."""
        self._failure = error
        if len(self._trail.attempts) >= self._policy.max_attempts:
            raise error
        if isinstance(error, ContextWindowError):
            self._left = [each for each in self._left if _reads_more(each, target)]
        elif error.disables_model:
            self._left = [each for each in self._left if each is not target]
        elif error.retryable:
            pause = self._policy.wait(self._tries[target], error)
            self._not_before[target] = self._gate.clock.monotonic() + pause
        else:
            raise error
        if not self._left:
            raise error

    async def _enter(self) -> Ticket:
        """Wait until one of the models can take the call."""
        while True:
            now, version = self._gate.clock.monotonic(), self._gate.version
            soonest = math.inf
            # A slow model is passed over as long as another can be asked.
            for alternatives in (True, False) if len(self._left) > 1 else (False,):
                for target in tuple(self._left):
                    ready = self._not_before.get(target, now)
                    if ready > now:
                        soonest = min(soonest, ready)
                        self._refused.setdefault(target.id, "waits before it is tried again")
                        continue
                    found = self._try(target, alternatives=alternatives)
                    if isinstance(found, Ticket):
                        return found
                    if found.until > now:
                        soonest = min(soonest, found.until)
            if not self._left:
                self._give_up("")
            left = self._trail.seconds_left
            if soonest - now >= left and soonest < math.inf:
                self._give_up(f" within {left:.1f} s")
            await self._wait(min(soonest - now, left), version)

    def _try(self, target: Target, *, alternatives: bool) -> Ticket | Blocked:
        """Let the call in at `target`, or say why not."""
        try:
            self._prepare(target)
            worst = self._worst_case(target)
        except (InvalidRequestError, UsageError) as error:
            self._failure = self._failure or error
            self._left.remove(target)
            self._refused[target.id] = str(error)
            return Blocked(str(error), math.inf, for_good=True)
        found = self._gate.enter(
            target,
            tokens=self._tokens(target) if self._gate.counts_tokens else 0,
            worst_usd=worst,
            alternatives=alternatives,
            insist=self._route.explicit,
        )
        if isinstance(found, Blocked):
            self._refused[target.id] = found.reason
            if found.for_good:
                self._left.remove(target)
                self._over_budget |= found.budget
        return found

    def _prepare(self, target: Target) -> None:
        if target not in self._requests:
            self._requests[target] = target.provider.request(self._messages, target.model, **self._options)

    def _worst_case(self, target: Target) -> float:
        """USD to set aside; 0 where there is no budget."""
        if self._gate.spending is None or target.provider.self_hosted:
            return 0.0
        limit = output_limit(target.provider, target.model, self._options)
        worst = worst_case_price(target.provider, target.model, self._messages, limit)
        if worst == 0.0 and not self._allow_unpriced:
            raise UsageError(
                f"The price of {target.id} is not known, so no budget can hold it; give its price in "
                "prices.toml, or allow_unpriced=True."
            )
        if worst and limit is None:
            raise UsageError(
                f"{target.id} has no known limit of an answer; give max_tokens to keep a budget."
            )
        return worst

    def _tokens(self, target: Target) -> int:
        """About as many as the call may use, for a limit of tokens a minute."""
        written = sum(len(message["content"]) for message in self._messages) // _CHARACTERS_PER_TOKEN
        given = self._requests[target].params.get("max_tokens")
        return written + (given if isinstance(given, int) else ASSUMED_OUTPUT_TOKENS)

    async def _wait(self, seconds: float, version: int) -> None:
        """Until `seconds` have passed, or another call has ended."""
        clock = self._gate.clock
        sleeping = asyncio.ensure_future(clock.sleep(max(seconds, 0.0)))
        ending = self._gate.change(version)
        try:
            await asyncio.wait({sleeping, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ending.cancel()
        if self._trail.seconds_left <= 0:
            self._give_up(" before the deadline")

    def _give_up(self, when: str) -> NoReturn:
        """Raise the failure at hand, or one that says why nothing was sent."""
        why = "; ".join(f"{model}: {reason}" for model, reason in self._refused.items())
        if self._over_budget:
            raise BudgetExceededError(
                f"{why}. Nothing more is sent: raise the router's budget, or wait until it is free again."
            )
        if self._failure is not None:
            if isinstance(self._failure, ProviderError):
                self._failure.attempts = tuple(self._trail.attempts)
            raise self._failure
        first = self._route.targets[0]
        kind = ModelUnavailableError if not self._left else ProviderTimeoutError
        who = "The models of the route" if len(self._route.targets) > 1 else first.id
        raise kind(
            f"{who} cannot be asked{when} ({why}); wait, raise the deadline, or call router.enable(model).",
            provider=first.provider.name,
            model=first.model,
        )


def _reads_more(target: Target, than: Target) -> bool:
    return target is not than and (
        target.context is None or than.context is None or target.context > than.context
    )
