"""Bad networks at the scale of a matrix: what was served and what the ledger has agree, call by call."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.matrix.results import MatrixResults
from llmbench.providers import CustomProvider, FakeClock
from llmbench.providers.clock import SystemClock
from tests.routing.unruly_server import PRICE, Fault, UnrulyServer


class Hurried(SystemClock):
    """Waits a hundredth of what it is asked to: that retries wait is tested elsewhere."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


PARAMS = {"max_tokens": 300, "temperature": 0}


def items(folder: Path, count: int) -> Dataset:
    path = folder / "items.jsonl"
    rows = [{"id": k, "prompt": f"item {k}", "expected": f"answer to item {k}"} for k in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Dataset.load(path)


def run(data: Dataset, ledger: Ledger, url: str, **settings: Any) -> MatrixResults:
    config = {"base_url": url, "prices": {"m": PRICE}, "ledger": ledger, "clock": Hurried()} | settings
    provider = CustomProvider(config)
    matrix = Matrix(data, ["one/m"], params=PARAMS, ledger=ledger, providers={"one": provider})
    return matrix.run(concurrency=16, budget_usd=100)


def books_agree(server: UnrulyServer, ledger: Ledger) -> Counter[str]:
    """Assert that both count the same answers; those by prompt."""
    rows = list(ledger.calls())
    assert ledger.verify().sound
    kept = Counter(
        str(row.messages[-1]["content"]).removeprefix("item ") for row in rows if row.status == "ok"
    )
    assert kept == server.answered
    assert len(rows) == server.received
    spent = ledger.spend().usd or 0.0
    assert spent == pytest.approx(server.usd)
    return kept


SCALES = [
    pytest.param(40, id="few"),
    pytest.param(600, id="all", marks=pytest.mark.faults),
]
EVERYTHING: Mapping[Fault, float] = {
    "rate": 0.15, "error": 0.08, "reset": 0.05, "truncated": 0.05, "short": 0.04, "html": 0.03,
}  # fmt: skip


@pytest.mark.parametrize("count", SCALES)
def test_faults_of_every_kind(tmp_path: Path, count: int) -> None:
    data = items(tmp_path, count)
    with Ledger(tmp_path / "ledger.db") as ledger, UnrulyServer(EVERYTHING, seed=3) as server:
        results = run(data, ledger, server.url)
        kept = books_agree(server, ledger)
        assert set(kept.values()) == {1}
        missing = results.answers["answer"].isna().sum()
        assert len(kept) + missing == count
        server.faults = {}
        again = run(data, ledger, server.url)
        assert again.calls.made == missing
        assert len(books_agree(server, ledger)) == count
        assert list(again.answers["score"]) == [1.0] * count


@pytest.mark.parametrize("count", SCALES)
def test_a_storm_of_rate_limits(tmp_path: Path, count: int) -> None:
    data = items(tmp_path, count)
    storm: Mapping[Fault, float] = {"rate": 0.6}
    with Ledger(tmp_path / "ledger.db") as ledger, UnrulyServer(storm, retry_after=0.01) as server:
        results = run(data, ledger, server.url)
        kept = books_agree(server, ledger)
        assert len(kept) + results.answers["answer"].isna().sum() == count
        server.faults = {}
        run(data, ledger, server.url)
        assert len(books_agree(server, ledger)) == count


@pytest.mark.faults
def test_a_server_that_stalls(tmp_path: Path) -> None:
    data = items(tmp_path, 200)
    with Ledger(tmp_path / "ledger.db") as ledger, UnrulyServer({"hang": 0.1, "loris": 0.05}) as server:
        results = run(data, ledger, server.url, deadline_s=1.5)
        rows = list(ledger.calls())
        assert ledger.verify().sound
        kept = {str(row.messages[-1]["content"]).removeprefix("item ") for row in rows if row.status == "ok"}
        assert kept == set(server.answered)
        missing = results.answers["answer"].isna().sum()
        assert len(kept) + missing == 200
        server.faults = {}
        again = run(data, ledger, server.url)
        assert again.calls.made == missing
        assert (again.answers["score"] == 1.0).all()


def test_a_host_that_has_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: Any, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    data = items(tmp_path, 30)
    with Ledger(tmp_path / "ledger.db") as ledger:
        results = run(data, ledger, "https://nowhere.invalid/v1", clock=FakeClock())
        assert results.answers["answer"].isna().all()
        assert (ledger.spend().usd or 0.0) == 0.0
        assert ledger.verify().sound
        failed = list(ledger.calls(status="error"))
    assert {row.error_type for row in failed} == {"ConnectionFailedError"}
    assert all("nowhere.invalid" in str(row.error_message) for row in failed)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    data = items(tmp_path, 30)
    with UnrulyServer() as server:
        url = server.url
    with Ledger(tmp_path / "ledger.db") as ledger:
        results = run(data, ledger, url, clock=FakeClock())
        assert results.answers["answer"].isna().all()
        assert (ledger.spend().usd or 0.0) == 0.0
