"""A run's budget: the worst case of a call is set aside before it is made, and settled after it."""

from __future__ import annotations

import asyncio
import math

from llmbench.errors import BudgetExceededError

__all__ = ["Budget"]


class Budget:
    """Dollars that calls in flight at the same time cannot overdraw by their answers.

    One worst case is set aside per call, yet a call that is retried after a timeout or a cut
    connection may be billed for every try. Such tries are charged at their worst case when the call
    settles, so nothing more is called once they have used the budget up; but the calls then in flight
    can overdraw it, each by up to (attempts - 1) worst cases. `max_attempts=1` rules that out.

    Belongs to one event loop. `limit_usd` None is no limit.
    """

    def __init__(self, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self.charged_usd = 0.0
        """Settled so far, at the worst case where the charge of a failed try is not known."""
        self._reserved = 0.0
        self._in_flight = 0
        self._settled = asyncio.Event()

    async def reserve(self, worst_case_usd: float) -> None:
        """Set `worst_case_usd` aside, waiting for calls in flight to settle where it does not fit.

        Raises BudgetExceededError when it does not fit although nothing is in flight.
        """
        await self.room(worst_case_usd)
        self.take(worst_case_usd)

    async def room(self, worst_case_usd: float) -> None:
        """Wait and raise as `reserve`, and set nothing aside."""
        while worst_case_usd > self.left_usd:
            if self._in_flight == 0:
                raise BudgetExceededError(
                    f"${self.charged_usd:.6f} of the budget of ${self.limit_usd:.6f} is used, and the "
                    f"next call might cost ${worst_case_usd:.6f}"
                )
            self._settled.clear()
            await self._settled.wait()

    @property
    def left_usd(self) -> float:
        """Neither charged nor set aside."""
        if self.limit_usd is None:
            return math.inf
        # A relative hair for sums of many small floats; it buys no call.
        return self.limit_usd * (1 + 1e-12) - (self.charged_usd + self._reserved)

    def take(self, worst_case_usd: float) -> None:
        """Set it aside whether it fits or not: for what is already under way."""
        self._reserved += worst_case_usd
        self._in_flight += 1

    def settle(self, worst_case_usd: float, charged_usd: float) -> None:
        """Put `charged_usd` in the place of the reservation of `worst_case_usd`."""
        self._in_flight -= 1
        self._reserved = self._reserved - worst_case_usd if self._in_flight else 0.0
        self.charged_usd += charged_usd
        self._settled.set()
