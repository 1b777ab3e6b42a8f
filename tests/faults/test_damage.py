"""Ledgers with damage at random places, at length; a few more are in tests/ledger/test_salvage.py."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.salvage import salvage
from llmbench.types import CallRecord
from tests.faults.killing import ROUNDS
from tests.ledger.conftest import make_call_of

pytestmark = pytest.mark.faults
PAGE = 4096
CALLS = 1500


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, CallRecord]]:
    path = tmp_path_factory.mktemp("whole") / "ledger.db"

    async def fill(ledger: Ledger) -> None:
        draw = random.Random(1)
        for i in range(CALLS):
            text = " ".join(f"word{draw.randrange(9999)}" for _ in range(draw.randrange(400)))
            turn = {"role": "user", "content": f"question {i} {text[:300]}"}
            call = make_call_of(f"c{i}", messages=[turn], content=text, cost=0.001 * i, cost_basis="priced")
            await ledger.record(call)

    with Ledger(path) as ledger:
        asyncio.run(fill(ledger))
        found = {call.call_id: call for call in ledger.calls()}
    return path.read_bytes(), found


@pytest.mark.parametrize("seed", range(5 * ROUNDS))
def test_damage_is_noticed_and_the_rest_recovered(
    whole: tuple[bytes, dict[str, CallRecord]], tmp_path: Path, seed: int
) -> None:
    content, calls = bytearray(whole[0]), whole[1]
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
    assert not (sound and lost)
    told = " ".join(found.lost)
    assert "index that would tell" in told or all(f"call_id {call_id!r}" in told for call_id in lost)
