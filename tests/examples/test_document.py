"""The code of the document the product starts from: component 5, integration, benchmarking and A/B,
with llmbench for its package name, against real local endpoints."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from llmbench import (
    BaseLLMProvider,
    Ledger,
    LlamaProvider,
    MixtralProvider,
    ModelRouter,
    OpenAIProvider,
    RoutingStrategy,
    UniversalModelTrainer,
)
from tests.examples.chat_server import ChatServer


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key-of-the-tests")
    monkeypatch.setenv("TOGETHER_API_KEY", "together-key-of-the-tests")


@pytest.fixture
def router_providers(server: ChatServer) -> dict[str, BaseLLMProvider]:
    together = {"backend": "together", "api_key": os.getenv("TOGETHER_API_KEY"), "base_url": server.url}
    return {
        "openai": OpenAIProvider({"api_key": os.getenv("OPENAI_API_KEY"), "base_url": server.url}),
        "llama": LlamaProvider(together),
        "mixtral": MixtralProvider(together),
    }


def test_component_5(router_providers: Any, server: ChatServer) -> None:
    async def as_written() -> None:
        router = ModelRouter(router_providers, default_strategy=RoutingStrategy.SMART)

        response = await router.route(
            messages=[{"role": "user", "content": "Write a short cold email"}], task_type="simple"
        )
        assert response.metadata["route"]["chosen"] == "mixtral/mixtral-8x7b"

        response = await router.route(
            messages=[{"role": "user", "content": "Analyze this 2000-word sales transcript and..."}],
            task_type="complex",
        )
        assert (response.provider, response.model) == ("openai", "gpt-4o")

        response = await router.route(
            messages=[{"role": "user", "content": "Hello"}], provider="llama", model="llama-3.1-70b"
        )
        assert (response.provider, response.model) == ("llama", "llama-3.1-70b")

        report = router.get_performance_report()
        assert set(report) == {"openai/gpt-4o", "mixtral/mixtral-8x7b", "llama/llama-3.1-70b"}
        for row in report.values():
            assert row["avg_latency_ms"] > 0
            assert row["avg_cost"] > 0
            assert (row["success_rate"], row["total_requests"]) == (1.0, 1)
        await router.aclose()

    asyncio.run(as_written())
    assert server.models[1] == "gpt-4o"


def test_sentiment_analyzer_over_a_router(router_providers: Any) -> None:
    class SentimentAnalyzer:
        def __init__(self, router: ModelRouter):
            self.router = router

        async def analyze(self, text: str) -> Any:
            return await self.router.route(
                messages=[{"role": "user", "content": text}],
                task_type="sentiment",
                strategy=RoutingStrategy.CHEAPEST,
            )

    async def as_written() -> None:
        router = ModelRouter(router_providers, default_strategy=RoutingStrategy.SMART)
        response = await SentimentAnalyzer(router).analyze("I love it")
        assert response.metadata["route"]["strategy"] == "cheapest"
        await router.aclose()

    asyncio.run(as_written())


def test_benchmark_loop(router_providers: Any, capsys: pytest.CaptureFixture[str]) -> None:
    async def as_written() -> None:
        router = ModelRouter(providers=router_providers)
        test_messages = [{"role": "user", "content": "Write a cold email to a VP of Sales in SaaS"}]
        models_to_test = [
            ("openai", "gpt-4o"),
            ("openai", "gpt-4o-mini"),
            ("llama", "llama-3.1-70b"),
            ("mixtral", "mixtral-8x7b"),
        ]
        results = []
        for provider, model in models_to_test:
            response = await router.route(messages=test_messages, provider=provider, model=model)
            results.append(
                {
                    "provider": provider,
                    "model": model,
                    "content": response.content,
                    "cost": response.cost,
                    "latency_ms": response.latency_ms,
                    "tokens": response.tokens_used,
                }
            )
        for r in sorted(results, key=lambda x: x["cost"]):
            print(f"{r['provider']}/{r['model']}: ${r['cost']:.4f}, {r['latency_ms']}ms")
        await router.aclose()

    asyncio.run(as_written())
    assert capsys.readouterr().out.splitlines()[0].startswith("openai/gpt-4o-mini: $0.0002, ")


def test_ab_test_in_production(router_providers: Any, ledger: Ledger) -> None:
    async def traffic(router: ModelRouter) -> None:
        for n in range(60):
            await router.route([{"role": "user", "content": "Hi"}], unit_id=f"lead {n}")
        await router.aclose()

    router = ModelRouter(providers=router_providers, default_strategy=RoutingStrategy.AB_TEST, ledger=ledger)
    asyncio.run(traffic(router))
    for n in range(0, 60, 20):
        ledger.record_outcome(f"lead {n}", replied=True)

    outcomes = ledger.outcomes()
    rates: dict[str, list[float]] = {}
    for outcome in outcomes:
        model_used = outcome.metadata["model"]
        reply_rate = outcome.replied / outcome.sent
        rates.setdefault(model_used, []).append(reply_rate)
    assert set(rates) == {"mixtral/mixtral-8x7b", "openai/gpt-4o"}
    assert sum(sum(each) for each in rates.values()) == 3
    assert len(rates["mixtral/mixtral-8x7b"]) > 40


def test_self_hosted_and_overflow(server: ChatServer, router_providers: Any) -> None:
    """Phase 4."""
    server.seconds = 0.0
    llama_local = LlamaProvider({"backend": "vllm", "base_url": server.url})

    async def as_written() -> None:
        router = ModelRouter(
            providers={
                "openai": router_providers["openai"],
                "llama_local": llama_local,
                "llama_cloud": router_providers["llama"],
            },
            default_strategy=RoutingStrategy.SMART,
        )
        response = await router.route([{"role": "user", "content": "x"}], task_type="sentiment")
        route = response.metadata["route"]
        assert (response.endpoint, response.cost) == ("llama_local", 0.0)
        assert route["candidates"][:2] == ["llama_local/llama-3.1-8b", "llama_cloud/llama-3.1-8b"]
        await router.aclose()

    asyncio.run(as_written())


def test_universal_model_trainer(tmp_path: Path) -> None:
    """Works with whatever provider it is given; here one that keeps what it was asked."""
    asked: list[Any] = []

    class Tuning(OpenAIProvider):
        async def fine_tune(self, *arguments: Any, **options: Any) -> dict[str, Any]:
            asked.append((arguments, options))
            return {"job_id": "ftjob-abc", "status": "queued"}

    trainer = UniversalModelTrainer(Tuning({}))
    result = asyncio.run(trainer.fine_tune(training_file_path="./training.jsonl", base_model="gpt-4o-mini"))
    assert (result["job_id"], result["status"]) == ("ftjob-abc", "queued")
    assert asked == [(("./training.jsonl", "gpt-4o-mini", None), {})]
