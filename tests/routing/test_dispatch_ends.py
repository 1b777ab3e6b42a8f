"""However a call ends: what it holds is given back, and an answer that was paid for is handed on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ConfigError, LedgerError, ProviderTimeoutError
from llmbench.ledger import Ledger
from llmbench.providers.fake import FakeProvider
from llmbench.routing import Budgets, Experiment, Limit, ModelRouter
from llmbench.types import ChatRequest

PROMPT = [{"role": "user", "content": "Hi"}]
PRICES = {"m": {"input": 1.0, "output": 1.0}}


class WithoutFile(FakeProvider):
    """A provider whose model file cannot be read at first."""

    missing = True

    def request_hash(self, request: ChatRequest, endpoint: str | None = None) -> str:
        if self.missing:
            raise ConfigError("the model's file is not there")
        return super().request_hash(request, endpoint)


def test_a_request_that_cannot_be_identified_gives_its_place_and_budget_back() -> None:
    provider = WithoutFile(lambda *_: "Hello", prices=PRICES, model="m")
    router = ModelRouter(
        {"one": provider}, budgets=Budgets(per_run=1.0), limits={"one": Limit(concurrency=1)}
    )

    async def main() -> str:
        with pytest.raises(ConfigError):
            await router.route(PROMPT, provider="one", max_tokens=10)
        provider.missing = False
        return (await router.route(PROMPT, provider="one", max_tokens=10, deadline_s=5)).content

    assert asyncio.run(main()) == "Hello"


def test_a_call_that_is_never_let_in_says_so() -> None:
    provider = FakeProvider(lambda *_: "Hello", latency_ms=500, prices=PRICES, model="m")
    router = ModelRouter({"one": provider}, limits={"one": Limit(concurrency=1)})

    async def main() -> None:
        first = asyncio.ensure_future(router.route(PROMPT, provider="one"))
        await asyncio.sleep(0)
        with pytest.raises(
            ProviderTimeoutError, match=r"^one/m cannot be asked before the deadline \(one/m: has"
        ):
            await router.route(PROMPT, provider="one", deadline_s=0.05)
        await first

    asyncio.run(main())


def test_an_assignment_that_cannot_be_kept_raises_with_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise LedgerError("The disk is full.")

    with Ledger(tmp_path / "ledger.db") as ledger:
        monkeypatch.setattr(ledger, "record_assignment", refuse)
        provider = FakeProvider(["Hello"], prices=PRICES, model="m")
        router = ModelRouter(
            {"one": provider}, "ab_test", experiment=Experiment("e", {"one/m": 1}), ledger=ledger
        )
        with pytest.raises(LedgerError, match="disk is full") as caught:
            asyncio.run(router.route(PROMPT, unit_id="u1"))
    assert caught.value.response is not None
    assert caught.value.response.content == "Hello"
