"""What a run of batches asks of a budget before it sends, and tells it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llmbench.types import ChatRequest

__all__ = ["Purse", "Unlimited"]


class Purse(Protocol):
    """What a budget is asked; USD are worst cases at the price of a batch."""

    async def room(self, request: ChatRequest) -> None:
        """Return when `request` fits, raise BudgetExceededError if it never will."""

    def fitting(self, requests: Sequence[ChatRequest]) -> int:
        """How many of them, from the first on, fit now."""

    def take(self, requests: Sequence[ChatRequest]) -> float:
        """Set their worst case aside; gives what `settle` needs."""

    def settle(self, reserved: float, charged: float) -> None:
        """Put what was charged in its place."""


class Unlimited:
    """No budget: everything fits, and nothing is set aside."""

    async def room(self, request: ChatRequest) -> None:
        """There is room for `request`."""

    def fitting(self, requests: Sequence[ChatRequest]) -> int:
        """All of them."""
        return len(requests)

    def take(self, requests: Sequence[ChatRequest]) -> float:  # noqa: ARG002
        """USD set aside: none."""
        return 0.0

    def settle(self, reserved: float, charged: float) -> None:
        """Nothing was set aside."""
