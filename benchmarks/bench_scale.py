"""What a million calls cost and where each step of growth ends, for docs/scale.md.

A local server answers at once, so what is measured is ours alone. Every process has its own CPU time; a
million is reckoned from the calls that were made.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import findings
import processes
from bench_matrix import Server

HERE = Path(__file__).parent
ROOT = HERE.parent
FEW, MANY = 10_000, 50_000
PROCESSES = (1, 2, 4)
CPU, SIZE, RATE, MEMORY = "CPU s a million", "GB a million", "a second", "MB RSS"


class Kept:
    """The rounds so far."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, str], dict[str, list[float]]] = {}

    def add(self, case: str, subject: str, **values: float) -> None:
        units = {"cpu": CPU, "size": SIZE, "rate": RATE, "memory": MEMORY}
        for key, value in values.items():
            self.rounds.setdefault((case, units[key]), {}).setdefault(subject, []).append(value)

    def series(self) -> list[findings.Series]:
        return [
            each
            for (case, unit), by_subject in self.rounds.items()
            for each in findings.series(case, unit, by_subject)
        ]


def _run(job: str, count: int, ledger: str, *more: str) -> processes.Ran:
    ran = processes.run([sys.executable, str(HERE / "scale_worker.py"), job, str(count), ledger, *more])
    if ran.code:
        raise SystemExit(f"{job} failed: {ran.errors}")
    return ran


def _together(job: str, count: int, ledger: str, url: str, how_many: int) -> tuple[float, float]:
    """CPU seconds of all, and records or calls a second from the first start to the last end."""
    worker = [sys.executable, str(HERE / "scale_worker.py"), job, str(count), ledger, url]
    started = [
        subprocess.Popen(
            [*worker, f"p{number}"], env=processes.environment(), stdout=subprocess.PIPE, text=True
        )
        for number in range(how_many)
    ]
    told = [processes.last(process.communicate()[0]) for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{how_many} processes of {job} failed.")
    # Start-up is not their work: the longest of them, from its first record on.
    return sum(each["cpu"] for each in told), how_many * count / max(each["wall"] for each in told)


def _bytes(ledger: Path) -> int:
    return sum(path.stat().st_size for path in ledger.parent.glob(f"{ledger.name}*"))


def _one_process(kept: Kept, server: Server, folder: Path, number: int) -> None:
    for job, said, counts in (
        ("own", "calls, own endpoint", (FEW, MANY)),
        ("openai", "calls, OpenAIProvider", (FEW,)),
        ("matrix", "matrix cells, own endpoint", (FEW, MANY)),
    ):
        for count in counts:
            ledger = folder / f"{job}-{count}-{number}.db"
            server.reset(0)
            ran = _run(job, count, str(ledger), server.url)
            kept.add(
                f"one process, {count:,}", said, cpu=ran.told["cpu"] / count * 1e6,
                rate=count / ran.told["wall"], memory=ran.told["rss_mb"], size=_bytes(ledger) / count / 1e3,
            )  # fmt: skip
            if job == "matrix":
                again = _run(job, count, str(ledger), server.url)
                kept.add(
                    f"one process, {count:,}", "matrix cells, all replayed",
                    cpu=again.told["cpu"] / count * 1e6, rate=count / again.told["wall"],
                    memory=again.told["rss_mb"],
                )  # fmt: skip
            ledger.unlink()


def _processes(kept: Kept, server: Server, folder: Path, number: int) -> None:
    for how_many in PROCESSES:
        case = f"{how_many} processes, one SQLite ledger" if how_many > 1 else "1 process, one SQLite ledger"
        for job, said in (("own", "calls, own endpoint"), ("write", "records alone")):
            server.reset(0)
            ledger = folder / f"{job}{how_many}-{number}.db"
            cpu, rate = _together(job, FEW, str(ledger), server.url, how_many)
            kept.add(case, said, cpu=cpu / FEW / how_many * 1e6, rate=rate)


@contextmanager
def _postgres_server() -> Iterator[Any]:
    """A running server, or None where there is none."""
    sys.path.insert(0, str(ROOT))
    from tests.postgres_server import PostgresServer, binaries

    found = binaries()
    if found is None:
        yield None
        return
    with PostgresServer(found, shared_buffers="256MB") as server:
        yield server


def _postgres(kept: Kept, server: Any) -> None:
    for how_many in PROCESSES:
        with server.schema() as url:
            cpu, rate = _together("write", FEW, url, "", how_many)
            name = url.rpartition("%3D")[2]
            size = server.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n "
                f"ON n.oid = c.relnamespace WHERE n.nspname = '{name}' AND c.relkind = 'r'"
            )[0][0]
            count = FEW * how_many
            case = f"{how_many} processes, PostgreSQL" if how_many > 1 else "1 process, PostgreSQL"
            kept.add(case, "records alone", cpu=cpu / count * 1e6, rate=rate, size=float(size) / count / 1e3)


def _serve_batches(pipe: Connection) -> None:
    sys.path.insert(0, str(ROOT))
    from tests.providers.batch_stubs import VENDORS, Batches, batch_vendor

    with batch_vendor(VENDORS["openai"], Batches()) as vendor:
        pipe.send(f"{vendor.url}/v1")
        pipe.recv()


@contextmanager
def _vendor() -> Iterator[str]:
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve_batches, args=(there,), daemon=True)
    server.start()
    try:
        yield here.recv()
    finally:
        here.send("end")
        server.join(10)


def _batches(kept: Kept, folder: Path, number: int) -> None:
    with _vendor() as url:
        ledger = folder / f"batch{number}.db"
        ran = _run("batch", FEW, str(ledger), url)
        kept.add(
            f"one process, {FEW:,}", "requests by OpenAI's batches", cpu=ran.told["cpu"] / FEW * 1e6,
            memory=ran.told["rss_mb"], size=_bytes(ledger) / FEW / 1e3,
        )  # fmt: skip


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    kept = Kept()
    server = Server()
    try:
        with tempfile.TemporaryDirectory() as name, _postgres_server() as postgres:
            for number in range(rounds):
                _one_process(kept, server, Path(name), number)
                _processes(kept, server, Path(name), number)
                _batches(kept, Path(name), number)
                if postgres is not None:
                    _postgres(kept, postgres)
    finally:
        server.stop()
    skipped = {} if postgres is not None else {"PostgreSQL": "there is no server here"}
    return findings.Part(
        "Scale",
        "A server that answers at once; 50 words in, 6 out; 64 in flight in each process. CPU is that of the "
        "client's process alone, without start-up; a million is reckoned from the calls made. What it means "
        "for growth is in [scale](scale.md).",
        tuple(kept.series()), {}, skipped, machine,
    )  # fmt: skip
