"""From a parquet file of messages to the table of arms, and to the whole A/B result, beside the peers.

The file is made by DuckDB in a temporary folder (10M rows: 130 MB). Every job is a process of its own in each
of the rounds; peers have environments of their own. "Python" is what Python itself allocated at its peak
(tracemalloc, in a run of its own); RSS has the engine's buffers too.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from pathlib import Path

import findings
import peers
import processes

ROWS = 10_000_000
HERE = Path(__file__).parent
OURS = ("llmbench, arms", "llmbench, units", "llmbench, units and all views", "llmbench, A/B result")
JOBS_OF = {
    "gbstats": ("gbstats on DuckDB totals",),
    "tea-tasting": ("tea-tasting on polars", "tea-tasting on Ibis", "tea-tasting on pandas"),
}
BASELINE = "tea-tasting on polars"
UNITS = {"seconds": "wall s", "cpu": "CPU s", "process_cpu": "CPU s with start-up", "rss_mb": "MB RSS"}
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
            f"{rows:,} rows need {need / 1e9:.0f} GB of free disk where temporary files are; set TMPDIR."
        )
    if not path.exists():
        duckdb.connect().execute(MAKE.format(rows=rows, path=path))
    return path


def run(python: str, job: str, path: Path, *more: str) -> dict[str, float]:
    ran = processes.run([python, str(HERE / "outcomes_worker.py"), job, str(path), *more])
    if ran.code:
        raise SystemExit(f"{job} failed: {ran.errors.strip().splitlines()[-1]}")
    return {**ran.told, "process_cpu": ran.cpu}


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    there, skipped = peers.ready(*JOBS_OF)
    jobs = [(sys.executable, job) for job in OURS]
    jobs += [(peers.python(peer), job) for peer in there for job in JOBS_OF[peer]]
    with tempfile.TemporaryDirectory() as folder:
        path = make(ROWS, Path(folder))
        seen: dict[str, dict[str, list[float]]] = {unit: {} for unit in UNITS}
        for _ in range(rounds):
            for python, job in jobs:
                found = run(python, job, path)
                for key in UNITS:
                    seen[key].setdefault(job, []).append(found[key])
        memory = {job: [run(sys.executable, job, path, "trace")["python_mb"]] for job in OURS}
        size = path.stat().st_size / 1e6
    case = f"{ROWS:,} messages"
    found_series = [
        each for key, unit in UNITS.items() for each in findings.series(case, unit, seen[key], BASELINE)
    ]
    return findings.Part(
        "Outcomes",
        f"A parquet file of {size:.0f} MB, three messages a lead, two arms. gbstats is given DuckDB's "
        "totals and makes one t test of them; tea-tasting makes a mean and a ratio with their tests. "
        "`arms` counts messages and replies by arm; `units` counts by lead with moments; `A/B result` is "
        "all of `analyse`: units, split check, score intervals, looks, money, Bayes. Only the last and "
        "the peers end in a decision.",
        (*found_series, *findings.series(case, "MB of Python", memory)),
        {"duckdb": importlib.metadata.version("duckdb"), **there}, skipped, machine,
    )  # fmt: skip
