"""A cascade: the cheap model answers, a judge looks at the answer, and the strong one takes over."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.errors import ProviderError, UsageError
from llmbench.routing.cascade_judges import CascadeJudge, Judgement, checked
from llmbench.types import Usage

if TYPE_CHECKING:
    from llmbench.routing.decision import Decision
    from llmbench.routing.router import ModelRouter
    from llmbench.types import LLMResponse, Message

__all__ = ["Cascade"]


class Cascade:
    """Asks `cheap` first, and `strong` where the judge trusts the answer less than `threshold`.

    All calls are attempts of one decision: one `call_id` in the ledger, limits, budgets and
    cooldowns of the router kept. Choose the threshold with `llmbench.routing.evaluate_cascade`.

    Args:
        router: whose providers, ledger, limits and budgets are used.
        cheap, strong: "endpoint/model", or a model's name that the router's providers serve.
        judge: `self_consistency()`, `verifier(score)`, `format_check(check)`, or any function of the
            messages and the list of answers that returns a Judgement, awaitable or not.
        threshold: least trust with which a cheap answer stands.
        samples: answers that the cheap model gives to each prompt, at the same time.
        sample_temperature: of these, where there are several and the call names none.

    Raises UsageError.

    >>> import asyncio
    >>> from llmbench import FakeProvider, ModelRouter
    >>> from llmbench.routing import Cascade, format_check
    >>> router = ModelRouter({
    ...     "small": FakeProvider(["about twelve"], model="small"),
    ...     "large": FakeProvider(["12"], model="large"),
    ... }, models=["small/small", "large/large"])
    >>> cascade = Cascade(router, "small/small", "large/large", format_check(str.isdigit))
    >>> response = asyncio.run(cascade.route([{"role": "user", "content": "7 + 5? Digits only."}]))
    >>> response.content, response.metadata["cascade"]["escalated"], len(response.attempts)
    ('12', True, 2)
    """

    def __init__(
        self,
        router: ModelRouter,
        cheap: str,
        strong: str,
        judge: CascadeJudge,
        *,
        threshold: float = 0.5,
        samples: int = 1,
        sample_temperature: float = 0.7,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise UsageError(f"threshold is the least trust, from 0 to 1, not {threshold!r}.")
        if type(samples) is not int or samples < 1:
            raise UsageError(f"samples must be a whole number from 1 on, not {samples!r}.")
        if not callable(judge):
            raise UsageError(f"judge must be a function, such as self_consistency(); it is {judge!r:.80}.")
        self._router = router
        self.cheap, self.strong = cheap, strong
        self._judge = judge
        self.threshold = float(threshold)
        self.samples = samples
        self._temperature = sample_temperature

    async def route(
        self,
        messages: Sequence[Message],
        *,
        unit_id: str | None = None,
        run_id: str | None = None,
        deadline_s: float | None = None,
        **options: Any,
    ) -> LLMResponse:
        """The answer that stands; `options` are those of `chat_completion`.

        Its `cost`, `usage`, `tokens_used` and `latency_ms` are of the whole cascade, judge included;
        `attempts` lists every call, and `metadata["cascade"]` says trust, threshold and what was
        done. A cheap model that fails altogether is escalated, with trust 0. Raises as
        `ModelRouter.route` does.
        """
        decision = self._router.decision(unit_id=unit_id, run_id=run_id, deadline_s=deadline_s)
        answers = await self._ask_cheap(messages, decision, options)
        verdict = Judgement(0.0)
        if answers:
            given = self._judge(messages, [answer.content for answer in answers])
            verdict = checked(await given if inspect.isawaitable(given) else given, len(answers))
        escalated = not answers or verdict.trust < self.threshold
        calls = list(answers)
        if escalated:
            why = f"trust {verdict.trust:.2f} is below {self.threshold:g}" if answers else "it did not answer"
            reason = f"{self.cheap} was asked first: {why}"
            final = await decision.ask(self.strong, messages, rule="cascade", reason=reason, **options)
            calls.append(final)
        else:
            final = answers[verdict.answer]
        return self._whole(final, calls, decision, verdict, escalated)

    async def _ask_cheap(
        self, messages: Sequence[Message], decision: Decision, options: dict[str, Any]
    ) -> list[LLMResponse]:
        """The samples that came; those that failed are attempts of the decision only."""
        if self.samples > 1:
            options = {"temperature": self._temperature, **options}
        reason = "the cheap model is asked first"
        calls = [
            decision.ask(
                self.cheap,
                messages,
                rule="cascade",
                reason=reason,
                at_once=self.samples,
                **self._numbered(options, place),
            )
            for place in range(self.samples)
        ]
        done = await asyncio.gather(*calls, return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException) and not isinstance(each, ProviderError):
                raise each
        return [each for each in done if not isinstance(each, BaseException)]

    def _numbered(self, options: dict[str, Any], place: int) -> dict[str, Any]:
        """With a seed of its own for each sample, where the call gives one."""
        seed = options.get("seed")
        return options if type(seed) is not int else {**options, "seed": seed + place}

    def _whole(
        self,
        final: LLMResponse,
        calls: Sequence[LLMResponse],
        decision: Decision,
        verdict: Judgement,
        escalated: bool,
    ) -> LLMResponse:
        """The final answer with what all calls took."""
        costs = [*(attempt.cost for attempt in decision.attempts), verdict.cost_usd]
        known = [cost for cost in costs if cost is not None]
        total = sum(known) if len(known) == len(costs) else None
        used = [call.usage for call in calls]
        usage = None if None in used else _sum([each for each in used if each is not None])
        wall_ms = decision.wall_ms
        said = {
            "cheap": self.cheap,
            "strong": self.strong,
            "trust": verdict.trust,
            "threshold": self.threshold,
            "escalated": escalated,
            "calls": len(decision.attempts),
            "cost_usd": total,
            "judge_cost_usd": verdict.cost_usd,
            "wall_ms": wall_ms,
        }
        return replace(
            final,
            cost=total,
            usage=usage,
            tokens_used=usage.total_tokens if usage else 0,
            latency_ms=round(wall_ms),
            metadata={**final.metadata, "cascade": said},
            attempts=decision.attempts,
        )

    def __repr__(self) -> str:
        return f"Cascade({self.cheap} then {self.strong} below trust {self.threshold:g})"


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        *(
            sum(getattr(usage, name) for usage in usages)
            for name in (
                *("input_tokens", "output_tokens"),
                *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
            )
        )
    )
