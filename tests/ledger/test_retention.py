from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from llmbench.errors import UsageError
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
