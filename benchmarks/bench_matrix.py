"""4,000 cells through the matrix, beside bare loops and the evaluation tools, on one local server.

Run as `python benchmarks/bench_matrix.py [PART ...] [--peers N]`; parts are speed (50 ms, 64 connections),
wide (500 ms, 256 connections), kill (`kill -9` at half, then the same again), faults (10% 429, 5% 500,
1% cut connections) and report (1,000,000 results through the report; only when named). Peers are
installed into .bench at first use and run in N rounds, default 2; 0 leaves them out.

Every run is a process of its own, start-up included in its wall and CPU time. Rounds are
interleaved, and a ratio is the median of those to the bare loop of the same round, because a machine
that others use is never the same for two minutes: trust CPU first, ratios next, seconds last.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matrix_peers
import matrix_report

ROUNDS = 5
ITEMS, CELLS = 2000, 4000
PARTS = ("speed", "wide", "kill", "faults")
OURS = ("ours", "ours-openai")
BARE = ("aiohttp", "openai", "openai-aiohttp")
BASE = {"ours": "aiohttp", "ours-openai": "openai"}
"""The loop that one would have written oneself."""
SAID = {
    "ours": "ours, own endpoint",
    "ours-openai": "ours, OpenAIProvider",
    "aiohttp": "bare loop, aiohttp",
    "openai": "bare loop, AsyncOpenAI",
    "openai-aiohttp": "bare loop, AsyncOpenAI on aiohttp",
    "lm-eval": "lm-eval 0.4.13",
    "promptfoo": "promptfoo 0.121.20",
    "inspect": "Inspect 0.3.285",
}
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
        self._process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, env=matrix_peers.environment({})
        )
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
def folder_with_items() -> Iterator[Path]:
    """Half of the items expect what the server answers, so that a score of 0.5 shows that it was graded."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        with (Path(name) / "items.jsonl").open("w") as out:
            for number in range(ITEMS):
                prompt = f"Item {number}: {'word ' * 50}Which item is this?"
                expected = f"This is item {number}." if number % 2 == 0 else "Another."
                print(json.dumps({"id": str(number), "prompt": prompt, "expected": expected}), file=out)
        yield Path(name)


