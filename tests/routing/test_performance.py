from __future__ import annotations

import asyncio

import pytest

from llmbench import FakeProvider, Ledger, ModelRouter
from llmbench.errors import ProviderTimeoutError, ServerError, UsageError
from llmbench.ledger.brief import AttemptFacts
from llmbench.routing.performance import report_of, tally_attempts
from tests.routing.routing_stubs import make_provider

HI = [{"role": "user", "content": "Hello"}]
SAME = (
    "success_rate", "total_requests", "input_tokens", "output_tokens", "attempts", "fallbacks", "cost",
    "failed_cost", "failed_unpriced", "priced",
)  # fmt: skip


def make_router(ledger: Ledger | None = None) -> ModelRouter:
    failing = [ServerError("x"), "ok", ProviderTimeoutError("late"), "ok", "ok"]
    providers = {
        "openai": make_provider("o", "gpt-4o"),
        "mixtral": make_provider("m", "mixtral-8x7b", failing),
    }
    return ModelRouter(providers, ledger=ledger)


def ask(router: ModelRouter, times: int) -> None:
    async def run() -> None:
        for _ in range(times):
            await router.route(HI)

    asyncio.run(run())


def test_report_of_memory_and_ledger_agree(ledger: Ledger) -> None:
    router = make_router(ledger)
    ask(router, 5)
    memory, recorded = router.get_performance_report(), router.get_performance_report("ledger")
    assert list(memory) == list(recorded) == ["mixtral/mixtral-8x7b", "openai/gpt-4o"]
    for model in memory:
        assert [memory[model][key] for key in SAME] == [recorded[model][key] for key in SAME]
        assert memory[model]["avg_latency_ms"] == pytest.approx(recorded[model]["avg_latency_ms"])
    mixtral, openai = memory.values()
    assert (mixtral["total_requests"], mixtral["success_rate"], mixtral["failed_unpriced"]) == (5, 0.6, 1)
    assert (openai["total_requests"], openai["fallbacks"]) == (2, 2)
    # Prices of the stubs: $1 and $2 a million; one word in, one or two out.
    assert mixtral["avg_cost"] == pytest.approx((1 * 1 + 1 * 2) / 1e6)
    assert openai["avg_cost"] == pytest.approx((1 * 1 + 2 * 2) / 1e6)


def test_saving_against_a_baseline() -> None:
    router = make_router()
    ask(router, 1)
    saving = router.get_performance_report(baseline="openai/gpt-4o").saving
    assert saving is not None
    assert (saving.baseline, saving.calls, saving.usd) == ("openai/gpt-4o", 1, pytest.approx(0.0))
    report = router.get_performance_report(baseline="mixtral-8x7b")
    assert report.saving is not None
    assert "saved against mixtral/mixtral-8x7b" in " ".join(report.notes())


def test_saving_is_unknown_where_a_price_is() -> None:
    router = ModelRouter(
        {"openai": make_provider("o", "gpt-4o"), "mixtral": FakeProvider(["x"], model="mixtral-8x7b")}
    )
    ask(router, 1)
    report = router.get_performance_report()
    assert report["mixtral/mixtral-8x7b"]["avg_cost"] is None
    assert report["mixtral/mixtral-8x7b"]["cost"] is None
    assert report.saving is not None
    assert report.saving.usd is None
    assert "1 answers have no known price" in " ".join(report.notes())


def test_tails_are_told_from_enough_answers_on() -> None:
    def facts(n: int) -> list[AttemptFacts]:
        return [AttemptFacts("e/m", f"c{k}", True, float(k + 1), None, 1, 1, 0.1, None) for k in range(n)]

    few, some, many = (report_of(tally_attempts(facts(n)))["e/m"] for n in (199, 200, 1000))
    assert (few["p50_latency_ms"], few["p95_latency_ms"]) == (100, None)
    assert (some["p95_latency_ms"], some["p99_latency_ms"]) == (190, None)
    assert (many["p95_latency_ms"], many["p99_latency_ms"]) == (950, 990)


def test_report_shows_itself() -> None:
    router = make_router()
    ask(router, 3)
    report = router.get_performance_report()
    assert set(report["openai/gpt-4o"]) >= {"avg_latency_ms", "avg_cost", "success_rate", "total_requests"}
    assert "<table>" in report._repr_html_()
    assert list(report.to_pandas()["model"]) == list(report)


def test_reports_that_cannot_be_made() -> None:
    with pytest.raises(UsageError, match="no ledger"):
        make_router().get_performance_report("ledger")
    with pytest.raises(UsageError, match="source is 'disk'"):
        make_router().get_performance_report("disk")
