"""Who may go now: health, rates, calls in flight and budget in one place, for calls of any event loop."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from llmbench.errors import ProviderError
from llmbench.routing.health import CooldownPolicy, Health
from llmbench.routing.limits import Budgets, Limit, Spending, Window

if TYPE_CHECKING:
    from llmbench.providers.clock import Clock
    from llmbench.routing.targets import Target

__all__ = ["Blocked", "Gate", "Ticket"]

_RECENT = 5
_SLOW_SECONDS = 10.0
"""How long a slow model is left to recover before it is tried again."""


@dataclass(slots=True)
class _State:
    """One model at one endpoint."""

    health: Health
    limit: Limit
    window: Window | None
    in_flight: int = 0
    recent_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))
    slow_until: float = 0.0

    def slow(self, now: float) -> str | None:
        """Why another model should be asked for the time being."""
        above = self.limit.slow_above_ms
        if above is None:
            return None
        if len(self.recent_ms) == _RECENT and sorted(self.recent_ms)[_RECENT // 2] > above:
            self.slow_until = now + _SLOW_SECONDS
            self.recent_ms.clear()
        return f"its last answers took more than {above:,.0f} ms" if now < self.slow_until else None


class Ticket(NamedTuple):
    """One call that was let in; it is given back by one of `Gate`'s `answered`, `failed` or `left`."""

    target: Target
    since: float
    """When, by the clock."""
    worst_usd: float
    entry: list[float] | None


class Blocked(NamedTuple):
    """Why a call was not let in, and until when (by the clock; infinity: until another call ends)."""

    reason: str
    until: float
    for_good: bool = False
    """Waiting does not help."""
    budget: bool = False


class Gate:
    """Lets calls in. All of it is quick and under one lock, so threads and loops may share it."""

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Mapping[str, Limit],
        budgets: Budgets,
        cooldown: CooldownPolicy,
    ) -> None:
        self.clock = clock
        self.spending = Spending(budgets) if budgets.any else None
        self._limits = limits
        self._cooldown = cooldown
        self._states: dict[Target, _State] = {}
        self._lock = threading.Lock()
        self.version = 0
        """Counts the calls that have ended."""
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def state(self, target: Target) -> _State:
        """The state of `target`."""
        found = self._states.get(target)
        if found is None:
            limit = self._limits.get(target.id) or self._limits.get(target.endpoint) or Limit()
            counted = limit.requests_per_minute is not None or limit.tokens_per_minute is not None
            found = _State(Health(self._cooldown), limit, Window(limit) if counted else None)
            found = self._states.setdefault(target, found)
        return found

    def enter(
        self,
        target: Target,
        *,
        tokens: int,
        worst_usd: float,
        alternatives: bool = False,
        insist: bool = False,
    ) -> Ticket | Blocked:
        """Let a call in, or say why not. `alternatives`: others can be asked, so a slow one need not.
        `insist`: also where the model is disabled.
        """
        with self._lock:
            now = self.clock.monotonic()
            state = self.state(target)
            health, limit = state.health, state.limit
            reason = health.blocked(now)
            if reason is not None and not (insist and health.disabled is not None):
                until = health.resting_until if now < health.resting_until else math.inf
                return Blocked(reason, until, for_good=health.disabled is not None)
            if limit.concurrency is not None and state.in_flight >= limit.concurrency:
                return Blocked(f"has {state.in_flight} calls in flight, its limit", math.inf)
            if alternatives and (reason := state.slow(now)):
                return Blocked(reason, now)
            if state.window is not None:
                free_at = state.window.free_at(now, tokens)
                if free_at > now:
                    never = free_at == math.inf
                    what = "can never hold" if never else "has no room for"
                    return Blocked(f"its minute {what} {tokens:,} tokens more", free_at, for_good=never)
            if self.spending is not None and (lack := self.spending.lacking(now, worst_usd)):
                return Blocked(lack, math.inf, for_good=self.spending.in_flight == 0, budget=True)
            return self._let_in(state, target, now, tokens, worst_usd)

    def _let_in(self, state: _State, target: Target, now: float, tokens: int, worst_usd: float) -> Ticket:
        state.in_flight += 1
        state.health.entered()
        if self.spending is not None:
            self.spending.reserve(worst_usd)
        return Ticket(target, now, worst_usd, state.window.enter(now, tokens) if state.window else None)

    def answered(
        self, ticket: Ticket, *, latency_ms: float, tokens: int | None, charged_usd: float | None
    ) -> None:
        """The call was answered."""
        with self._lock:
            state = self._leave(ticket, ticket.worst_usd if charged_usd is None else charged_usd)
            state.health.answered()
            state.recent_ms.append(latency_ms)
            if ticket.entry is not None and state.window is not None and tokens is not None:
                state.window.settle(ticket.entry, tokens)
        self._wake()

    def failed(self, ticket: Ticket, error: ProviderError) -> None:
        """The call failed."""
        with self._lock:
            state = self._leave(ticket, ticket.worst_usd if error.maybe_billed else 0.0)
            state.health.failed(error, self.clock.monotonic(), ticket.since)
        self._wake()

    def left(self, ticket: Ticket) -> None:
        """The call was given up; it may be billed."""
        with self._lock:
            self._leave(ticket, ticket.worst_usd).health.left(ticket.since)
        self._wake()

    def _leave(self, ticket: Ticket, charged_usd: float) -> _State:
        state = self._states[ticket.target]
        state.in_flight -= 1
        if self.spending is not None:
            self.spending.settle(self.clock.monotonic(), ticket.worst_usd, charged_usd)
        return state

    @property
    def counts_tokens(self) -> bool:
        """Whether any model has a limit of tokens a minute."""
        return any(limit.tokens_per_minute is not None for limit in self._limits.values())

    def answer_within(self, target: Target) -> float | None:
        """Seconds after which another model is asked instead."""
        return self.state(target).limit.answer_within_s

    def enable(self, target: Target) -> None:
        """Forget what was held against it."""
        with self._lock:
            self.state(target).health = Health(self._cooldown)
        self._wake()

    def condition(self, target: Target) -> str | None:
        """Why it would not be let in now, as far as its health goes."""
        with self._lock:
            return self.state(target).health.blocked(self.clock.monotonic())

    def change(self, since: int) -> asyncio.Future[None]:
        """Done once some call has ended after `version` was `since`. Cancel it when it is not needed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.version != since:
                future.set_result(None)
            else:
                self._waiting.append((loop, future))
        return future

    def _wake(self) -> None:
        with self._lock:
            self.version += 1
            if not self._waiting:
                return
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(_settle, future)
            except RuntimeError:  # that loop is closed: nobody waits any more
                continue


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