def start(argv: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    with (folder / "errors.txt").open("a") as errors:
        return subprocess.Popen(
            argv, cwd=folder, env=matrix_peers.environment(environment), stdout=subprocess.PIPE,
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


def whole(tool: str, server: Server, connections: int, delay_ms: float, *, faults: bool = False) -> Run:
    """One run from nothing to the end."""
    with folder_with_items() as folder:
        server.reset(delay_ms, faults=faults)
        command = matrix_peers.command(tool, server.url, folder, connections)
        return run(command.argv, folder, command.environment, server)


def speed(server: Server, tools: Sequence[str], peers: int, connections: int, delay_ms: float) -> None:
    seen: dict[str, list[Run]] = {tool: [] for tool in tools}
    for number in range(ROUNDS):
        for tool in tools:
            if tool in SAID and (tool in (*OURS, *BARE) or number < peers):
                seen[tool].append(whole(tool, server, connections, delay_ms))
    ideal = CELLS * delay_ms / 1000 / connections
    print(f"\n{CELLS:,} cells, {delay_ms:g} ms, {connections} connections; ideal {ideal:.1f} s\n")
    print(
        "| tool | n | wall s | x ideal | CPU s | MB | run alone s | cells/s of it | CPU / bare "
        "| wall / bare | peak in flight | not answered | billed twice |"
    )
    print("|---" * 13 + "|")
    for tool, runs in seen.items():
        if not runs:
            continue
        base = seen.get(BASE.get(tool, "aiohttp"), [])
        alone = [each.told.get("seconds", each.wall) for each in runs]
        bare = [each.told.get("seconds", each.wall) for each in base]
        print(
            f"| {SAID[tool]} | {len(runs)} | {spread([each.wall for each in runs])} "
            f"| {median(each.wall for each in runs) / ideal:.2f} | {spread([each.cpu for each in runs])} "
            f"| {max(each.rss_mb for each in runs):.0f} | {spread(alone)} | {CELLS / median(alone):.0f} "
            f"| {ratio([each.cpu for each in runs], [each.cpu for each in base])} | {ratio(alone, bare)} "
            f"| {max(each.counts['peak'] for each in runs)} "
            f"| {max(CELLS - each.counts['cells'] for each in runs)} "
            f"| {max(each.counts['twice'] for each in runs)} |",
            flush=True,
        )


def kill(server: Server, tools: Sequence[str]) -> None:
    print("\nkill -9 at half of the cells (50 ms, 64 connections), then the same again\n")
    print(
        "| tool | billed at the kill | at the server then | in the ledger then | asked again of these "
        "| billed twice | never billed | exit code | resumed in s |"
    )
    print("|---" * 9 + "|")
    # promptfoo's exit code 100 says that answers were graded as wrong, which half of them are.
    for tool in tools:
        with folder_with_items() as folder:
            server.reset(50)
            command = matrix_peers.command(tool, server.url, folder, 64)
            in_flight = _run_and_kill(server, command.argv, folder, command.environment)
            before, kept = server.settle(), _kept(folder)
            after = run(command.resume, folder, command.environment, server)
            total = after.counts
            # What the ledger has is not asked again: then the second run bills exactly the rest.
            again = None if kept is None else total["billed"] - before["billed"] - (CELLS - kept)
            print(
                f"| {SAID[tool]} | {before['billed']} | {in_flight} | {'' if kept is None else kept} "
                f"| {'' if again is None else again} | {total['twice']} | {CELLS - total['cells']} "
                f"| {after.code} | {after.wall:.1f} |",
                flush=True,
            )


def _run_and_kill(
    server: Server, commands: Sequence[Sequence[str]], folder: Path, environment: dict[str, str]
) -> int:
    """How many calls the server was answering at the kill."""
    for argv in commands:
        process = start(argv, folder, environment)
        begin = time.monotonic()
        while process.poll() is None:
            counts = server.counts()
            if counts["billed"] >= CELLS // 2 or time.monotonic() - begin > _PATIENCE_S:
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


def faults(server: Server, tools: Sequence[str]) -> None:
    print("\n10% 429 with Retry-After 1, 5% 500, 1% cut connections (50 ms, 64 connections)\n")
    print("| tool | exit code | wall s | CPU s | requests | most tries | billed twice | not answered |")
    print("|---" * 8 + "|")
    for tool in tools:
        each = whole(tool, server, 64, 50, faults=True)
        counts = each.counts
        print(
            f"| {SAID[tool]} | {each.code} | {each.wall:.1f} | {each.cpu:.1f} | {counts['requests']} "
            f"| {counts['attempts']} | {counts['twice']} "
            f"| {max(CELLS - counts['cells'], each.told.get('failed', 0))} |",
            flush=True,
        )


def median(values: Iterator[float] | Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Round by round; a peer may have run in fewer rounds."""
    pairs = list(zip(ours, theirs, strict=False))
    return f"{median([one / other for one, other in pairs]):.2f}" if pairs else ""


def main() -> None:
    given = sys.argv[1:]
    peers = int(given[given.index("--peers") + 1]) if "--peers" in given else 2
    parts = [part for part in (*PARTS, "report") if part in given] or list(PARTS)
    installed = []
    for peer in matrix_peers.PACKAGES if peers else ():
        problem = matrix_peers.install(peer)
        if problem is None:
            installed.append(peer)
        else:
            print(f"{SAID[peer]} could not be installed here, so it is not in the tables: {problem}")
    if "report" in parts:
        matrix_report.main()
    server = Server()
    try:
        if "speed" in parts:
            speed(server, [*BARE, *OURS, *installed], peers, 64, 50)
        if "wide" in parts:
            speed(server, [*BARE, *OURS], 0, 256, 500)
        if "kill" in parts:
            kill(server, [*OURS, *installed])
        if "faults" in parts:
            faults(server, [*OURS, *installed])
    finally:
        server.stop()


if __name__ == "__main__":
    main()
