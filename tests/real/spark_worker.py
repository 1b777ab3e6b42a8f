"""Reads a source of parquet files with Spark, in Spark's own environment; prints its counts as JSON.

    python spark_worker.py PARAMETERS.json

Its tables are parquet files; `llmbench` and `tests` are on PYTHONPATH.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import OutcomeSource


def main() -> None:
    parameters = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "America/New_York")  # must not matter
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    for name, path in parameters.pop("views").items():
        session.read.parquet(path).createOrReplaceTempView(name)
    source = OutcomeSource.from_parameters({**parameters, "connection": session})
    print(json.dumps(dataclasses.asdict(read_counts(source)), default=str))
    session.stop()


main()
