from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmbench import FakeProvider, Ledger, ModelRouter
from llmbench.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConnectionFailedError,
    ContentFilteredError,
    ContextWindowError,
    InvalidRequestError,
    LLMBenchError,
    ModelUnavailableError,
    ProviderTimeoutError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    UsageError,
)
from llmbench.providers.fake import FakeClock
from llmbench.routing import Budgets, Limit
from tests.routing.routing_stubs import make_provider

HI = [{"role": "user", "content": "Hello"}]
TWO = {"rules": [{"name": "all", "prefer": ["first/a", "second/b"]}]}


def make_router(first: Any, second: Any = None, **settings: Any) -> ModelRouter:
    """Two models in a chain, on a clock that moves only when somebody sleeps."""
    clock = settings.setdefault("clock", FakeClock())
    providers = {"first": make_provider("first", "a", first, clock=clock)}
    providers["second"] = make_provider("second", "b", second, clock=clock)
    return ModelRouter(providers, routes=TWO, **settings)


def call(router: ModelRouter, **options: Any) -> Any:
    return asyncio.run(router.route(HI, **options))


@pytest.mark.parametrize(
    "failure",
    [
        RateLimitError("slow down", retry_after=7),
        ServerError("500"),
        ConnectionFailedError("cut"),
        ProviderTimeoutError("late"),
        QuotaExhaustedError("no credit"),
        AuthenticationError("bad key"),
        ModelUnavailableError("gone"),
    ],
)
def test_next_model_answers_at_once(failure: Exception, ledger: Ledger) -> None:
    clock = FakeClock()
    response = call(make_router([failure], ledger=ledger, clock=clock))
    assert response.content == "second here"
    assert clock.monotonic() == 0
    assert [(a.model, a.status) for a in response.attempts] == [("first/a", "error"), ("second/b", "ok")]
    assert [(c.attempt, c.endpoint, c.call_id) for c in ledger.calls()] == [
        (1, "first", response.call_id),
        (2, "second", response.call_id),
    ]


@pytest.mark.parametrize(
    "failure", [ContentFilteredError("no"), InvalidRequestError("bad field"), TypeError("a bug")]
)
def test_what_another_model_would_not_mend_is_raised(failure: Exception) -> None:
    with pytest.raises(type(failure)):
        call(make_router([failure]))


def test_too_long_goes_on_only_to_models_that_read_more() -> None:
    routes = {"rules": [{"name": "all", "prefer": ["small/llama-3-8b", "same/llama-3-70b", "big/gpt-4o"]}]}
    asked: list[str] = []

    def say(name: str, failure: Exception | None = None) -> Callable[..., Any]:
        def script(messages: Any, params: Any) -> Any:
            asked.append(name)
            return failure or "read it"

        return script

    providers = {
        "small": FakeProvider(say("small", ContextWindowError("too long"))),
        "same": FakeProvider(say("same")),
        "big": FakeProvider(say("big")),
    }
    assert call(ModelRouter(providers, routes=routes)).content == "read it"
    assert asked == ["small", "big"]


def test_round_again_when_all_have_failed_and_no_more_than_allowed() -> None:
    clock = FakeClock()
    router = make_router([ServerError("1"), "back"], [ServerError("2"), "back"], clock=clock)
    response = call(router)
    assert response.content == "back"
    assert [a.model for a in response.attempts][:2] == ["first/a", "second/b"]
    assert len(response.attempts) == 3
    router = make_router(lambda *_: ServerError("x"), lambda *_: ServerError("y"), max_attempts=4)
    with pytest.raises(ServerError) as raised:
        call(router)
    assert len(raised.value.attempts) == 4


def test_never_longer_than_the_deadline() -> None:
    clock = FakeClock()
    router = make_router(
        lambda *_: RateLimitError("x", retry_after=50),
        lambda *_: RateLimitError("y", retry_after=60),
        clock=clock,
    )
    with pytest.raises(RateLimitError) as raised:
        call(router, deadline_s=20)
    assert clock.monotonic() <= 20
    assert len(raised.value.attempts) == 2


def test_cooling_model_is_passed_over_and_asked_again_after_it() -> None:
    clock = FakeClock()
    router = make_router(
        [RateLimitError("x", retry_after=30), "first again"], lambda *_: "second", clock=clock
    )
    assert call(router).content == "second"
    assert "RateLimitError" in router.explain(HI).candidates[0].note
    response = call(router)
    assert [a.model for a in response.attempts] == ["second/b"]
    asyncio.run(clock.sleep(30))
    assert call(router).content == "first again"


