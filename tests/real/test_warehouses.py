"""The simulated outcomes in PostgreSQL and in Spark: the same counts as DuckDB's over the files."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import OutcomeSource
from llmbench.reporting.envelope import to_json
from tests.postgres_server import PostgresServer, binaries
from tests.real.install import ROOT, SPARK_PYTHON

OUTCOMES = ROOT / "data" / "outcomes"
TABLES = ("sends", "replies", "assignments", "unsubscribes", "complaints")
FILES = {name: str(OUTCOMES / f"simulated_{name}.parquet") for name in TABLES}


def parameters(where: dict[str, str]) -> dict[str, Any]:
    return {
        "experiment_id": "mixtral-or-gpt-4o",
        "sends": {
            "table": where["sends"], "unit": "lead_id", "message": "message_id", "delivered": "delivered",
            "cost": "cost_usd", "served_model": "served_model",
        },
        "replies": {"table": where["replies"], "unit": "lead_id", "kind": "kind"},
        "assignments": {
            "table": where["assignments"], "unit": "lead_id", "epoch": "epoch", "probability": "probability",
            "assigned_at": "assigned_at",
        },
        "guardrails": [
            {"name": name, "table": where[name], "unit": "lead_id"} for name in ("unsubscribes", "complaints")
        ],
        "not_human": ["auto-reply"], "control": "gpt-4o", "as_of": "2025-03-24", "cluster": "mailbox",
        "segments": ["company_size", "industry"], "contexts": ["company_size"],
    }  # fmt: skip


def plain(counts: Counts | dict[str, Any]) -> dict[str, Any]:
    """As JSON has it, with sums rounded: their last digits depend on the order of adding."""

    def rounded(value: Any) -> Any:
        if isinstance(value, float):
            return float(f"{value:.10g}")
        if isinstance(value, list):
            return [rounded(each) for each in value]
        return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value

    found: dict[str, Any] = rounded(json.loads(json.dumps(to_json(counts))))
    found.pop("inputs")  # tables are no files
    return found


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return plain(read_counts(OutcomeSource.from_parameters(parameters(FILES))))


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    import psycopg

    found = binaries()
    if found is None:
        pytest.fail("PostgreSQL is not installed; run: make test-real", pytrace=False)
    with PostgresServer(found) as server, psycopg.connect(server.url(), autocommit=True) as connection:
        for name, path in FILES.items():
            load(connection, name, path)
        yield server.url()


def load(connection: Any, name: str, path: str) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    kinds = {"string": "text", "int64": "bigint", "int8": "smallint", "double": "float8", "bool": "boolean"}
    columns = ", ".join(f'"{f.name}" {kinds.get(str(f.type), "timestamptz")}' for f in table.schema)
    connection.execute(f'CREATE TABLE "{name}" ({columns})')
    with connection.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            copy.write_row(row)


def test_postgres(database: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTCOMES_URL", database)
    where = {name: name for name in TABLES}
    source = OutcomeSource.from_parameters({**parameters(where), "connection": "OUTCOMES_URL"})
    assert plain(read_counts(source)) == expected


def test_spark(expected: dict[str, Any], tmp_path: Path) -> None:
    if not SPARK_PYTHON.exists():
        pytest.fail("Spark is not installed; run: make test-real", pytrace=False)
    given = {**parameters({name: name for name in TABLES}), "views": FILES}
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    done = subprocess.run(
        [str(SPARK_PYTHON), str(Path(__file__).with_name("spark_worker.py")), str(path)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SPARK_LOCAL_DIRS": str(tmp_path),
            "TZ": "America/New_York",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert plain(json.loads(done.stdout.splitlines()[-1])) == expected
