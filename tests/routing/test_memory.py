from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from llmbench.ledger import Ledger
from llmbench.providers.fake import FakeProvider
from llmbench.routing import Experiment, ModelRouter, assigning, performance, speeds
from llmbench.types import ChatRequest, RawAnswer

LONG = bool(os.environ.get("LLMBENCH_LONG"))
CALLS = 200_000 if LONG else 3_000
KEPT = 500
"""How much each of the router's memories holds here, so that they are soon full."""
WARM_UP = 2 * KEPT
GROWTH = 3_000_000 if LONG else 150_000
"""Bytes: 15 a call in the long run, 50 in the short one; a kept record would be over 1,000."""


class Forgetful(FakeProvider):
    """Keeps no list of its requests, which would grow."""

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        self.requests.clear()
        return await super()._complete(request)


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "units"), [("smart", False), ("ab_test", True)])
def test_memory_is_flat(strategy: str, units: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (assigning, performance, speeds):
        monkeypatch.setattr(module, "_KEPT", KEPT)
    prices = {"m": {"input": 1.0, "output": 2.0}}
    providers = {name: Forgetful(lambda *_: "Yes.", prices=prices, model="m") for name in ("one", "two")}
    experiment = Experiment("e", {"one/m": 0.5, "two/m": 0.5})
    routes = {"rules": [{"name": "all", "prefer": ["one/m"]}]}

    async def grown() -> int:
        with Ledger(tmp_path / "ledger.db") as ledger:
            router = ModelRouter(providers, strategy, routes=routes, experiment=experiment, ledger=ledger)

            async def work(numbers: Iterable[int]) -> None:
                for number in numbers:
                    unit = f"unit {number}" if units else None
                    await router.route([{"role": "user", "content": f"Lead {number}?"}], unit_id=unit)

            async def many(first: int, past: int) -> int:
                numbers = iter(range(first, past))
                await asyncio.gather(*(work(numbers) for _ in range(64)))
                gc.collect()
                return tracemalloc.get_traced_memory()[0]

            before = await many(0, WARM_UP)
            return await many(WARM_UP, WARM_UP + CALLS) - before

    tracemalloc.start()
    try:
        growth = asyncio.run(grown())
    finally:
        tracemalloc.stop()
    assert growth < GROWTH
