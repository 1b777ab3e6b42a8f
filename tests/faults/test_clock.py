"""A clock that is set while calls are made: nothing is asked twice, and no time is negative."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.providers import CustomProvider
from llmbench.providers.clock import SystemClock
from tests.faults.vendor import PRICE, agree, serving

JUMPS = {
    "backwards": [timedelta(), timedelta(days=-400)],
    "forwards": [timedelta(), timedelta(days=400)],
    "to and fro": [timedelta(), timedelta(hours=1), timedelta(days=-2), timedelta(days=3)],
}


class JumpingClock(SystemClock):
    """The instant changes with every look; `monotonic` is the system's, which no setting moves."""

    def __init__(self, jumps: list[timedelta]) -> None:
        self._jumps = itertools.cycle(jumps)

    def now(self) -> datetime:
        return datetime.now(UTC) + next(self._jumps)


@pytest.mark.parametrize("kind", list(JUMPS))
@pytest.mark.parametrize("age", [None, 6.0])
def test_a_clock_that_jumps_between_calls(tmp_path: Path, kind: str, age: float | None) -> None:
    rows = [{"id": k, "prompt": f"item {k}", "expected": f"answer to item {k}"} for k in range(40)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving() as vendor, Ledger(tmp_path / "ledger.db") as ledger:
        vendor.seconds = 0.002
        clock = JumpingClock(JUMPS[kind])

        def run(max_age: float | None = None) -> tuple[int, int]:
            provider = CustomProvider(
                {"base_url": vendor.url, "prices": {"m": PRICE}, "ledger": ledger, "clock": clock}
            )
            data = Dataset.load(tmp_path / "items.jsonl")
            params = {"max_tokens": 300, "temperature": 0}
            matrix = Matrix(data, ["one/m"], params=params, ledger=ledger, providers={"one": provider})
            results = matrix.run(concurrency=4, max_answer_age_days=max_age)
            assert (results.answers["score"] == 1.0).all()
            return results.calls.made, results.calls.replayed

        assert run() == (40, 0)
        assert agree(tmp_path / "ledger.db", vendor, 0).total() == 40
        if age is None:
            assert run() == (0, 40)
        else:
            made, replayed = run(age)
            assert made + replayed == 40
        agree(tmp_path / "ledger.db", vendor, 0)
        assert all(0 <= call.latency_ms < 60_000 for call in ledger.calls())
        assert all(0 <= call.wall_ms < 60_000 for call in ledger.calls())
