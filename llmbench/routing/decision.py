"""Several calls that belong together: attempts of one decision, under one id in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.routing.route import Route

if TYPE_CHECKING:
    from llmbench.providers.calling import RetryPolicy
    from llmbench.providers.trail import Trail
    from llmbench.routing.dispatch import Dispatch
    from llmbench.routing.targets import Target
    from llmbench.types import Attempt, LLMResponse, Message

__all__ = ["Decision"]


class Decision:
    """Made by `ModelRouter.decision`. Each `ask` goes to the model it names, with the router's limits,
    budgets and cooldowns; the deadline is of all of them together.
    """

    def __init__(
        self,
        named: Callable[[str], list[Target]],
        dispatch: Callable[[Route, Sequence[Message], Mapping[str, Any], Trail, RetryPolicy], Dispatch],
        trail: Trail,
        policy: RetryPolicy,
    ) -> None:
        self._named = named
        self._dispatch = dispatch
        self._trail = trail
        self._policy = policy

    async def ask(
        self,
        model: str,
        messages: Sequence[Message],
        *,
        rule: str,
        reason: str,
        at_once: int = 1,
        **options: Any,
    ) -> LLMResponse:
        """One answer of `model`; `rule` and `reason` are recorded as the route of its attempts.

        `at_once` says how many such calls are made at the same time, each with tries of its own.
        Raises as `ModelRouter.route` does.
        """
        route = Route(None, rule, reason, self._named(model), explicit=True)
        self._trail.route = {**route.data(), "strategy": rule}
        # The trail counts the attempts of all calls; each call has as many as it would have alone.
        allowed = len(self._trail.attempts) + self._policy.max_attempts * at_once
        policy = replace(self._policy, max_attempts=allowed)
        return await self._dispatch(route, messages, options, self._trail, policy).run()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Of all calls so far, failed ones included."""
        return tuple(self._trail.attempts)

    @property
    def wall_ms(self) -> float:
        """Since the decision was begun."""
        return (self._trail.clock.monotonic() - self._trail.begin) * 1000
