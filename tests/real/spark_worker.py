"""Reads a source of parquet files with Spark, in Spark's own environment; prints its counts as JSON.

    python spark_worker.py PARAMETERS.json

Its tables are parquet files; `llmbench` and `tests` are on PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import OutcomeSource
from llmbench.reporting.envelope import to_json


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
        .config("spark.ui.showConsoleProgress", "false")
        # Small data, many short steps: compiling them would take longer than running them.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")
        .getOrCreate()
    )
    for name, path in parameters.pop("views").items():
        session.read.parquet(path).createOrReplaceTempView(name)
    source = OutcomeSource.from_parameters({**parameters, "connection": session})
    print(json.dumps(to_json(read_counts(source))))
    session.stop()


main()
