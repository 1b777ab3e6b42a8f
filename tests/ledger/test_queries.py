from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmbench.errors import LedgerError, UsageError
from llmbench.ledger import Ledger, SpendTotals
from llmbench.ledger.migrations import MIGRATIONS
from llmbench.types import CallRecord

START = datetime(2026, 1, 2, tzinfo=UTC)


def record_all(ledger: Ledger, calls: Iterable[CallRecord]) -> None:
    async def record() -> None:
        await asyncio.gather(*(ledger.record(call) for call in calls))

    asyncio.run(record())


def test_answers_are_the_newest_ok_ones(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    newest = make_call("2", request_hash="h", content="new", started_at=START + timedelta(days=2))
    calls = [
        make_call("1", request_hash="h", content="old", started_at=START),
        newest,
        make_call(
            "3", request_hash="h", content="older, recorded later", started_at=START + timedelta(days=1)
        ),
        make_call("4", request_hash="h", status="error", content=None, started_at=START + timedelta(days=3)),
        make_call(
            "5", request_hash="h", status="cancelled", content=None, started_at=START + timedelta(days=4)
        ),
        make_call("6", request_hash="only errors", status="error", content=None),
        make_call("7", request_hash="another"),
    ]
    record_all(ledger, calls)
    assert ledger.answers(["h", "h", "only errors", "never asked"]) == {"h": newest}
    assert ledger.answers([]) == {}


def test_answers_of_one_instant_are_the_last_recorded(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    for name in ("first", "last"):
        asyncio.run(ledger.record(make_call(name, request_hash="h", content=name)))
    assert ledger.answers(["h"])["h"].content == "last"


def test_answers_not_before(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    call = make_call("1", request_hash="h", started_at=START)
    record_all(ledger, [call])
    assert ledger.answers(["h"], not_before=START) == {"h": call}
    assert ledger.answers(["h"], not_before=START + timedelta(microseconds=1)) == {}
    with pytest.raises(UsageError, match="has no time zone"):
        ledger.answers(["h"], not_before=START.replace(tzinfo=None))


def test_answers_of_odd_hashes(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    hashes = ["", "a'b", "\ud83d", "nul\0nul", "nul"]
    record_all(ledger, [make_call(f"c{i}", request_hash=each) for i, each in enumerate(hashes)])
    found = ledger.answers(hashes)
    assert [found[each].call_id for each in hashes] == [f"c{i}" for i in range(len(hashes))]
    assert [len(ledger.attempts_of(each)) for each in hashes] == [1] * len(hashes)


def test_answers_of_a_hundred_thousand_hashes(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    record_all(ledger, [make_call(f"c{i}", request_hash=f"{i * 40:064x}") for i in range(2_500)])
    started = time.process_time()
    found = ledger.answers(f"{i:064x}" for i in range(100_000))
    assert time.process_time() - started < 10
    assert len(found) == 2_500
    assert found[f"{40:064x}"].call_id == "c1"


def test_answers_use_an_index(file_ledger: Ledger) -> None:
    plans: list[str] = []
    with file_ledger._store.reading() as connection:
        connection.set_trace_callback(plans.append)
        from llmbench.ledger.queries import newest_answers

        newest_answers(connection, ["h"], START)
        query = next(sql for sql in plans if sql.lstrip().startswith("SELECT"))
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "requests_by_hash" in plan
    assert "calls_by_request (request_id=? AND status=? AND started_at>?)" in plan
    assert "SCAN" not in plan


def test_attempts_of_are_in_order_of_start(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    second = make_call("1", attempt=2, request_hash="h", started_at=START + timedelta(seconds=1))
    first = make_call("1", attempt=1, request_hash="h", status="error", content=None, started_at=START)
    record_all(ledger, [second, first, make_call("2")])
    assert ledger.attempts_of("h") == [first, second]
    assert ledger.attempts_of("never asked") == []


def test_calls_select(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    a = make_call("a", run_id="r1", started_at=START)
    b = make_call("b", run_id="r1", status="error", content=None, started_at=START + timedelta(hours=1))
    c = make_call("c", run_id="r2", started_at=START + timedelta(hours=2))
    d = make_call("d", started_at=START + timedelta(hours=3))
    for call in (a, b, c, d):
        asyncio.run(ledger.record(call))
    assert list(ledger.calls()) == [a, b, c, d]
    assert list(ledger.calls("r1")) == [a, b]
    assert list(ledger.calls("r1", status="error")) == [b]
    assert list(ledger.calls(since=START + timedelta(hours=2))) == [c, d]
    assert list(ledger.calls("none")) == []


def test_calls_select_wrongly(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="status is 'failed' and must be one of ok, error, cancelled"):
        ledger.calls(status="failed")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has no time zone"):
        ledger.spend(since=START.replace(tzinfo=None))


def test_calls_stream_beside_new_records(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    record_all(ledger, [make_call(f"c{i}") for i in range(1_501)])
    stream = ledger.calls()
    first = next(stream)
    record_all(ledger, [make_call("later")])
    assert [first.call_id, *(call.call_id for call in stream)] == [f"c{i}" for i in range(1_501)]


def test_calls_left_halfway_holds_nothing_open(
    file_ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    record_all(file_ledger, [make_call(f"c{i}") for i in range(600)])
    stream = file_ledger.calls()
    next(stream)
    # A reader that held its snapshot would keep the WAL from being merged in whole.
    busy, frames, merged = file_ledger._store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert (busy, frames, merged) == (0, 0, 0)
    assert len(list(stream)) == 599


def test_spend_sums_what_is_known(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    assert ledger.spend() == SpendTotals(0, 0, 0, 0, 0, 0, None)
    record_all(
        ledger,
        [
            make_call("a", run_id="r1", cost=0.25, cost_basis="priced"),
            make_call("b", run_id="r1", cost=0.0, cost_basis="self-hosted"),
            make_call("c", run_id="r1", status="error", content=None),
            make_call("d", run_id="r2", status="cancelled", content=None, cost=0.5, cost_basis="priced"),
            make_call("e", run_id="r3", started_at=START + timedelta(days=9)),
        ],
    )
    assert ledger.spend() == SpendTotals(
        calls=5, ok=3, failed=1, cancelled=1, priced=3, unpriced=2, usd=pytest.approx(0.75)
    )
    assert ledger.spend("r1") == SpendTotals(3, 2, 1, 0, 2, 1, 0.25)
    assert ledger.spend("r3") == SpendTotals(1, 1, 0, 0, 0, 1, None)
    assert ledger.spend(since=START + timedelta(days=1)) == SpendTotals(1, 1, 0, 0, 0, 1, None)


def test_verify_sound(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    record_all(ledger, [make_call("a"), make_call("b")])
    checked = ledger.verify()
    assert (checked.path, checked.schema_version, checked.calls, checked.problems) == (
        ledger.path,
        MIGRATIONS[-1].version,
        2,
        (),
    )
    assert checked.sound


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE calls SET metadata = '{' WHERE call_id = 'a'",
            "Row 1 of the ledger's table `calls` is damaged",
        ),
        ("UPDATE calls SET output_tokens = NULL, input_tokens = 1", "is damaged"),
        ("UPDATE calls SET started_at = 'yesterday'", "is damaged"),
        (
            "ALTER TABLE calls DROP CONSTRAINT calls_request_id_fkey; DELETE FROM requests",
            "refers to a row of `requests` that is not there",
        ),
    ],
)
def test_verify_damaged_rows(
    ledger: Ledger, make_call: Callable[..., CallRecord], statement: str, problem: str
) -> None:
    asyncio.run(ledger.record(make_call("a")))
    with ledger._store.writing() as connection:
        for each in statement.split("; "):
            if ledger.path is None or not each.startswith("ALTER"):  # SQLite's is not enforced
                connection.execute(each)
    checked = ledger.verify()
    assert not checked.sound
    assert checked.calls == 0
    assert problem in checked.problems[0]


def test_verify_damaged_pages(tmp_path: Path, make_call: Callable[..., CallRecord]) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        record_all(ledger, [make_call(f"c{i}", content="x" * 900) for i in range(400)])
    content = bytearray(path.read_bytes())
    pages = range(0, len(content), 4096)
    of_answers = [at for at in pages if b"x" * 100 in content[at : at + 4096]]
    for at in of_answers[20:60]:
        content[at : at + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with Ledger(path) as ledger:
        checked = ledger.verify()
    assert not checked.sound
    assert checked.calls < 400


def test_read_of_a_damaged_ledger_says_what_to_do(
    tmp_path: Path, make_call: Callable[..., CallRecord]
) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        record_all(ledger, [make_call(f"c{i}", content="x" * 900) for i in range(400)])
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'calls'").fetchone()[0]
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with (
        Ledger(path) as ledger,
        pytest.raises(
            LedgerError, match=r"is damaged: copy what is whole by `llmbench ledger verify --salvage"
        ),
    ):
        list(ledger.calls())


def test_answers_leaves_out_an_answer_whose_text_was_not_kept(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    textless = make_call("b", request_hash="h", content=None, started_at=START + timedelta(days=1))
    record_all(ledger, [make_call("a", request_hash="h"), textless])
    assert ledger.answers(["h"])["h"].call_id == "a"


def test_routed_call_comes_back_as_it_was(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    call = make_call(
        unit_id="lead 7", experiment_id="x", arm="a/m", route={"rule": "short", "candidates": []}
    )
    record_all(ledger, [call])
    assert list(ledger.calls()) == [call]
