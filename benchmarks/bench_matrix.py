"""4,000 cells through the matrix, beside bare loops and the evaluation tools, on one local server.

Every run is a process of its own, start-up included in its wall and CPU time; "s of the calls" is without it.
The tools get 1,000 cells, because they take minutes for 4,000; ours and the bare loops are there beside them.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import findings
import matrix_peers
import peers
import processes

MODELS = 2
ITEMS, FEW = 2000, 500
OURS = ("ours", "ours-openai")
BARE = ("aiohttp", "openai", "openai-aiohttp")
TOOLS = ("inspect", "lm-eval", "promptfoo")
SAID = {
    "ours": "llmbench, own endpoint",
    "ours-openai": "llmbench, OpenAIProvider",
    "aiohttp": "bare loop, aiohttp",
    "openai": "bare loop, AsyncOpenAI",
    "openai-aiohttp": "bare loop, AsyncOpenAI on aiohttp",
    "lm-eval": "lm-eval",
    "promptfoo": "promptfoo",
    "inspect": "Inspect AI",
}
AGAINST = {
    SAID[name]: SAID["openai" if "openai" in name else "aiohttp"]
    for name in SAID
    if name not in {"openai", "aiohttp"}
}
"""The loop that one would have written oneself."""
_PATIENCE_S = 900.0


class Run(NamedTuple):
    """What one run of a tool took; `told` is what it printed, `counts` what the server saw."""

    wall: float
    cpu: float
    rss_mb: float
    code: int
    told: dict[str, Any]
    counts: dict[str, Any]


class Server:
    """The stub in a process of its own."""

    def __init__(self) -> None:
        argv = [sys.executable, str(matrix_peers.HERE / "matrix_stub.py")]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=processes.environment())
        assert self._process.stdout is not None
        self._address = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        self.url = f"{self._address}/v1"

    def reset(self, delay_ms: float, *, faults: bool = False) -> None:
        body = json.dumps({"delay_ms": delay_ms, "faults": faults}).encode()
        urllib.request.urlopen(f"{self._address}/reset", body).close()

    def counts(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._address}/counts") as reply:
            found: dict[str, Any] = json.load(reply)
            return found

    def settle(self) -> dict[str, Any]:
        """The counts once nothing is under way."""
        while self.counts()["in_flight"]:
            time.sleep(0.05)
        return self.counts()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def folder_with_items(items: int) -> Iterator[Path]:
    """Half of the items expect what the server answers, so that a score of 0.5 shows that it was graded."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        with (Path(name) / "items.jsonl").open("w") as out:
            for number in range(items):
                prompt = f"Item {number}: {'word ' * 50}Which item is this?"
                expected = f"This is item {number}." if number % 2 == 0 else "Another."
                print(json.dumps({"id": str(number), "prompt": prompt, "expected": expected}), file=out)
        yield Path(name)


