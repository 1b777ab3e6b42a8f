from __future__ import annotations

import asyncio
import random

import pytest

from llmbench.errors import BudgetExceededError
from llmbench.matrix.budget import Budget


def test_calls_in_flight_never_overdraw() -> None:
    rng = random.Random(1)
    budget = Budget(1.0)
    peak = 0.0

    async def call() -> None:
        nonlocal peak
        worst = rng.uniform(0.01, 0.2)
        await budget.reserve(worst)
        peak = max(peak, budget.charged_usd + budget._reserved)
        await asyncio.sleep(0)
        budget.settle(worst, worst * rng.random())

    async def main() -> list[object]:
        return list(await asyncio.gather(*(call() for _ in range(60)), return_exceptions=True))

    outcomes = asyncio.run(main())
    stopped = [outcome for outcome in outcomes if outcome is not None]
    assert stopped
    assert all(isinstance(outcome, BudgetExceededError) for outcome in stopped)
    assert peak <= 1.0
    # It stopped only when not even one call fitted.
    assert budget.charged_usd > 0.8


def test_a_call_waits_for_one_in_flight_to_settle() -> None:
    async def main() -> list[str]:
        budget, order = Budget(1.0), []

        async def second() -> None:
            await budget.reserve(0.6)
            order.append("second")
            budget.settle(0.6, 0.6)

        await budget.reserve(0.7)
        task = asyncio.create_task(second())
        await asyncio.sleep(0.01)
        order.append("first")
        budget.settle(0.7, 0.1)
        await task
        return order

    assert asyncio.run(main()) == ["first", "second"]


def test_exactly_the_budget_fits_and_no_limit_fits_all() -> None:
    async def main() -> None:
        budget = Budget(0.3)
        for _ in range(3):
            await budget.reserve(0.1)
            budget.settle(0.1, 0.1)
        with pytest.raises(BudgetExceededError, match="next call might cost"):
            await budget.reserve(1e-6)
        await Budget(None).reserve(1e9)
        await Budget(0.0).reserve(0.0)

    asyncio.run(main())
