"""The examples run against real local endpoints, and do what they say."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llmbench import Ledger, LlamaProvider, ModelRouter
from tests.examples.chat_server import ChatServer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Providers = Callable[..., dict[str, Any]]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(router: ModelRouter, work: Any) -> Any:
    async def to_the_end() -> Any:
        async with router:
            return await work

    return asyncio.run(to_the_end())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


def test_sentiment_before(server: ChatServer) -> None:
    async def ask() -> str:
        analyzer = example("sentiment_before").SentimentAnalyzer("key", base_url=server.url)
        async with analyzer.client:
            return str(await analyzer.analyze("Great."))

    assert asyncio.run(ask()) == "gpt-4 says hello"


def test_sentiment_after(server: ChatServer, providers: Providers) -> None:
    router = ModelRouter(providers())
    said = run(router, example("sentiment_after").SentimentAnalyzer(router).analyze("Great."))
    # $0.20 a million in and out is the document's lowest price but for long inputs.
    assert "Llama-3.1-8B" in said
    assert len(server.bodies) == 1


def test_personalizer_by_length(server: ChatServer, providers: Providers) -> None:
    router = ModelRouter(providers())
    agent = example("personalizer").PersonalizerAgent(router)

    async def write() -> list[str]:
        found = [await agent.write("short"), await agent.write("long " * 200)]
        return [each.metadata["route"]["chosen"] for each in found]

    assert run(router, write()) == ["mixtral/mixtral-8x7b", "openai/gpt-4o"]


def test_personalizer_by_share_and_sticky(server: ChatServer, providers: Providers) -> None:
    router = ModelRouter(providers())
    agent = example("personalizer").PersonalizerAgent(router)

    async def write() -> tuple[list[str], list[str]]:
        rounds = []
        for _ in range(2):
            found = [await agent.personalize(f"lead {n}", "Hello") for n in range(60)]
            rounds.append([each.metadata["route"]["chosen"] for each in found])
        return rounds[0], rounds[1]

    first, again = run(router, write())
    assert first == again
    assert set(first) == {"llama/llama-3.1-70b", "openai/gpt-4o"}
    assert 36 <= first.count("llama/llama-3.1-70b") <= 58


def test_benchmark(server: ChatServer, providers: Providers) -> None:
    router = ModelRouter(providers())
    rows = run(router, example("benchmark").benchmark(router))
    assert [(row["model"], row["cost"]) for row in rows] == [
        ("openai/gpt-4o-mini", pytest.approx(0.000195)),
        ("mixtral/mixtral-8x7b", pytest.approx(0.00042)),
        ("llama/llama-3.1-70b", pytest.approx(0.00063)),
        ("openai/gpt-4o", pytest.approx(0.00325)),
    ]
    assert {row["tokens"] for row in rows} == {700}


def test_ab_test(server: ChatServer, providers: Providers, ledger: Ledger) -> None:
    module = example("ab_test")
    router = ModelRouter(providers(), experiment=module.EXPERIMENT, ledger=ledger)
    leads = [f"lead {n}" for n in range(120)]

    async def send_twice() -> None:
        await module.send(router, leads)
        await module.send(router, leads)

    run(router, send_twice())
    arms = {lead: module.EXPERIMENT.arm_of(lead) for lead in leads}
    later = datetime.now(UTC) + timedelta(days=3)
    of_gpt = [lead for lead in leads if arms[lead] == "openai/gpt-4o"]
    for lead in (of_gpt[0], next(lead for lead in leads if lead not in of_gpt)):
        ledger.record_outcome(lead, at=later)
    rates = module.reply_rates(ledger)
    assert rates == {"openai/gpt-4o": 1 / len(of_gpt), "mixtral/mixtral-8x7b": 1 / (120 - len(of_gpt))}
    assert {outcome.sent for outcome in ledger.outcomes()} == {2}


def test_overflow(server: ChatServer, providers: Providers) -> None:
    module = example("overflow")
    server.seconds = 0.1
    own = LlamaProvider({"backend": "vllm", "base_url": server.url})
    cloud = providers()["llama"]
    router = module.open_router({"openai": providers()["openai"], "llama_local": own, "llama_cloud": cloud})
    found = run(router, module.burst(router, [f"message {n}" for n in range(6)]))
    assert sorted(each.endpoint for each in found) == ["llama_cloud"] * 4 + ["llama_local"] * 2
    assert sorted(each.cost for each in found) == [0.0] * 2 + [pytest.approx(0.00014)] * 4
