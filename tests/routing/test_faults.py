from __future__ import annotations

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from llmbench.errors import (
    BadResponseError,
    BudgetExceededError,
    ConnectionFailedError,
    ProviderError,
    ProviderTimeoutError,
)
from llmbench.ledger import Ledger
from llmbench.providers.custom import CustomProvider
from llmbench.routing import Budgets, Limit, ModelRouter
from llmbench.routing.health import CooldownPolicy
from llmbench.types import LLMResponse
from tests.routing.unruly_server import PRICE, UNRULY, Fault, UnrulyServer, answer_of, prompt_of

CALLS = 10_000 if os.environ.get("LLMBENCH_LONG") else 400
CONCURRENCY = 64
QUICK = CooldownPolicy(first_s=0.1, longest_s=0.4, rate_limit_s=0.05)
TABLE = {
    "rules": [
        {
            "name": "half",
            "split": [{"share": 0.5, "prefer": ["one/m", "two/m"]}, {"share": 0.5, "prefer": ["two/m"]}],
        }
    ],
    "fallback": ["one/m"],
}
FIRST_ONE = {"rules": [{"name": "all", "prefer": ["one/m", "two/m"]}]}


@pytest.fixture
def one() -> Iterator[UnrulyServer]:
    with UnrulyServer(seed=1) as server:
        yield server


@pytest.fixture
def two() -> Iterator[UnrulyServer]:
    with UnrulyServer(seed=2) as server:
        yield server


def endpoint(server: UnrulyServer) -> CustomProvider:
    return CustomProvider({"base_url": server.url, "prices": {"m": PRICE}, "model": "m"})


def router_over(
    one: UnrulyServer, two: UnrulyServer, ledger: Ledger, routes: Mapping[str, Any] = FIRST_ONE, **more: Any
) -> ModelRouter:
    providers = {"one": endpoint(one), "two": endpoint(two)}
    return ModelRouter(providers, routes=routes, ledger=ledger, cooldown=QUICK, **more)


async def route_all(router: ModelRouter, calls: int, **options: Any) -> list[LLMResponse | Exception]:
    """The result of each item, in their order."""
    found: dict[int, LLMResponse | Exception] = {}
    items = iter(range(calls))

    async def work() -> None:
        for item in items:
            try:
                found[item] = await router.route(prompt_of(item), **options)
            except (ProviderError, BudgetExceededError) as error:
                found[item] = error

    async with router:
        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return [found[item] for item in range(calls)]


def ask(router: ModelRouter, item: int, **options: Any) -> LLMResponse:
    async def main() -> LLMResponse:
        async with router:
            return await router.route(prompt_of(item), **options)

    return asyncio.run(main())


@pytest.mark.slow
def test_no_call_is_lost_and_none_counted_twice(one: UnrulyServer, two: UnrulyServer, ledger: Ledger) -> None:
    router = router_over(one, two, ledger, TABLE)
    results = asyncio.run(route_all(router, CALLS))
    attempts = 0
    answered: dict[str, int] = {}
    for item, result in enumerate(results):
        assert not isinstance(result, BudgetExceededError)
        attempts += len(result.attempts)
        assert [each.number for each in result.attempts] == list(range(1, len(result.attempts) + 1))
        assert {each.model for each in result.attempts} <= {"one/m", "two/m"}
        if isinstance(result, LLMResponse):
            assert result.content == answer_of(item)
            assert [each.status for each in result.attempts[:-1]] == ["error"] * (len(result.attempts) - 1)
            assert result.attempts[-1].model == f"{result.endpoint}/{result.model}"
            assert result.metadata["route"]["rule"] == "half"
            answered[result.call_id] = len(result.attempts)
        else:
            assert len(result.attempts) == 6
    assert len(answered) == sum(isinstance(result, LLMResponse) for result in results) >= 0.99 * CALLS
    for fault, share in UNRULY.items():
        assert one.suffered[fault] + two.suffered[fault] > share * CALLS / 2
    assert min(one.received, two.received) > CALLS / 4

    rows = list(ledger.calls())
    assert len(rows) == attempts == one.received + two.received
    assert len({(row.call_id, row.attempt) for row in rows}) == len(rows)
    assert ledger.verify().sound
    of_call = Counter(row.call_id for row in rows)
    assert all(of_call[call_id] == times for call_id, times in answered.items())
    oks = [row for row in rows if row.status == "ok"]
    assert len(oks) == len(answered) == one.answered.total() + two.answered.total()
    spent = ledger.spend()
    assert spent.usd == pytest.approx(one.usd + two.usd, rel=1e-9)
    assert spent.usd == pytest.approx(math.fsum(r.cost or 0 for r in results if isinstance(r, LLMResponse)))
    report = router.get_performance_report()
    assert sum(row["attempts"] for row in report.values()) == len(rows)
    assert sum(row["answered"] for row in report.values()) == len(oks)


def test_a_budget_is_never_exceeded_with_many_calls_in_flight(
    one: UnrulyServer, two: UnrulyServer, ledger: Ledger
) -> None:
    budget = 0.02
    router = router_over(one, two, ledger, TABLE, budgets=Budgets(per_run=budget))
    results = asyncio.run(route_all(router, 400, max_tokens=200))
    refused = sum(isinstance(result, BudgetExceededError) for result in results)
    answered = sum(isinstance(result, LLMResponse) for result in results)
    assert refused > 100
    assert answered == one.answered.total() + two.answered.total() > 20
    spent = ledger.spend()
    assert spent.usd == pytest.approx(one.usd + two.usd)
    assert spent.usd is not None
    assert spent.usd <= budget
    assert spent.calls == one.received + two.received