def test_explicit_model_waits_out_its_cooldown() -> None:
    clock = FakeClock()
    router = make_router([RateLimitError("x", retry_after=30), "at last"], clock=clock)
    call(router)
    assert call(router, provider="first", model="a").content == "at last"
    assert clock.monotonic() == pytest.approx(30)


def test_explicit_model_whose_cooldown_passes_the_deadline_says_so_at_once() -> None:
    clock = FakeClock()
    router = make_router([RateLimitError("x", retry_after=300)], clock=clock)
    call(router)
    with pytest.raises(
        ProviderTimeoutError, match=r"first/a cannot be asked within 120\.0 s \(first/a: rests"
    ):
        call(router, provider="first", model="a")
    assert clock.monotonic() == 0


def test_out_of_quota_stays_away_until_enabled() -> None:
    clock = FakeClock()
    router = make_router([QuotaExhaustedError("no credit"), "paid"], lambda *_: "second", clock=clock)
    call(router)
    asyncio.run(clock.sleep(100_000))
    assert call(router).content == "second"
    router.enable("first/a")
    assert call(router).content == "paid"


def test_explicit_call_tries_a_disabled_model() -> None:
    router = make_router([QuotaExhaustedError("no credit"), "paid"])
    call(router)
    assert call(router, provider="first", model="a").content == "paid"


def test_all_disabled() -> None:
    router = make_router([QuotaExhaustedError("no credit")], [AuthenticationError("bad key")])
    with pytest.raises(AuthenticationError):
        call(router)
    with pytest.raises(ModelUnavailableError, match=r"first/a: QuotaExhaustedError.*router\.enable"):
        call(router)


def test_no_fallback() -> None:
    with pytest.raises(ServerError):
        call(make_router(lambda *_: ServerError("x"), fallback=False, max_attempts=1))


def test_model_that_cannot_take_an_option_is_passed_over() -> None:
    class Plain(FakeProvider):
        options = frozenset({"temperature"})

    providers = {"first": Plain(["x"], model="a"), "second": make_provider("second", "b")}
    router = ModelRouter(providers, routes=TWO)
    assert call(router, max_tokens=3).content == "second here"
    with pytest.raises(InvalidRequestError, match="'max_tokens'"):
        call(router, provider="first", max_tokens=3)


def test_full_model_overflows_to_the_next_and_waits_where_there_is_none() -> None:
    running: list[int] = []

    async def slowly(messages: Any, params: Any) -> str:
        running.append(running[-1] + 1 if running else 1)
        await asyncio.sleep(0.02)
        running.append(running[-1] - 1)
        return "first"

    async def many(**options: Any) -> list[str]:
        first = make_provider("first", "a", slowly)
        providers = {"first": first, "second": make_provider("second", "b")}
        router = ModelRouter(providers, routes=TWO, limits={"first/a": Limit(concurrency=2)})
        found = await asyncio.gather(*(router.route(HI, **options) for _ in range(10)))
        return [each.content for each in found]

    assert sorted(asyncio.run(many())) == ["first"] * 2 + ["second here"] * 8
    assert asyncio.run(many(provider="first")) == ["first"] * 10
    assert max(running) == 2


def test_requests_a_minute() -> None:
    clock = FakeClock()
    router = make_router(lambda *_: "first", clock=clock, limits={"first": Limit(requests_per_minute=2)})
    assert [call(router).content for _ in range(3)] == ["first", "first", "second here"]
    assert call(router, provider="first").content == "first"
    assert clock.monotonic() == pytest.approx(60)


def test_tokens_a_minute_count_what_was_used() -> None:
    limits = {"first": Limit(tokens_per_minute=100)}
    router = make_router(lambda *_: "one two", limits=limits)
    for _ in range(10):  # 3 tokens each, though 71 are set aside for a call in flight
        assert call(router, max_tokens=70).content == "one two"
    assert call(router, max_tokens=70).content == "second here"
    with pytest.raises(ModelUnavailableError, match="its minute can never hold 201 tokens more"):
        call(router, provider="first", max_tokens=200)


def test_slow_answer_is_given_up_for_the_next_model() -> None:
    clock = FakeClock()

    async def slowly(messages: Any, params: Any) -> str:
        await clock.sleep(30)
        return "too late"

    limits = {"first": Limit(answer_within_s=2)}
    response = call(make_router(slowly, clock=clock, limits=limits))
    assert response.content == "second here"
    assert "gave no answer within 2 s" in str(response.attempts[0].error)
    assert call(make_router(slowly, clock=FakeClock(), limits=limits), provider="first").content == "too late"


