from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from llmbench.ledger import Ledger
from tests.routing.unruly_server import UNRULY, UnrulyServer

CALLS = 2500 if os.environ.get("LLMBENCH_LONG") else 150
PROCESSES = 4

SCRIPT = """
import asyncio, sys
from llmbench.errors import ProviderError
from llmbench.ledger import Ledger
from llmbench.providers.custom import CustomProvider
from llmbench.routing import ModelRouter
from llmbench.routing.health import CooldownPolicy

path, url, name, calls = sys.argv[1:]
routes = {"rules": [{"name": "all", "prefer": ["one/m"]}]}

async def main():
    prices = {"m": {"input": 1.0, "output": 4.0, "as_of": "2026-11-01"}}
    one = CustomProvider({"base_url": url, "prices": prices, "model": "m"})
    items = iter(range(int(calls)))
    with Ledger(path) as ledger:
        cooldown = CooldownPolicy(first_s=0.1, longest_s=0.4)
        async with ModelRouter({"one": one}, routes=routes, ledger=ledger, cooldown=cooldown) as router:
            print("ready", flush=True)
            sys.stdin.readline()

            async def work():
                for item in items:
                    try:
                        found = await router.route([{"role": "user", "content": f"item {name}-{item}"}])
                    except ProviderError as error:
                        print("failed", len(error.attempts), flush=True)
                    else:
                        print(found.call_id, len(found.attempts), flush=True)

            await asyncio.gather(*(work() for _ in range(16)))

asyncio.run(main())
"""


class Writer:
    """A process that routes calls, and the lines it has printed."""

    def __init__(self, ledger: Path, url: str, name: str, told: queue.SimpleQueue[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(ledger), url, name, str(CALLS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[tuple[str, int]] = []
        self.said = ""
        self._name = name
        self._told = told
        self._reading = threading.Thread(target=self._read)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()
        self._reading.start()

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # what was cut by the kill was not told
                call_id, attempts = line.split()
                self.lines.append((call_id, int(attempts)))
                self._told.put(self._name)
        self._told.put(f"{self._name} ended")

    def finish(self) -> str:
        """Wait for its end; what it said on stderr."""
        self._reading.join(120)
        assert self.process.stderr is not None
        if not self.process.stderr.closed:
            self.said = self.process.stderr.read()
        self.process.wait(10)
        for pipe in (self.process.stderr, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return self.said


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_process_killed_among_four_takes_no_returned_answer_with_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with UnrulyServer(UNRULY) as server:
        writers = [Writer(path, server.url, f"p{number}", told) for number in range(PROCESSES)]
        try:
            for writer in writers:
                writer.begin()
            of_victim = 0
            while of_victim < CALLS // 3:
                name = told.get(timeout=60)
                assert name != "p0 ended", writers[0].finish()
                of_victim += name == "p0"
            writers[0].process.send_signal(signal.SIGKILL)
            said = [writer.finish() for writer in writers]
        finally:
            for writer in writers:
                writer.process.kill()
                writer.finish()
    assert [writer.process.returncode for writer in writers] == [-signal.SIGKILL, 0, 0, 0], said
    assert len(writers[0].lines) < CALLS
    assert {len(writer.lines) for writer in writers[1:]} == {CALLS}

    with Ledger(path) as ledger:
        assert ledger.verify().sound
        rows = list(ledger.calls())
        spent = ledger.spend()
    attempts = Counter(row.call_id for row in rows)
    answers = Counter(row.call_id for row in rows if row.status == "ok")
    assert len({(row.call_id, row.attempt) for row in rows}) == len(rows)
    told_of = [line for writer in writers for line in writer.lines if line[0] != "failed"]
    assert len(set(told_of)) == len(told_of)
    for call_id, times in told_of:
        assert attempts[call_id] == times, call_id
        assert answers[call_id] == 1
    # Up to 16 attempts of the one that was killed were answered, and not yet kept.
    assert 0 <= server.received - len(rows) <= 16
    assert 0 <= server.answered.total() - answers.total() <= 16
    assert spent.usd is not None
    assert spent.usd <= server.usd * (1 + 1e-9)