@pytest.mark.parametrize(
    ("fault", "kind", "charged"),
    [
        ("hang", ProviderTimeoutError, None),
        ("loris", ProviderTimeoutError, None),
        ("truncated", BadResponseError, None),
        ("html", BadResponseError, None),
        ("short", ConnectionFailedError, None),
        ("reset", ConnectionFailedError, None),
        ("error", ProviderError, 0.0),
        ("rate", ProviderError, 0.0),
    ],
)
def test_another_model_answers_in_the_place_of_one_that(
    fault: Fault,
    kind: type[ProviderError],
    charged: float | None,
    one: UnrulyServer,
    two: UnrulyServer,
    ledger: Ledger,
) -> None:
    one.faults, two.faults = {fault: 1.0}, {}
    router = router_over(one, two, ledger, limits={"one": Limit(answer_within_s=0.3)})
    response = ask(router, 17)
    assert response.content == answer_of(17)
    assert [(each.model, each.status, each.cost) for each in response.attempts] == [
        ("one/m", "error", charged),
        ("two/m", "ok", pytest.approx(two.usd)),
    ]
    assert [(row.endpoint, row.status) for row in ledger.calls()] == [("one", "error"), ("two", "ok")]
    assert ledger.spend().usd == pytest.approx(two.usd)
    first = next(ledger.calls())
    assert first.error_type is not None
    assert kind is ProviderError or first.error_type == kind.__name__


@pytest.mark.parametrize("fault", ["hang", "loris"])
def test_a_deadline_ends_a_call_that_nobody_answers(
    fault: Fault, one: UnrulyServer, two: UnrulyServer, ledger: Ledger
) -> None:
    one.faults = two.faults = {fault: 1.0}
    router = router_over(one, two, ledger, limits={"one": Limit(answer_within_s=0.2)})
    begin = time.monotonic()
    with pytest.raises(ProviderTimeoutError) as caught:
        ask(router, 17, deadline_s=0.6)
    assert time.monotonic() - begin < 10
    assert [each.model for each in caught.value.attempts][:2] == ["one/m", "two/m"]
    assert ledger.spend().calls == len(caught.value.attempts)
    assert ledger.spend().usd is None


@pytest.mark.parametrize("fault", ["truncated", "html", "short", "reset", "error"])
def test_a_failure_of_every_model_is_a_typed_error_with_all_attempts(
    fault: Fault, one: UnrulyServer, two: UnrulyServer, ledger: Ledger
) -> None:
    one.faults = two.faults = {fault: 1.0}
    router = router_over(one, two, ledger, max_attempts=4)
    with pytest.raises(ProviderError) as caught:
        ask(router, 17)
    assert len(caught.value.attempts) == 4 == one.received + two.received == ledger.spend().calls
    assert {each.model for each in caught.value.attempts} == {"one/m", "two/m"}


def test_a_server_that_died_is_asked_again_after_its_rest(
    one: UnrulyServer, two: UnrulyServer, ledger: Ledger
) -> None:
    one.faults = two.faults = {}

    async def main() -> None:
        async with router_over(one, two, ledger) as router:

            async def several(first: int) -> Counter[str]:
                items = range(first, first + CONCURRENCY)
                found = await asyncio.gather(*(router.route(prompt_of(item)) for item in items))
                assert [each.content for each in found] == [answer_of(item) for item in items]
                return Counter(each.endpoint for each in found)

            assert await several(0) == {"one": CONCURRENCY}
            await asyncio.to_thread(one.stop)
            assert await several(100) == {"two": CONCURRENCY}
            failed = router.get_performance_report()["one/m"]["attempts"] - CONCURRENCY
            assert 3 <= failed <= CONCURRENCY  # all were sent before the first of them had failed
            await asyncio.to_thread(one.start)
            until = time.monotonic() + 20
            while (await router.route(prompt_of(300))).endpoint != "one":
                assert time.monotonic() < until
            assert await several(400) == {"one": CONCURRENCY}

    asyncio.run(main())
    assert ledger.verify().sound


def test_calls_wait_for_the_only_server_to_return(
    one: UnrulyServer, two: UnrulyServer, ledger: Ledger
) -> None:
    one.faults = {}

    async def main() -> list[LLMResponse]:
        router = ModelRouter(
            {"one": endpoint(one)}, routes=FIRST_ONE, ledger=ledger, cooldown=QUICK, max_attempts=50
        )
        async with router:
            await router.route(prompt_of(0))
            await asyncio.to_thread(one.stop)
            calls = [asyncio.ensure_future(router.route(prompt_of(item))) for item in range(1, 33)]
            until = time.monotonic() + 20
            while not router.explain(prompt_of(0)).candidates[0].note:
                assert time.monotonic() < until
                await asyncio.sleep(0.01)
            await asyncio.to_thread(one.start)
            return await asyncio.gather(*calls)

    found = asyncio.run(main())
    assert [each.content for each in found] == [answer_of(item) for item in range(1, 33)]
    assert ledger.spend().usd == pytest.approx(one.usd)