def test_slow_model_is_passed_over_for_a_while() -> None:
    clock = FakeClock()

    async def slowly(messages: Any, params: Any) -> str:
        await clock.sleep(1)
        return "first"

    router = make_router(slowly, lambda *_: "second", clock=clock, limits={"first": Limit(slow_above_ms=500)})
    assert [call(router).content for _ in range(7)] == ["first"] * 5 + ["second"] * 2
    asyncio.run(clock.sleep(10))
    assert call(router).content == "first"


def priced(script: Any) -> FakeProvider:
    # A word costs a dollar.
    return FakeProvider(script, model="a", prices={"a": {"input": 1e6, "output": 1e6}})


@pytest.mark.parametrize("budget", [5.0, 40.0, 163.0])
def test_budget_is_never_passed_by_calls_in_flight(budget: float) -> None:
    spent: list[int] = []

    async def answer(messages: Any, params: Any) -> str:
        await asyncio.sleep(0.001)
        spent.append(1 + 3)
        return "one two three"

    async def run() -> int:
        router = ModelRouter({"first": priced(answer)}, budgets=Budgets(per_run=budget))
        calls = (router.route(HI, max_tokens=3) for _ in range(60))
        found = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in found if isinstance(each, BudgetExceededError)]
        assert len(refused) + len(spent) == 60
        return sum(spent)

    total = asyncio.run(run())
    # The worst case of a call is its bytes, the room of its template and 3 tokens: $40 here.
    assert total <= budget
    assert total + 40 > min(budget, 240)


def test_failed_attempt_that_may_be_billed_counts_at_its_worst() -> None:
    router = ModelRouter(
        {"first": priced([ProviderTimeoutError("late"), "never"])},
        budgets=Budgets(per_run=79),
        clock=FakeClock(),
    )
    with pytest.raises(BudgetExceededError, match=r"a run is used .*Nothing more is sent"):
        call(router, max_tokens=3)


def test_budget_needs_prices_and_a_limit_of_the_answer() -> None:
    unpriced = FakeProvider(["x"], model="a")
    with pytest.raises(UsageError, match="no budget can hold it"):
        call(ModelRouter({"first": unpriced}, budgets=Budgets(per_run=1)), max_tokens=3)
    with pytest.raises(UsageError, match="give max_tokens"):
        call(ModelRouter({"first": priced(["x"])}, budgets=Budgets(per_run=1)))


def test_budget_of_the_hour_counts_what_the_ledger_holds(ledger: Ledger) -> None:
    first = ModelRouter({"first": priced(["one two three"])}, ledger=ledger)
    call(first, max_tokens=3)
    again = ModelRouter({"first": priced(["x"])}, ledger=ledger, budgets=Budgets(per_hour=43))
    with pytest.raises(BudgetExceededError, match=r"\$4\.000000 of the budget of \$43\.000000 a hour"):
        call(again, max_tokens=3)


def test_over_budget_goes_on_to_a_machine_of_ones_own() -> None:
    providers = {"first": priced(["x"]), "second": FakeProvider(["own"], model="b", self_hosted=True)}
    router = ModelRouter(providers, routes=TWO, budgets=Budgets(per_run=0))
    assert call(router, max_tokens=3).content == "own"


def test_cancelled_call_frees_its_place(ledger: Ledger) -> None:
    async def hang(messages: Any, params: Any) -> str:
        await asyncio.sleep(30)
        return "never"

    async def run() -> None:
        router = ModelRouter(
            {"first": make_provider("first", "a", hang)},
            limits={"first": Limit(concurrency=1)},
            ledger=ledger,
        )
        task = asyncio.ensure_future(router.route(HI))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ProviderTimeoutError):  # it hangs, and so it was let in
            await router.route(HI, deadline_s=0.05)

    asyncio.run(run())
    assert [each.status for each in ledger.calls()] == ["cancelled", "error"]


def test_one_router_serves_two_event_loops() -> None:
    """The kernel's and the background one: a place freed on one wakes a waiter on the other."""
    import threading

    async def briefly(messages: Any, params: Any) -> str:
        await asyncio.sleep(0.002)
        return "ok"

    provider = make_provider("first", "a", briefly)
    router = ModelRouter({"first": provider}, limits={"first": Limit(concurrency=1)})
    found: list[str] = []

    async def many() -> None:
        each = await asyncio.gather(*(router.route(HI, deadline_s=20) for _ in range(50)))
        found.extend(one.content for one in each)

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["ok"] * 100


def test_answer_that_cannot_be_kept_is_in_the_error(ledger: Ledger) -> None:
    router = make_router(["paid for"], ledger=ledger)
    ledger.close()
    with pytest.raises(LLMBenchError) as raised:
        call(router)
    assert raised.value.response.content == "paid for"  # type: ignore[attr-defined]
