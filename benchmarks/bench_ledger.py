"""Writes of the ledger beside bare SQLite that commits each row, and reading the answers back."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import findings
import processes

COUNT = 10_000
WORKER = str(Path(__file__).parent / "ledger_worker.py")
JOBS = {
    "ours": (f"{COUNT:,} records", "llmbench, 64 waiters"),
    "bare": (f"{COUNT:,} records", "bare sqlite3, one commit each"),
    "reading": (f"{COUNT:,} answers read back", "llmbench"),
}


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    seen: dict[tuple[str, str], dict[str, list[float]]] = {}
    for _ in range(rounds):
        for job, (case, subject) in JOBS.items():
            with tempfile.TemporaryDirectory() as folder:
                ran = processes.run([sys.executable, WORKER, job, str(COUNT), folder])
            if ran.code:
                raise SystemExit(f"{job} failed: {ran.errors.strip().splitlines()[-1]}")
            for unit, value in ran.told.items():
                seen.setdefault((case, unit), {}).setdefault(subject, []).append(value)
    series = [
        each
        for (case, unit), by_subject in seen.items()
        for each in findings.series(case, unit, by_subject, "bare sqlite3, one commit each")
    ]
    return findings.Part(
        "The ledger",
        "Texts of 60 words in and 20 out. Ours encodes, hashes the request, indexes, refuses what is "
        "there with other values and returns when the row is durable; the bare loop appends a line of "
        "JSON to a table and is single-threaded.",
        tuple(series), {}, {}, machine,
    )  # fmt: skip
