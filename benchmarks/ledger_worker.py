"""Records of one ledger in a process of its own: `python ledger_worker.py JOB COUNT FOLDER`; prints JSON.

What a matrix records: 60 words in, 20 out, one attempt, a price.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WAITERS = 64


def records(count: int) -> Iterator[Any]:
    from llmbench.types import CallRecord

    for number in range(count):
        yield CallRecord(
            call_id=f"{number:032x}", attempt=1, request_hash=f"{number:064x}",
            endpoint="stub", provider="custom", backend=None, model="stub-a",
            params={"temperature": 0.0, "max_tokens": 256}, repeat=0,
            messages=[{"role": "user", "content": f"Item {number}: {'word ' * 60}"}],
            started_at=datetime.now(UTC), latency_ms=12.5, wall_ms=12.5, status="ok",
            content=f"This is item {number}. " + "word " * 15, cost=0.00012, cost_basis="priced",
        )  # fmt: skip


def ours(count: int, folder: Path) -> tuple[float, float]:
    from llmbench import Ledger

    todo = list(records(count))
    path = folder / "ours.db"

    async def work(ledger: Any, mine: Iterator[Any]) -> None:
        for record in mine:
            await ledger.record(record)

    async def main(ledger: Any) -> None:
        shared = iter(todo)
        await asyncio.gather(*(work(ledger, shared) for _ in range(WAITERS)))

    with Ledger(path) as ledger:
        begin, cpu = time.perf_counter(), time.process_time()
        asyncio.run(main(ledger))
        return time.perf_counter() - begin, time.process_time() - cpu


def bare(count: int, folder: Path) -> tuple[float, float]:
    """What one writes oneself: a row of JSON for each call, committed at once, in a write-ahead log."""
    rows = [
        (number, json.dumps(dataclasses.asdict(each), default=str))
        for number, each in enumerate(records(count))
    ]
    with closing(sqlite3.connect(folder / "bare.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE calls (id INTEGER PRIMARY KEY, body TEXT)")
        begin, cpu = time.perf_counter(), time.process_time()
        for row in rows:
            connection.execute("INSERT INTO calls VALUES (?, ?)", row)
            connection.commit()
        return time.perf_counter() - begin, time.process_time() - cpu


def reading(count: int, folder: Path) -> tuple[float, float]:
    from llmbench import Ledger

    ours(count, folder)
    with Ledger(folder / "ours.db") as ledger:
        begin, cpu = time.perf_counter(), time.process_time()
        assert len(ledger.answers([f"{number:064x}" for number in range(count)])) == count
        return time.perf_counter() - begin, time.process_time() - cpu


def main() -> None:
    job, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    wall, cpu = {"ours": ours, "bare": bare, "reading": reading}[job](count, folder)
    size = sum(path.stat().st_size for path in folder.glob("*.db*"))
    print(
        json.dumps(
            {
                "CPU ms a record": cpu / count * 1e3,
                "records a second": count / wall,
                "bytes a record": size / count,
            }
        )
    )


if __name__ == "__main__":
    main()