def start(argv: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    with (folder / "errors.txt").open("a") as errors:
        return subprocess.Popen(
            argv, cwd=folder, env=processes.environment(environment), stdout=subprocess.PIPE,
            stderr=errors, text=True, start_new_session=True,
        )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[float, float, int, dict[str, Any]]:
    """CPU seconds and MB of the process and its children, its exit code, and what it told last."""
    assert process.stdout is not None
    said = process.stdout.read().strip().rpartition("\n")[2]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    told = json.loads(said) if said.startswith("{") else {}
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, told


def run(commands: Sequence[Sequence[str]], folder: Path, environment: dict[str, str], server: Server) -> Run:
    begin, cpu, rss, worst, told = time.perf_counter(), 0.0, 0.0, 0, {}
    for argv in commands:
        used, most, code, told = finish(start(argv, folder, environment))
        cpu, rss, worst = cpu + used, max(rss, most), worst or code
    return Run(time.perf_counter() - begin, cpu, rss, worst, told, server.settle())


def whole(
    tool: str, server: Server, connections: int, delay_ms: float, items: int, *, faults: bool = False
) -> Run:
    """One run from nothing to the end."""
    with folder_with_items(items) as folder:
        server.reset(delay_ms, faults=faults)
        command = matrix_peers.command(tool, server.url, folder, connections)
        return run(command.argv, folder, command.environment, server)


def speed(
    server: Server, tools: Sequence[str], rounds: int, connections: int, delay_ms: float, items: int
) -> list[findings.Series]:
    cells = items * MODELS
    ideal = cells * delay_ms / 1000 / connections
    seen: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for tool in tools:
            each = whole(tool, server, connections, delay_ms, items)
            calls = each.told.get("seconds")
            values = {
                "wall s": each.wall,
                "CPU s": each.cpu,
                "s of the calls": calls,
                "cells a second": calls and cells / calls,
                "times the ideal": calls and calls / ideal,
                "MB RSS": each.rss_mb,
                "not answered": cells - each.counts["cells"],
            }
            for unit, value in values.items():
                if value is not None:
                    seen.setdefault(unit, {}).setdefault(SAID[tool], []).append(value)
    case = f"{cells:,} cells, {delay_ms:g} ms, {connections} connections"
    if not any(value for values in seen["not answered"].values() for value in values):
        del seen["not answered"]  # else it is worth a row
    ratio = {"wall s", "CPU s", "s of the calls", "MB RSS"}
    return [
        each
        for unit, by_tool in seen.items()
        for each in findings.series(case, unit, by_tool, AGAINST if unit in ratio else None)
    ]


def _turns(tools: Sequence[str], rounds: int) -> Iterator[tuple[str, int]]:
    """Who runs next, and on how many items: other tools once, and on fewer, because they take minutes."""
    for number in range(rounds):
        for tool in tools:
            if tool not in TOOLS:
                yield tool, ITEMS
            elif not number:
                yield tool, FEW


def kill(server: Server, tools: Sequence[str], rounds: int) -> list[findings.Series]:
    """`kill -9` when the server has billed half, then the same again. The tools once, at 1,000 cells."""
    seen: dict[tuple[str, str], dict[str, list[float]]] = {}
    for tool, items in _turns(tools, rounds):
        found = _kill_once(server, tool, items)
        case = "kill -9 at half" if items == ITEMS else f"kill -9 at half of {FEW * MODELS:,} cells"
        for unit, value in found.items():
            seen.setdefault((case, unit), {}).setdefault(SAID[tool], []).append(value)
    return [each for (case, unit), by_tool in seen.items() for each in findings.series(case, unit, by_tool)]


def _kill_once(server: Server, tool: str, items: int) -> dict[str, float]:
    with folder_with_items(items) as folder:
        server.reset(50)
        command = matrix_peers.command(tool, server.url, folder, 64)
        half = items * MODELS // 2
        in_flight = _run_and_kill(server, command.argv, folder, command.environment, half)
        server.settle()
        kept = _kept(folder)
        again = run(command.resume, folder, command.environment, server)
        twice = float(again.counts["twice"])
        found = {"in flight at the kill": float(in_flight), "billed twice": twice}
        found["not answered"] = float(items * MODELS - again.counts["cells"])
        if kept is not None:
            # The second run replays what was kept; what is asked again beyond the rest was recorded.
            made = float(again.told["made"])
            found["recorded and asked again"] = max(0.0, made - (items * MODELS - kept))
        return found


def _run_and_kill(
    server: Server, commands: Sequence[Sequence[str]], folder: Path, environment: dict[str, str], half: int
) -> int:
    """How many calls the server was answering at the kill."""
    for argv in commands:
        process = start(argv, folder, environment)
        begin = time.monotonic()
        while process.poll() is None:
            counts = server.counts()
            if counts["billed"] >= half or time.monotonic() - begin > _PATIENCE_S:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return int(counts["in_flight"])
            time.sleep(0.005)
    return 0


def _kept(folder: Path) -> int | None:
    """Cells with an answer in our ledger."""
    path = folder / "ledger.db"
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as ledger:
        found = ledger.execute("SELECT count(DISTINCT request_id) FROM calls WHERE status = 'ok'")
        return int(found.fetchone()[0])


def faults(server: Server, tools: Sequence[str], rounds: int) -> list[findings.Series]:
    """The tools once, at 1,000 cells."""
    seen: dict[tuple[str, str], dict[str, list[float]]] = {}
    for tool, items in _turns(tools, rounds):
        cells = items * MODELS
        each = whole(tool, server, 64, 50, items, faults=True)
        case = "10% 429, 5% 500, 1% cut" + (f", {cells:,} cells" if items != ITEMS else "")
        values = {
            "wall s": each.wall,
            "CPU s": each.cpu,
            "requests a cell": each.counts["requests"] / cells,
            "billed twice": float(each.counts["twice"]),
            "not answered": float(max(cells - each.counts["cells"], each.told.get("failed", 0))),
        }
        for unit, value in values.items():
            seen.setdefault((case, unit), {}).setdefault(SAID[tool], []).append(value)
    return [each for (case, unit), by_tool in seen.items() for each in findings.series(case, unit, by_tool)]


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    there, skipped = peers.ready(*TOOLS)
    tools = [tool for tool in TOOLS if tool in there]
    server = Server()
    try:
        series = speed(server, [*BARE, *OURS], rounds, 64, 50, ITEMS)
        series += speed(server, ["aiohttp", "openai", *OURS, *tools], rounds, 64, 50, FEW)
        series += speed(server, ["aiohttp", "ours"], rounds, 256, 500, ITEMS)
        series += kill(server, [*OURS, *tools], rounds)
        series += faults(server, [*OURS, *tools], rounds)
    finally:
        server.stop()
    versions = {name: importlib.metadata.version(name) for name in ("aiohttp", "openai")}
    return findings.Part(
        "The matrix",
        "Two models, 50 words in, graded by `exact`, ledger on. A server of its own process answers after "
        "a fixed time and counts. lm-eval has ten tries, since with its three a fault ends the run with "
        "nothing saved; Inspect has half of the connections for each of the two models. `recorded and "
        "asked again` is what the second run asked beyond the cells that had no recorded answer. `billed "
        "twice` after a kill holds the calls under way, which no client can know of: up to one a connection, "
        "64, and fewer for a client that keeps fewer busy; beyond that, answers that were there were bought "
        "again. The tools run 1,000 cells and once, ours 4,000.",
        tuple(series), {**versions, **there}, skipped, machine,
    )  # fmt: skip
