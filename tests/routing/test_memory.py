from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from llmbench.ledger import Ledger
from llmbench.providers.fake import FakeProvider
from llmbench.routing import Experiment, ModelRouter, assigning
from llmbench.types import ChatRequest, RawAnswer

CALLS = 200_000 if os.environ.get("LLMBENCH_LONG") else 20_000
WARM_UP = 12_000
"""More than any of the router's memories holds: 4,096 times of a model, and the units below."""
UNITS_KEPT = 4_096
GROWTH = 4_000
"""Blocks of the interpreter's allocator, so one in five calls, or in fifty of the long run. Resident
memory would also tell of SQLite's page cache, which fills to its 16 MB over tens of thousands of calls."""


class Forgetful(FakeProvider):
    """Keeps no list of its requests, which would grow."""

    async def _complete(self, request: ChatRequest) -> RawAnswer:
        self.requests.clear()
        return await super()._complete(request)


@pytest.mark.slow
def test_memory_is_flat_over_calls_for_ever_new_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigning, "_KEPT", UNITS_KEPT)
    prices = {"m": {"input": 1.0, "output": 2.0}}
    providers = {name: Forgetful(lambda *_: "Yes.", prices=prices, model="m") for name in ("one", "two")}
    experiment = Experiment("e", {"one/m": 0.5, "two/m": 0.5})
    routes = {"rules": [{"name": "all", "prefer": ["one/m"]}]}

    async def grown() -> int:
        with Ledger(tmp_path / "ledger.db") as ledger:
            router = ModelRouter(providers, routes=routes, experiment=experiment, ledger=ledger)

            async def work(numbers: Iterable[int]) -> None:
                for number in numbers:
                    messages = [{"role": "user", "content": f"Lead {number}?"}]
                    strategy = "ab_test" if number % 2 else "smart"
                    await router.route(messages, strategy=strategy, unit_id=f"unit {number}")

            async def many(first: int, past: int) -> int:
                numbers = iter(range(first, past))
                await asyncio.gather(*(work(numbers) for _ in range(64)))
                gc.collect()
                return sys.getallocatedblocks()

            before = await many(0, WARM_UP)
            return await many(WARM_UP, WARM_UP + CALLS) - before

    assert asyncio.run(grown()) < GROWTH
