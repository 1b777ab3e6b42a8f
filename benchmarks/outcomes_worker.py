"""One job of bench_outcomes.py in a process of its own; prints seconds and memory as JSON.

python outcomes_worker.py JOB FILE
"""

from __future__ import annotations

import json
import resource
import sys
import time
import tracemalloc
from typing import Any


def ours_totals(path: str) -> Any:
    from llmbench.abtest.source import OutcomeSource, Sends
    from llmbench.abtest.totals import read_totals

    sends = Sends(path, unit="lead_id", arm="arm", replied="replied_at", cost="cost_usd")
    source = OutcomeSource(experiment_id="e", sends=sends)
    return lambda: [(row.rows, row.replies) for row in read_totals(source)]


def ours_units(path: str, *, full: bool = False) -> Any:
    from llmbench.abtest.reading import read_counts
    from llmbench.abtest.source import OutcomeSource, Sends

    served = "served_model" if full else None
    sends = Sends(path, unit="lead_id", arm="arm", replied="replied_at", cost="cost_usd", served_model=served)
    extra: dict[str, Any] = (
        {"segments": ("segment",), "contexts": ("segment",), "cluster": "mailbox"} if full else {}
    )
    source = OutcomeSource(
        experiment_id="e", sends=sends, as_of="2025-05-01", weights={"gpt-4o": 1, "mixtral": 9}, **extra
    )
    return lambda: [(row.units, row.replied) for row in read_counts(source).arms]


def ours_result(path: str) -> Any:
    from llmbench.abtest import OutcomeSource, Plan, Sends, analyse, read_counts

    sends = Sends(path, unit="lead_id", arm="arm", replied="replied_at", cost="cost_usd")
    weights = {"gpt-4o": 1, "mixtral": 9}
    source = OutcomeSource(experiment_id="e", sends=sends, as_of="2025-05-01", weights=weights)
    plan = Plan("e", control="gpt-4o", margin=0.9, margin_reason="a tenth fewer replies is what we can bear")

    def run() -> Any:
        result = analyse(read_counts(source), plan)
        return result.occasion.kind

    return run


_DUCK = (
    "SELECT arm, count(*) AS n, count(replied_at) AS x, sum(cost_usd) AS c, sum(cost_usd * cost_usd) AS cc, "
    "sum(CASE WHEN replied_at IS NOT NULL THEN cost_usd END) AS cx FROM read_parquet('{}') GROUP BY "
    "arm ORDER BY arm"
)


def gbstats_duckdb(path: str) -> Any:
    import duckdb
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import ProportionStatistic

    def run() -> Any:
        rows = duckdb.sql(_DUCK.format(path)).fetchall()
        TwoSidedTTest(
            *(ProportionStatistic(n=row[1], sum=row[2]) for row in rows), FrequentistConfig()
        ).compute_result()
        return [(row[1], row[2]) for row in rows]

    return run


def tea(path: str, read: Any) -> Any:
    import tea_tasting as tt

    experiment = tt.Experiment(
        {"reply": tt.Mean("replied"), "cost_per_reply": tt.RatioOfMeans("cost_usd", "replied")}
    )

    def run() -> Any:
        experiment.analyze(read(path), control="gpt-4o")
        return None

    # tea-tasting wants the arm in a column named variant.
    return run


def tea_polars(path: str) -> Any:
    import polars as pl

    def read(name: str) -> Any:
        return pl.scan_parquet(name).select(
            pl.col("arm").alias("variant"),
            pl.col("replied_at").is_not_null().cast(pl.Int8).alias("replied"),
            "cost_usd",
        )

    return tea(path, read)


def tea_ibis(path: str) -> Any:
    import ibis

    def read(name: str) -> Any:
        table = ibis.duckdb.connect().read_parquet(name)
        return table.select(
            variant=table.arm, replied=table.replied_at.notnull().cast("int8"), cost_usd=table.cost_usd
        )

    return tea(path, read)


def tea_pandas(path: str) -> Any:
    import pandas as pd

    def read(name: str) -> Any:
        table = pd.read_parquet(name, columns=["arm", "replied_at", "cost_usd"])
        return pd.DataFrame(
            {
                "variant": table["arm"],
                "replied": table["replied_at"].notna().astype("int8"),
                "cost_usd": table["cost_usd"],
            }
        )

    return tea(path, read)


JOBS = {
    "llmbench, arms": ours_totals,
    "llmbench, units": ours_units,
    "llmbench, A/B result": ours_result,
    "llmbench, units and all views": lambda path: ours_units(path, full=True),
    "gbstats on DuckDB totals": gbstats_duckdb,
    "tea-tasting on polars": tea_polars,
    "tea-tasting on Ibis": tea_ibis,
    "tea-tasting on pandas": tea_pandas,
}


def main() -> None:
    job, path = sys.argv[1:3]
    # Loading the libraries is not the job: run once on the first rows' schema by importing everything.
    run = JOBS[job](path)
    if job.startswith("llmbench"):
        import duckdb  # noqa: F401
    tracing = len(sys.argv) > 3
    if tracing:
        tracemalloc.start()
    start, cpu = time.perf_counter(), time.process_time()
    found = run()
    seconds, spent = time.perf_counter() - start, time.process_time() - cpu
    peak = tracemalloc.get_traced_memory()[1] / 1e6 if tracing else None
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": spent, "rss_mb": rss, "python_mb": peak, "found": found}))


main()
