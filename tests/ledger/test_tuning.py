from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.tuning import TuningRow

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROW = TuningRow(
    tag="tag-1",
    order_hash="order-1",
    turn=1,
    endpoint="openai",
    place="openai",
    base_model="gpt-4o-mini",
    ordered={"suffix": "né\ud83d", "epochs": 3},
    quoted={"usd": 1.5},
    prepared_at=NOON,
)


def test_the_steps_of_a_job_survive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        assert ledger.prepare_tuning(ROW)
    with Ledger(path) as ledger:
        assert ledger.tuning_jobs() == [ROW]
        ledger.tuning_sent("tag-1", ("file-1", "file-2"))
        assert ledger.tuning_asked("tag-1", NOON + timedelta(minutes=1), 1.25)
    with Ledger(path) as ledger:
        (row,) = ledger.tuning_jobs(order_hash="order-1")
        assert row.files == ("file-1", "file-2")
        assert (row.asked_at, row.estimated_usd, row.job_id) == (NOON + timedelta(minutes=1), 1.25, None)
        ledger.tuning_seen("tag-1", job_id="j-1", state="running", status={"a": 1}, at=NOON)
        (row,) = ledger.tuning_jobs(job_id="j-1")
        assert (row.state, row.status, row.seen_at) == ("running", {"a": 1}, NOON)
        assert ledger.tuning_jobs(job_id="j-2") == []


def test_an_order_has_one_job_a_turn(ledger: Ledger) -> None:
    assert ledger.prepare_tuning(ROW)
    assert not ledger.prepare_tuning(replace(ROW, tag="tag-2"))
    assert ledger.prepare_tuning(replace(ROW, tag="tag-2", turn=2))
    assert [row.tag for row in ledger.tuning_jobs(order_hash="order-1")] == ["tag-1", "tag-2"]


def test_a_closed_row_is_never_asked_for_and_one_with_a_job_is_never_closed(ledger: Ledger) -> None:
    ledger.prepare_tuning(ROW)
    assert ledger.close_tuning("tag-1", "given up", NOON, unless_asked=True)
    assert not ledger.close_tuning("tag-1", "again", NOON)
    assert not ledger.tuning_asked("tag-1", NOON, None)
    assert ledger.tuning_jobs() == []
    (row,) = ledger.tuning_jobs(closed=True)
    assert (row.closed_at, row.why_closed) == (NOON, "given up")
    ledger.prepare_tuning(replace(ROW, tag="tag-2", turn=2))
    assert ledger.tuning_asked("tag-2", NOON, None)
    assert not ledger.close_tuning("tag-2", "too late", NOON, unless_asked=True)
    ledger.tuning_seen("tag-2", job_id="j", state="queued", status={}, at=NOON)
    assert not ledger.close_tuning("tag-2", "no", NOON)


def test_a_job_that_turns_up_opens_its_row_again(ledger: Ledger) -> None:
    ledger.prepare_tuning(ROW)
    ledger.tuning_asked("tag-1", NOON, None)
    ledger.close_tuning("tag-1", "not there", NOON)
    ledger.tuning_seen("tag-1", job_id="j", state="queued", status={}, at=NOON)
    (row,) = ledger.tuning_jobs()
    assert (row.closed_at, row.why_closed, row.job_id) == (None, None, "j")


def test_a_row_that_is_not_there(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no fine-tuning job"):
        ledger.tuning_sent("tag-9", ())
