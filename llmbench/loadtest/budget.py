"""What the calls of a load test may cost, and what they did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmbench.errors import BudgetExceededError, UsageError
from llmbench.numbers import is_finite
from llmbench.providers.worst_case import worst_case_price
from llmbench.types import Usage

if TYPE_CHECKING:
    from llmbench.providers.base import BaseLLMProvider

__all__ = ["Budget"]


class Budget:
    """What is set aside before a rate, and what it cost then. Free endpoints need none."""

    def __init__(
        self, provider: BaseLLMProvider, model: str, max_tokens: int, limit_usd: float | None
    ) -> None:
        self._provider, self._model, self._max_tokens = provider, model, max_tokens
        self._free = provider.self_hosted
        if limit_usd is not None and not (is_finite(limit_usd) and limit_usd >= 0):
            raise UsageError(f"budget_usd must be a number of at least 0; it is {limit_usd!r}.")
        self._limit = limit_usd
        self._charged = 0.0
        self._reserved: list[float] = []
        self._known = True
        if self._free:
            return
        if limit_usd is None:
            raise UsageError(
                f"Calls of {provider.endpoint}/{model} may cost money; give --budget-usd (budget_usd), or, "
                "where the machine is your own, set usd_per_hour of the endpoint in llmbench.toml."
            )
        if provider.price(model, Usage(1, 1)).usd is None:
            raise UsageError(
                f"The price of {provider.endpoint}/{model} is not known, so that no budget holds it; set its "
                "prices in llmbench.toml, or, where the machine is your own, usd_per_hour."
            )

    @property
    def spent_usd(self) -> float | None:
        """So far; None where a failed call may have cost something."""
        return self._charged if self._known else None

    def take(self, prompts: Sequence[str]) -> None:
        """Set the worst case of these prompts aside. Raises BudgetExceededError where it does not fit."""
        if self._free:
            return
        worst = [
            worst_case_price(
                self._provider, self._model, [{"role": "user", "content": prompt}], self._max_tokens
            )
            for prompt in prompts
        ]
        left = (self._limit or 0.0) - self._charged
        if math.fsum(worst) > left:
            raise BudgetExceededError(
                f"${left:.4f} of the budget are left, and the next {len(worst)} requests might cost "
                f"${math.fsum(worst):.4f}."
            )
        self._reserved = worst

    def settle(self, costs: Sequence[float | None]) -> None:
        """What the requests of the last `take` cost, those that were sent; None: the worst case."""
        if self._free:
            return
        for cost, worst in zip(costs, self._reserved, strict=False):
            self._charged += worst if cost is None else cost
            self._known = self._known and cost is not None
        self._reserved = []
