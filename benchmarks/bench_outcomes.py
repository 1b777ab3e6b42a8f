"""From a parquet file of messages to the table of arms, beside the peers.

    python benchmarks/bench_outcomes.py [--rows 10000000] [--keep FOLDER]

The file is made by DuckDB in a temporary folder (10M rows: 130 MB; 100M: 1.3 GB). Every job is a process of
its own in each of the interleaved rounds; peers have environments of their own. "Python" is what Python
itself allocated at its peak (tracemalloc, in a round of its own); RSS has the engine's buffers too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROUNDS = 5
HERE = Path(__file__).parent
PEERS = HERE.parent / ".bench"
OURS = ("llmbench, arms", "llmbench, units", "llmbench, units and all views")
PEER_PACKAGES = {
    "gbstats": ["duckdb==2.0.0", "gbstats==0.8.0", "pandas==1.5.3", "numpy<2"],
    "tea-tasting": [
        "tea-tasting==1.14.0", "duckdb==2.0.0", "ibis-framework[duckdb]==12.0.0", "pandas==3.1.1",
        "polars==2.1.0", "pyarrow",
    ],
}  # fmt: skip
JOBS_OF = {
    "gbstats": ("gbstats on DuckDB totals",),
    "tea-tasting": ("tea-tasting on polars", "tea-tasting on Ibis", "tea-tasting on pandas"),
}
# Three messages a lead within a week, 60 days of leads, 1% replies a message up to ten days later.
MAKE = """
COPY (
  SELECT (i // 3)::BIGINT AS lead_id,
    CASE WHEN hash(i // 3) % 10 = 0 THEN 'gpt-4o' ELSE 'mixtral' END AS arm,
    TIMESTAMPTZ '2025-01-06 08:00:00+00' + to_microseconds(us) AS sent_at,
    CASE WHEN hash(i * 7) % 100 = 0 THEN TIMESTAMPTZ '2025-01-06 08:00:00+00'
      + to_microseconds(us + (hash(i * 3) % 864000)::BIGINT * 1000000) END AS replied_at,
    0.0001 * (1 + (hash(i * 5) % 1000) / 1000.0)::DOUBLE AS cost_usd,
    CASE WHEN hash(i // 3) % 10 = 0 OR hash(i * 11) % 100 = 0 THEN 'gpt-4o' ELSE 'mixtral' END
      AS served_model,
    'box' || (hash(i // 3) % 200) AS mailbox,
    'segment' || (hash((i // 3) * 13) % 4) AS segment
  FROM (
    SELECT i, (hash(i // 3) % 5184000)::BIGINT * 1000000 + (i % 3) * 259200000000
      + (hash(i) % 3600)::BIGINT * 1000000 AS us FROM range({rows}) AS t(i)
  )
) TO '{path}' (FORMAT parquet)
"""


def make(rows: int, folder: Path) -> Path:
    import duckdb

    path = folder / f"messages_{rows}.parquet"
    need = rows * 20
    if shutil.disk_usage(folder).free < need:
        raise SystemExit(
            f"{rows:,} rows need {need / 1e9:.0f} GB of free disk; choose fewer, or another --keep."
        )
    if not path.exists():
        duckdb.connect().execute(MAKE.format(rows=rows, path=path))
    return path


def python_of(peer: str) -> str | None:
    folder = PEERS / peer
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "--quiet", *PEER_PACKAGES[peer]], check=False)
        if done.returncode:
            shutil.rmtree(folder)
            print(f"{peer} could not be installed here, and is left out.\n")
            return None
    return str(python)


def run(python: str, job: str, path: Path, *more: str) -> dict[str, float] | None:
    command = [python, str(HERE / "outcomes_worker.py"), job, str(path), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{job} failed: {done.stderr.strip().splitlines()[-1]}")
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="a folder for the file, which is left there")
    given = parser.parse_args() if sys.argv[0].endswith("bench_outcomes.py") else parser.parse_args([])
    with tempfile.TemporaryDirectory() as temporary:
        path = make(given.rows, given.keep or Path(temporary))
        jobs = [(sys.executable, job) for job in OURS]
        for peer, names in JOBS_OF.items():
            if python := python_of(peer):
                jobs += [(python, job) for job in names]
        seen: dict[str, list[dict[str, float]]] = {job: [] for _, job in jobs}
        for _ in range(given.rounds):
            for python, job in jobs:
                if (found := run(python, job, path)) is not None:
                    seen[job].append(found)
        python_mb = {job: run(sys.executable, job, path, "trace") for job in OURS}
        print(f"{given.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB of parquet\n")
        print("| job | rounds | s, median (min to max) | CPU s | RSS MB | Python MB |")
        print("|---|---|---|---|---|---|")
        for job, rounds in seen.items():
            if not rounds:
                continue
            seconds = [each["seconds"] for each in rounds]
            traced = python_mb.get(job)
            shown = "" if traced is None else f"{traced['python_mb']:.1f}"
            print(
                f"| {job} | {len(rounds)} | {statistics.median(seconds):.2f} ({min(seconds):.2f} to "
                f"{max(seconds):.2f}) "
                f"| {statistics.median(each['cpu'] for each in rounds):.2f} "
                f"| {statistics.median(each['rss_mb'] for each in rounds):.0f} "
                f"| {shown} |"
            )


if __name__ == "__main__":
    main()
