from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from llmbench.errors import BudgetExceededError, UsageError
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.pace import Pace
from llmbench.providers.fake import FakeProvider
from llmbench.routing import Limit
from llmbench.types import ChatRequest

Numbers = Callable[..., Dataset]


def test_a_pilot_measures_what_the_rest_will_take(
    numbers: Numbers, fake: Callable[..., FakeProvider], matrix: Callable[..., Matrix], ledger: Ledger
) -> None:
    provider = fake()
    one = matrix(numbers(40), provider, repeats=2)
    before = one.quote()
    assert before.seconds is not None
    assert before.seconds.expected is None  # nothing is known yet
    assert before.cells[0].output_per_call is None
    quote = one.pilot(6)
    assert len(provider.requests) == 6  # the first draw of each
    (cell,) = quote.cells
    assert (cell.calls, cell.in_ledger, cell.to_make) == (80, 6, 74)
    assert cell.output_per_call is not None
    assert cell.input_per_call is not None
    assert cell.input_per_call.p50 <= cell.input_per_call.p95
    assert "earlier answers" in cell.basis
    assert quote.seconds is not None
    assert quote.seconds.expected is not None
    assert quote.pilot_usd == pytest.approx(sum(call.cost or 0 for call in ledger.calls()))
    assert "of the pilot; about 1 s" in str(quote)
    results = one.run()
    assert len(provider.requests) == 80
    assert results.calls.made == 80  # the pilot's among them
    assert results.spent_usd == pytest.approx(sum(call.cost or 0 for call in ledger.calls()))
    assert results.quote.quoted_usd == pytest.approx(results.spent_usd, rel=0.5)
    assert one.run().calls.made == 0


def test_a_pilot_keeps_to_the_budget(
    numbers: Numbers, fake: Callable[..., FakeProvider], matrix: Callable[..., Matrix]
) -> None:
    with pytest.raises(BudgetExceededError):
        matrix(numbers(40), fake()).pilot(6, budget_usd=1e-9)


def test_limits_name_what_is_called(
    numbers: Numbers, fake: Callable[..., FakeProvider], matrix: Callable[..., Matrix]
) -> None:
    given: Any
    for given, message in (
        ({"other": Limit(requests_per_minute=1)}, "limits names 'other', which this matrix does not call"),
        ({"fake": 5}, r"limits\['fake'\] is 5; give a llmbench.routing.Limit"),
    ):
        with pytest.raises(UsageError, match=message):
            matrix(numbers(2), fake(), limits=given)


def test_a_limit_is_in_the_quote(
    numbers: Numbers, fake: Callable[..., FakeProvider], matrix: Callable[..., Matrix]
) -> None:
    quote = matrix(numbers(40), fake(), limits={"fake/m": Limit(requests_per_minute=10)}).quote()
    assert quote.seconds == (180, None, None)


def test_a_run_keeps_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that sleeping moves on, so that minutes pass at once."""
    now = 0.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    request = ChatRequest("m", ({"role": "user", "content": "x" * 400},), {}, 0)

    async def enter(limit: Limit, calls: int, used: int | None = None) -> float:
        pace = Pace({"e": limit})
        for _ in range(calls):
            entry = await pace.enter(("e", "m"), request, 100)
            if entry is not None and used is not None:
                entry.settle(used)
        return now

    assert asyncio.run(enter(Limit(requests_per_minute=2), 5)) == 120
    now = 0.0
    assert asyncio.run(enter(Limit(tokens_per_minute=400), 4)) == 60  # 100 of input and 100 of output a call
    now = 0.0
    assert asyncio.run(enter(Limit(tokens_per_minute=400), 5, used=50)) == 0  # they turn out to be short
    now = 0.0
    assert asyncio.run(enter(Limit(tokens_per_minute=100), 2)) == 0  # it never fits: the vendor will say so
    assert asyncio.run(enter(Limit(concurrency=1), 9)) == 0


@pytest.mark.parametrize("run_id", [None, "a-run"])
def test_a_pilot_and_its_run_share_one_budget(
    numbers: Numbers,
    fake: Callable[..., FakeProvider],
    matrix: Callable[..., Matrix],
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    run_id: str | None,
) -> None:
    if run_id is None:
        monkeypatch.delenv("LLMBENCH_RUN_ID", raising=False)
    else:
        monkeypatch.setenv("LLMBENCH_RUN_ID", run_id)
    one = matrix(numbers(40), fake())
    one.pilot(20, budget_usd=1.0)
    half = sum(call.cost or 0 for call in ledger.calls())
    with pytest.raises(BudgetExceededError):
        one.run(budget_usd=1.5 * half)
    assert sum(call.cost or 0 for call in ledger.calls()) <= 1.5 * half
