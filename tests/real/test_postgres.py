"""A ledger in PostgreSQL that several processes write while one is killed, or the server restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from llmbench.ledger import Ledger
from tests.postgres_server import PostgresServer, binaries
from tests.real.install import ROOT
from tests.real.parts import wait_until

WRITERS = 4
RECORDS = 500
SCRIPT = """
import asyncio, os, sys
from llmbench.ledger import Ledger
from tests.ledger.conftest import make_call_of

name = sys.argv[1]

async def main():
    numbers = iter(range(int(sys.argv[2])))
    with Ledger(os.environ["LLMBENCH_LEDGER"]) as ledger:
        async def work():
            for i in numbers:
                # Every process asks the same questions.
                await ledger.record(make_call_of(f"{name}-{i}", request_hash=f"h{i}", content="x" * i))
                os.write(1, f"{name}-{i}\\n".encode())
        await asyncio.gather(*(work() for _ in range(8)))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    found = binaries()
    if found is None:
        pytest.fail("PostgreSQL is not installed; run: make test-real", pytrace=False)
    with PostgresServer(found) as started:
        yield started


def start(url: str) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT, f"w{number}", str(RECORDS)],
            cwd=ROOT,
            env={**os.environ, "LLMBENCH_LEDGER": url},  # a password on a command line is seen by all
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]


def acknowledged(process: subprocess.Popen[str], already: list[str] | None = None) -> list[str]:
    """What the process was told is durable, up to its end."""
    assert process.stdout is not None
    with process.stdout:
        told = [*(already or []), *process.stdout.read().splitlines()]
    process.wait(60)
    return told


def first_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def rows(url: str) -> list[str]:
    with Ledger(url) as ledger:
        found = ledger.verify()
        assert found.sound, found.problems
        return [call.call_id for call in ledger.calls()]


def everything(*writers: int) -> set[str]:
    return {f"w{writer}-{i}" for writer in writers for i in range(RECORDS)}


def test_one_of_four_writers_is_killed(server: PostgresServer) -> None:
    with server.schema() as url:
        processes = start(url)
        told = first_lines(processes[0], 50)
        processes[0].kill()
        told = acknowledged(processes[0], told)
        for process in processes[1:]:
            assert len(acknowledged(process)) == RECORDS
        assert [process.returncode for process in processes] == [-signal.SIGKILL, 0, 0, 0]
        kept = rows(url)
        assert len(kept) == len(set(kept))
        assert everything(1, 2, 3) | set(told) <= set(kept)
        # What was in flight, and nothing else, may be there without having been told.
        assert len(set(kept) - everything(1, 2, 3) - set(told)) <= 8
        with Ledger(url) as ledger, ledger._store.reading() as connection:
            assert connection.execute("SELECT count(*) FROM requests").fetchone() == (RECORDS,)


def test_the_server_restarts_in_mid_run(server: PostgresServer) -> None:
    with server.schema() as url, Ledger(url) as watching:
        processes = start(url)
        told = [first_lines(process, 10) for process in processes]
        for target in (200, 800):
            wait_until(lambda target=target: watching.spend().calls > target, "nothing is recorded")
            server.restart()
        for process, already in zip(processes, told, strict=True):
            assert len(acknowledged(process, already)) == RECORDS
        assert [process.returncode for process in processes] == [0] * WRITERS
        kept = rows(url)
        assert len(kept) == len(set(kept))
        assert set(kept) == everything(*range(WRITERS))
