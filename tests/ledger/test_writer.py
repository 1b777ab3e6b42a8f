from __future__ import annotations

import asyncio
import dataclasses
import gc
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.rows import Statement, stored_text
from llmbench.types import CallRecord


@contextmanager
def locked(ledger: Ledger) -> Iterator[None]:
    """Another connection writes meanwhile, so that what is recorded has to wait."""
    if ledger.path is None:
        with ledger._store.writing() as connection, connection.transaction():
            connection.execute("LOCK TABLE requests IN EXCLUSIVE MODE")
            connection.execute("SELECT 1").fetchone()  # the lock is only sent before
            yield
        return
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def ids(ledger: Ledger) -> list[str]:
    return [call.call_id for call in ledger.calls()]


def test_record_is_there_when_it_returns(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    async def record_and_look() -> list[str]:
        await ledger.record(make_call("a"))
        return ids(ledger)

    assert asyncio.run(record_and_look()) == ["a"]


def test_record_waits_until_it_is_committed(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    async def record() -> bool:
        with locked(ledger):
            task = asyncio.create_task(ledger.record(make_call("a")))
            await asyncio.sleep(0.1)
            early = task.done()
        await task
        return early

    assert asyncio.run(record()) is False
    assert ids(ledger) == ["a"]


def test_record_commits_what_waits_at_once(file_ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    statements: list[str] = []
    file_ledger._store.connection.set_trace_callback(statements.append)

    async def record() -> None:
        with locked(file_ledger):
            tasks = [asyncio.create_task(file_ledger.record(make_call(f"c{i}"))) for i in range(200)]
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)

    asyncio.run(record())
    assert len(ids(file_ledger)) == 200
    # The first may have been taken alone before the others were there.
    assert statements.count("COMMIT") <= 2


def test_record_from_many_threads_and_loops(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    seen: list[bool] = []

    async def record(thread: int) -> None:
        async def one(i: int) -> None:
            call = make_call(f"{thread}-{i}")
            await ledger.record(call)
            if i % 25 == 0:
                seen.append(ledger.attempts_of(call.request_hash) == [call])

        await asyncio.gather(*(one(i) for i in range(100)))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(record(n))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids(ledger)) == sorted(f"{n}-{i}" for n in range(6) for i in range(100))
    assert seen == [True] * 24


def test_record_cancelled_wait_keeps_the_row(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    async def record() -> None:
        with locked(ledger):
            tasks = [asyncio.create_task(ledger.record(make_call(f"c{i}"))) for i in range(10)]
            await asyncio.sleep(0.05)
            for task in tasks[::2]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks[::2], return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in outcomes)
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks[1::2])
            await ledger.record(make_call("later"))

    asyncio.run(record())
    assert ids(ledger) == [*(f"c{i}" for i in range(10)), "later"]


def test_record_of_a_loop_that_is_gone_keeps_the_row(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    async def leave() -> None:
        task = asyncio.create_task(ledger.record(make_call("left")))
        await asyncio.sleep(0.05)
        task.cancel()

    with locked(ledger):
        asyncio.run(leave())
    asyncio.run(ledger.record(make_call("later")))
    assert ids(ledger) == ["left", "later"]


def test_record_same_attempt_again_is_one_row(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    for _ in range(2):
        asyncio.run(ledger.record(make_call("a", content="\ud83d", cost=0.5, cost_basis="priced")))
    assert ids(ledger) == ["a"]


def test_record_same_attempt_with_other_values_is_refused_alone(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    asyncio.run(ledger.record(make_call("a")))

    async def record() -> list[BaseException | None]:
        with locked(ledger):
            tasks = [
                asyncio.create_task(ledger.record(call))
                for call in (make_call("b"), make_call("a", request_hash="other"), make_call("c"))
            ]
            await asyncio.sleep(0.05)
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, refused, last = asyncio.run(record())
    assert first is None
    assert last is None
    assert isinstance(refused, LedgerError)
    assert "Attempt 1 of call 'a' is in the ledger" in str(refused)
    assert ids(ledger) == ["a", "b", "c"]
    assert ledger.attempts_of("other") == []


def test_record_messages_are_stored_once(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    for attempt in range(1, 6):
        asyncio.run(ledger.record(make_call("a", attempt=attempt, status="error", content=None)))
    asyncio.run(ledger.record(make_call("b", request_hash="hash of a")))
    with ledger._store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (1,)
    assert [call.attempt for call in ledger.attempts_of("hash of a")] == [1, 2, 3, 4, 5, 1]


def test_record_two_bodies_of_one_hash_keep_their_messages(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    one = make_call("a", request_hash="h", messages=[{"role": "user", "content": "one"}])
    two = make_call("b", request_hash="h", messages=[{"role": "user", "content": "two"}])
    asyncio.run(ledger.record(one))
    asyncio.run(ledger.record(two))
    assert ledger.attempts_of("h") == [one, two]
    assert ledger.answers(["h"]) == {"h": two}
    three = dataclasses.replace(one, call_id="c", started_at=one.started_at + timedelta(seconds=1))
    asyncio.run(ledger.record(three))
    assert ledger.answers(["h"]) == {"h": three}


def test_record_on_a_full_disk_fails_alone_and_later_ones_are_served(
    file_ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    asyncio.run(file_ledger.record(make_call("before")))
    pages = file_ledger._store.connection.execute("PRAGMA page_count").fetchone()[0]
    file_ledger._store.connection.execute(f"PRAGMA max_page_count = {pages + 20}")

    async def record() -> list[BaseException | None]:
        with locked(file_ledger):
            tasks = [
                asyncio.create_task(file_ledger.record(call))
                for call in (
                    make_call("small"),
                    make_call("huge", content="x" * 500_000),
                    make_call("small too"),
                )
            ]
            await asyncio.sleep(0.05)
        return await asyncio.gather(*tasks, return_exceptions=True)

    small, huge, small_too = asyncio.run(record())
    assert (small, small_too) == (None, None)
    assert isinstance(huge, LedgerError)
    assert "cannot grow: free space on its disk; what was recorded before is kept" in str(huge)
    file_ledger._store.connection.execute("PRAGMA max_page_count = 1000000")
    asyncio.run(file_ledger.record(make_call("huge", content="x" * 500_000)))
    assert ids(file_ledger) == ["before", "small", "small too", "huge"]
    assert file_ledger.verify().sound


def test_statements_are_written_in_their_order_beside_attempts(
    ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    sql = (
        "INSERT INTO outcomes (digest, unit_id, replied, happened_at, recorded_at, metadata) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING"
    )
    outcomes = [
        Statement(sql, (bytes([number]) * 16, stored_text(unit), 1, "2026", "2026", "{}"))
        for number, unit in [(255, "a\0"), (0, "\ud83d"), (255, "again")]
    ]

    async def write() -> None:
        futures = [ledger._writer.submit(outcome) for outcome in outcomes]
        await asyncio.gather(*futures, ledger.record(make_call("c")))

    asyncio.run(write())
    with ledger._store.reading() as connection:
        rows = connection.execute("SELECT digest, unit_id FROM outcomes ORDER BY id").fetchall()
    assert rows == [outcome.values[:2] for outcome in outcomes[:2]]
    assert ids(ledger) == ["c"]


FILE_LIMIT = """
import asyncio, os, resource, sys
from llmbench.errors import LedgerError

ledger = Ledger(sys.argv[1])
limit = os.path.getsize(sys.argv[1] + "-wal") + 1_000_000
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
kept = []
try:
    for i in range(1000):
        asyncio.run(ledger.record(make_call(f"c{i}", content="x" * 3000)))
        kept.append(f"c{i}")
except LedgerError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
asyncio.run(ledger.record(make_call("later")))
ids = [call.call_id for call in ledger.calls()]
print(len(kept) > 5, ids == [*kept, "later"], ledger.verify().problems)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_record_write_that_the_system_refuses(tmp_path: Path, run_python: Callable[..., str]) -> None:
    told, kept = run_python(FILE_LIMIT, tmp_path / "ledger.db").splitlines()
    assert "what was recorded before is kept" in told
    assert kept == "True True ()"


def test_record_after_a_long_lock_says_who_is_to_blame(
    tmp_path: Path, make_call: Callable[..., CallRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmbench.ledger.store.BUSY_TIMEOUT_S", 0.05)
    with Ledger(tmp_path / "ledger.db") as ledger:
        with (
            locked(ledger),
            pytest.raises(LedgerError, match=r"locked .* end the program"),
        ):
            asyncio.run(ledger.record(make_call("a")))
        asyncio.run(ledger.record(make_call("b")))
        assert ids(ledger) == ["b"]


def test_record_writer_survives_a_defect(
    ledger: Ledger, make_call: Callable[..., CallRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr("llmbench.ledger.writer.insert", fail)
        with pytest.raises(LedgerError, match="a defect"):
            asyncio.run(ledger.record(make_call("a")))
    asyncio.run(ledger.record(make_call("b")))
    assert ids(ledger) == ["b"]


KILLED = """
import asyncio, os, sys

async def main():
    ledger = Ledger(sys.argv[1])
    numbers = iter(range(10**9))
    async def work():
        for i in numbers:
            await ledger.record(make_call(f"c{i}", content="x" * (i % 3000)))
            os.write(1, f"c{i}\\n".encode())
    await asyncio.gather(*(work() for _ in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("round_", range(3))
def test_record_survives_kill_9(
    ledger_url: str, start_python: Callable[..., subprocess.Popen[str]], round_: int
) -> None:
    process = start_python(KILLED, ledger_url)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(300 + 77 * round_)]
    process.kill()
    # Not `communicate`, which loses what `readline` has read ahead.
    told += process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait(20) == -signal.SIGKILL
    with Ledger(ledger_url) as ledger:
        kept = set(ids(ledger))
        assert ledger.verify().sound
    assert len(told) >= 300
    assert set(told) <= kept
    # What was in flight, and nothing else, may be there without having been told.
    assert len(kept - set(told)) <= 16


WRITES = """
import asyncio, sys

async def main():
    with Ledger(sys.argv[1]) as ledger:
        for start in range(0, 300, 10):
            await asyncio.gather(*(ledger.record(make_call(f"{sys.argv[2]}-{start + i}")) for i in range(10)))

asyncio.run(main())
"""


def test_record_from_processes_that_start_together(
    ledger_url: str, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    processes = [start_python(WRITES, ledger_url, name) for name in "abc"]
    outputs = [process.communicate(timeout=30)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    with Ledger(ledger_url) as ledger:
        assert sorted(ids(ledger)) == sorted(f"{name}-{i}" for name in "abc" for i in range(300))
        assert ledger.verify().sound


EXITS = {
    "nothing closed": """
import asyncio, sys
ledger = Ledger(sys.argv[1])
asyncio.run(ledger.record(make_call("a")))
""",
    "waiting while the loop is gone": """
import asyncio, sqlite3, sys
ledger = Ledger(sys.argv[1])
lock = sqlite3.connect(sys.argv[1], isolation_level=None)
lock.execute("BEGIN IMMEDIATE")
async def leave():
    task = asyncio.create_task(ledger.record(make_call("a")))
    await asyncio.sleep(0.05)
    task.cancel()
asyncio.run(leave())
lock.execute("ROLLBACK")
lock.close()
""",
    "from a daemon thread's loop": """
import asyncio, sys, threading
ledger = Ledger(sys.argv[1])
loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever, daemon=True)
thread.start()
asyncio.run_coroutine_threadsafe(ledger.record(make_call("a")), loop).result(10)
loop.call_soon_threadsafe(loop.stop)
thread.join()
loop.close()
""",
}


@pytest.mark.parametrize("script", list(EXITS))
def test_exit_writes_what_waits_and_does_not_hang(
    tmp_path: Path, run_python: Callable[..., str], script: str
) -> None:
    assert run_python(EXITS[script], tmp_path / "ledger.db") == ""
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"], "the WAL was not merged"
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ids(ledger) == ["a"]


def test_close_writes_what_waits(ledger_url: str, make_call: Callable[..., CallRecord]) -> None:
    ledger = Ledger(ledger_url)

    async def record() -> None:
        tasks = [asyncio.create_task(ledger.record(make_call(f"c{i}"))) for i in range(3000)]
        await asyncio.sleep(0)
        ledger.close()
        await asyncio.gather(*tasks)

    asyncio.run(record())
    with Ledger(ledger_url) as again:
        assert len(ids(again)) == 3000


def test_close_twice_and_use_after(
    ledger_url: str, tmp_path: Path, make_call: Callable[..., CallRecord]
) -> None:
    ledger = Ledger(ledger_url)
    asyncio.run(ledger.record(make_call("a")))
    ledger.close()
    ledger.close()
    for use in (
        lambda: asyncio.run(ledger.record(make_call("b"))),
        lambda: ledger.answers([]),
        lambda: ledger.attempts_of("x"),
        lambda: list(ledger.calls()),
        ledger.spend,
        lambda: ledger.export(tmp_path / "x.jsonl"),
        lambda: ledger.import_lines(tmp_path / "x.jsonl"),
        ledger.verify,
        ledger.to_pandas,
    ):
        with pytest.raises(LedgerError, match="is closed"):
            use()
    assert not (tmp_path / "x.jsonl").exists()


def test_close_ends_the_thread_of_a_forgotten_ledger(
    ledger_url: str, make_call: Callable[..., CallRecord]
) -> None:
    ledger = Ledger(ledger_url)
    asyncio.run(ledger.record(make_call("a")))
    thread = ledger._writer._thread
    gone = weakref.ref(ledger)
    assert thread is not None
    del ledger
    gc.collect()
    assert gone() is None
    thread.join(5)
    assert not thread.is_alive()


def test_record_is_fast_enough(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    """CPU and not wall time, with room for a loaded machine: an order of magnitude is what this guards."""
    calls = [make_call(f"c{i}") for i in range(2000)]

    async def record() -> None:
        numbers = iter(calls)

        async def work() -> None:
            for call in numbers:
                await ledger.record(call)

        await asyncio.gather(*(work() for _ in range(64)))

    started = time.process_time()
    asyncio.run(record())
    assert (time.process_time() - started) / len(calls) < 0.002
