"""Ledgers with damage at random places, at length; a few more are in tests/ledger/test_salvage.py."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.salvage import salvage
from llmbench.ledger.soundness import CHECKED_TABLES
from llmbench.types import CallRecord
from tests.faults.killing import ROUNDS
from tests.ledger.conftest import make_call_of

pytestmark = pytest.mark.faults
PAGE = 4096
CALLS = 1500


AT = datetime(2026, 1, 2, tzinfo=UTC)


class Whole(NamedTuple):
    content: bytes
    calls: dict[str, CallRecord]
    rows: dict[str, set[Any]]


def rows_of(path: Path) -> dict[str, set[Any]]:
    """Of the tables whose rows are checked by themselves; when an outcome was recorded is not checked."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        for table, columns in CHECKED_TABLES.items():
            names = ", ".join(name for name in columns if name != "recorded_at")
            found[table] = set(connection.execute(f"SELECT {names} FROM {table}"))
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path = tmp_path_factory.mktemp("whole") / "ledger.db"

    async def fill(ledger: Ledger) -> None:
        draw = random.Random(1)
        for i in range(CALLS):
            text = " ".join(f"word{draw.randrange(9999)}" for _ in range(draw.randrange(400)))
            turn = {"role": "user", "content": f"question {i} {text[:300]}"}
            call = make_call_of(f"c{i}", messages=[turn], content=text, cost=0.001 * i, cost_basis="priced")
            await ledger.record(call)
            await ledger.record_assignment(
                "x", f"u{i}", epoch=1, arm="a/m", probability=0.5, assigned_at=AT,
                attributes={"mailbox": f"{text[:200]}@example.org"},
            )  # fmt: skip

    with Ledger(path) as ledger:
        for i in range(1, 60):
            at = AT + timedelta(days=i)
            ledger.open_epoch("x", {"a/m": i / 60, "b/m": 1 - i / 60}, at)
            ledger.record_look(
                f"x{i % 20}", i, cut_off=at, units=i, information=i / 60, parameters={"margin": i / 60},
                comparisons=[{"ratio": i / 7, "verdict": "cannot tell" * (i % 9)}], seen_at=at,
            )  # fmt: skip
            ledger.record_outcome(unit_id=f"u{i}", replied=i % 3 == 0, value=float(i), at=at)
        asyncio.run(fill(ledger))
        found = {call.call_id: call for call in ledger.calls()}
    return Whole(path.read_bytes(), found, rows_of(path))


@pytest.mark.parametrize("seed", range(5 * ROUNDS))
def test_damage_is_noticed_and_the_rest_recovered(whole: Whole, tmp_path: Path, seed: int) -> None:
    content, calls = bytearray(whole.content), whole.calls
    draw = random.Random(seed)
    for _ in range(1 + seed % 3):
        # Not the first page, without which SQLite opens nothing.
        at = draw.randrange(1, len(content) // PAGE) * PAGE
        if seed % 2:
            content[at : at + PAGE] = draw.randbytes(PAGE)
        else:
            for _ in range(1 + seed % 5):
                content[at + draw.randrange(PAGE)] ^= 1 << draw.randrange(8)
    path = tmp_path / "damaged.db"
    path.write_bytes(content)
    try:
        with Ledger(path) as ledger:
            sound = ledger.verify().sound
    except LedgerError:
        sound = False
    found = salvage(path, tmp_path / "new.db")
    assert path.stat().st_size == len(content)
    with Ledger(found.path) as new:
        after = {call.call_id: call for call in new.calls()}
        assert new.verify().sound
    assert after == {call_id: calls[call_id] for call_id in after}
    lost = calls.keys() - after.keys()
    rows = rows_of(found.path)
    assert all(rows[table] <= whole.rows[table] for table in CHECKED_TABLES)
    assert not (sound and (lost or rows != whole.rows))
    told = " ".join(found.lost)
    assert "index that would tell" in told or all(f"call_id {call_id!r}" in told for call_id in lost)
