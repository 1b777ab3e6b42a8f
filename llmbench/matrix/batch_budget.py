"""A run's budget as batches ask it: the worst case of a whole batch is set aside before it is submitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmbench.matrix.budget import Budget
from llmbench.types import ChatRequest

__all__ = ["BatchPurse"]


class BatchPurse:
    """`worst_case` gives USD that a request cannot exceed in a batch."""

    def __init__(self, budget: Budget, worst_case: Callable[[ChatRequest], float]) -> None:
        self._budget = budget
        self._worst_case = worst_case

    async def room(self, request: ChatRequest) -> None:
        """Return when `request` fits. Raises BudgetExceededError where it does not although nothing is
        under way.
        """
        await self._budget.room(self._worst_case(request))

    def fitting(self, requests: Sequence[ChatRequest]) -> int:
        """How many of them, from the first on, fit now."""
        left = self._budget.left_usd
        for number, request in enumerate(requests):
            left -= self._worst_case(request)
            if left < 0:
                return number
        return len(requests)

    def take(self, requests: Sequence[ChatRequest]) -> float:
        """Set their worst case aside, as one reservation."""
        reserved = sum(map(self._worst_case, requests))
        self._budget.take(reserved)
        return reserved

    def settle(self, reserved: float, charged: float) -> None:
        """Put what was charged in the place of a reservation."""
        self._budget.settle(reserved, charged)
