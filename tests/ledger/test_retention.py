from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from llmbench.errors import LedgerError, UsageError
from llmbench.ledger import Ledger
from llmbench.ledger.retention import Pruned
from llmbench.types import CallRecord

OLD = datetime(2026, 1, 1, tzinfo=UTC)
NEW = OLD + timedelta(days=100)
LIMIT = OLD + timedelta(days=50)
SECRET = "the secret of Ann"


@pytest.fixture
def filled(ledger: Ledger, make_call: Callable[..., CallRecord]) -> Ledger:
    def secret(call_id: str, **changes: object) -> CallRecord:
        values = {
            "messages": [{"role": "user", "content": f"{SECRET} {call_id}"}],
            "content": SECRET,
            "cost": 1.0,
        }
        return make_call(call_id, **{**values, "cost_basis": "priced", **changes})

    async def fill() -> None:
        await ledger.record(secret("old", started_at=OLD, unit_id="ann"))
        await ledger.record(secret("new", started_at=NEW, unit_id="bob"))
        await ledger.record_assignment("x", "ann", epoch=1, arm="a/m", probability=0.5, assigned_at=OLD)

    asyncio.run(fill())
    ledger.record_outcome("ann", at=OLD + timedelta(days=1))
    ledger.record_outcome(call_id="old", at=OLD + timedelta(days=2))
    return ledger


def bytes_of(ledger: Ledger) -> bytes:
    """Of the files; where there are none, what the tables give."""
    if ledger.path is None:
        return repr(list(ledger.calls())).encode()
    return b"".join(path.read_bytes() for path in ledger.path.parent.glob(f"{ledger.path.name}*"))


def test_old_attempts_go_for_good(filled: Ledger) -> None:
    assert filled.prune(LIMIT, dry_run=True) == Pruned(1, 1, 2, 0)
    assert len(list(filled.calls())) == 2
    assert filled.prune(LIMIT) == Pruned(1, 1, 2, 0)
    assert [call.call_id for call in filled.calls()] == ["new"]
    assert filled.verify().sound
    assert b"Ann old" not in bytes_of(filled)
    assert b"Ann new" in bytes_of(filled)


def test_texts_alone(filled: Ledger) -> None:
    filled.prune(LIMIT, texts_only=True)
    old, new = filled.calls()
    assert (old.messages, old.content, old.cost, old.unit_id) == ([], None, 1.0, "ann")
    assert new.content == SECRET
    assert b"Ann old" not in bytes_of(filled)
    assert filled.prune(LIMIT, texts_only=True).attempts == 0


def test_stripped_request_is_not_taken_for_the_same_one_later(
    filled: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    filled.prune(LIMIT, texts_only=True)
    again = make_call("again", messages=[{"role": "user", "content": f"{SECRET} old"}])
    asyncio.run(filled.record(again))
    assert list(filled.calls())[-1].messages == again.messages


def test_forget_a_unit_and_keep_what_it_cost(filled: Ledger) -> None:
    before = filled.spend()
    assert filled.prune(unit_id="ann") == Pruned(1, 1, 2, 1)
    assert filled.spend() == before
    assert b"Ann old" not in bytes_of(filled)
    assert [call.unit_id for call in filled.calls()] == [None, "bob"]
    assert filled.assigned("x", "ann") is None
    assert not filled.outcomes().without_exposure


def test_request_that_others_share_keeps_its_messages(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    async def fill() -> None:
        for unit in ("ann", "bob"):
            await ledger.record(make_call(unit, request_hash="h", unit_id=unit))

    asyncio.run(fill())
    ledger.prune(unit_id="ann")
    ann, bob = ledger.calls()
    assert (ann.content, bob.content) == (None, "Hello")
    assert bob.messages == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("arguments", [{}, {"before": LIMIT, "unit_id": "ann"}])
def test_say_what_is_to_go(ledger: Ledger, arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="either before=INSTANT, or unit_id=UNIT"):
        ledger.prune(**arguments)  # type: ignore[arg-type]


def test_writer_goes_on_after_it(filled: Ledger, make_call: Callable[..., CallRecord]) -> None:
    filled.prune(LIMIT)
    asyncio.run(filled.record(make_call("later")))
    assert len(list(filled.calls())) == 2


def test_what_prices_a_call_outlives_its_texts(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    told = {"service_tier": "batch", "reasoning": SECRET}
    params = {"temperature": 0.5, "service_tier": "flex", "stop": [SECRET]}
    asyncio.run(ledger.record(make_call("c", params=params, metadata=told)))
    assert ledger.prune(NEW, texts_only=True) == Pruned(1, 1, 0, 0)
    (call,) = ledger.calls()
    assert call.metadata == {"service_tier": "batch"}
    assert call.params == {"temperature": 0.5, "service_tier": "flex"}
    assert ledger.answers([call.request_hash]) == {}
    assert SECRET.encode() not in bytes_of(ledger)
    assert ledger.prune(NEW, texts_only=True, dry_run=True) == Pruned(0, 0, 0, 0)


def test_texts_that_utf8_cannot_carry_go_too(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    half = f"{SECRET} \ud83d"
    asyncio.run(
        ledger.record(make_call("c", content=half, params={"stop": half}, metadata={"reasoning": half}))
    )
    assert ledger.prune(NEW, texts_only=True) == Pruned(1, 1, 0, 0)
    assert SECRET.encode() not in bytes_of(ledger)


def test_a_forgotten_unit_is_no_unit_of_its_experiment(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    async def fill() -> None:
        for call_id, unit in (("1", "ann"), ("2", "ann"), ("3", "bob")):
            await ledger.record(
                make_call(call_id, unit_id=unit, experiment_id="x", arm="a/m", cost=1.0, cost_basis="priced")
            )

    asyncio.run(fill())
    ledger.record_outcome("ann", at=NEW)
    spent = ledger.spend_by("experiment")
    ledger.prune(unit_id="ann")
    for found in (ledger.outcomes("x"), ledger.outcomes()):
        assert [outcome.unit_id for outcome in found] == ["bob"]
        assert found.attempts_without_unit == 2
        assert "2 attempts of experiments belong to no unit." in found.notes()
    assert ledger.spend_by("experiment") == spent


def test_a_reader_that_keeps_the_bytes_is_told_of(filled: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    if filled.path is None:
        pytest.skip("of SQLite's WAL")
    monkeypatch.setattr("llmbench.ledger.store.BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(filled.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM calls").fetchone()
        with pytest.raises(LedgerError, match="keeps the bytes"):
            filled.prune(LIMIT)
    assert [call.call_id for call in filled.calls()] == ["new"]
    filled.close()
    assert b"Ann old" not in bytes_of(filled)


def test_a_unit_without_texts_is_forgotten_too(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    asyncio.run(ledger.record(make_call("c", messages=[], content=None, unit_id="ann")))
    assert ledger.prune(unit_id="ann", dry_run=True) == ledger.prune(unit_id="ann") == Pruned(1, 0, 0, 0)
    assert [call.unit_id for call in ledger.calls()] == [None]


def test_an_attempt_without_texts_of_a_stripped_request_is_sound(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    asyncio.run(ledger.record(make_call("c", content=None, status="error", started_at=OLD)))
    assert ledger.prune(LIMIT, texts_only=True).requests == 1
    checked = ledger.verify()
    assert checked.sound, checked.problems
