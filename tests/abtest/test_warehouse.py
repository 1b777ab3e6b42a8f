"""The same counts from PostgreSQL and an Ibis table, and SQL that the other warehouses can parse."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.dialects import DIALECTS, translate
from llmbench.abtest.engines import DuckEngine, Engine
from llmbench.abtest.reading import read_counts, statement_text
from llmbench.abtest.source import Assignments, Costs, Guardrail, OutcomeSource, Replies, Sends
from llmbench.errors import ConfigError, DatasetError, UsageError
from tests.abtest.reference import Reference
from tests.abtest.test_reading import table_reference, table_source, wide_reference, wide_source
from tests.abtest.worlds import AS_OF, three_tables, wide_world
from tests.postgres_server import PASSWORD, USER

pytest.importorskip("duckdb")
sqlglot = pytest.importorskip("sqlglot")
Same = Callable[[Counts, Reference], None]
_TYPES = {"sent_at": "timestamptz", "replied_at": "timestamptz", "assigned_at": "timestamptz",
          "at": "timestamptz",
          "cost": "numeric(12, 6)", "delivered": "boolean", "replied": "boolean"}  # fmt: skip


def load(url: str, tables: dict[str, pd.DataFrame]) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for name, table in tables.items():
            columns = ", ".join(f'"{column}" {_TYPES.get(column, "text")}' for column in table.columns)
            connection.execute(f'CREATE TABLE "{name}" ({columns})'.encode())
            with connection.cursor().copy(f'COPY "{name}" FROM STDIN'.encode()) as copy:
                for row in table.astype(object).where(table.notna(), None).itertuples(index=False):
                    copy.write_row(tuple(row))


@pytest.fixture
def database(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CRM_URL", postgres_url)
    return postgres_url


@pytest.mark.parametrize("seed", range(3))
def test_postgres_three_tables(seed: int, database: str, same: Same) -> None:
    tables = three_tables(seed)
    load(database, tables)
    named = {name: f'"{name}"' for name in tables}
    same(read_counts(table_source(named, connection="CRM_URL")), table_reference(tables))


@pytest.mark.parametrize("seed", range(3))
def test_postgres_wide_select(seed: int, database: str, same: Same) -> None:
    world = wide_world(seed)
    load(database, {"messages": world})
    select = "WITH m AS (SELECT * FROM messages) SELECT * FROM m -- all\n;"
    same(read_counts(wide_source(select, connection="CRM_URL")), wide_reference(world))


def test_postgres_is_never_written(database: str) -> None:
    import psycopg

    load(database, {"messages": wide_world(1)})
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE counter")
    with pytest.raises(DatasetError, match="read-only transaction"):
        read_counts(
            wide_source("SELECT *, nextval('counter') AS n FROM messages OFFSET 0", connection="CRM_URL")
        )


def test_postgres_errors_name_no_secret(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="no_such") as refused:
        read_counts(wide_source("no_such", connection="CRM_URL"))
    monkeypatch.setenv("CRM_URL", database.replace("/ledger?", "/nowhere?"))
    with pytest.raises(ConfigError, match="CRM_URL names cannot be reached") as lost:
        read_counts(wide_source("messages", connection="CRM_URL"))
    for error in (refused, lost):
        assert PASSWORD not in str(error.value)
        assert USER not in str(error.value)
        assert error.value.__cause__ is None or PASSWORD not in str(error.value.__cause__)


def test_postgres_naive_times_need_a_zone(database: str, same: Same) -> None:
    world = wide_world(2)
    load(database, {"messages": world})
    select = (
        "SELECT *, sent_at AT TIME ZONE 'Europe/Berlin' AS local_sent, replied_at AT TIME ZONE "
        "'Europe/Berlin' "
        "AS local_replied FROM messages"
    )
    source = wide_source(select, connection="CRM_URL")
    sends = dataclasses.replace(source.sends, sent_at="local_sent", replied_at="local_replied")
    with pytest.raises(UsageError, match="have no time zone"):
        read_counts(dataclasses.replace(source, sends=sends))
    local = dataclasses.replace(source, sends=sends, time_zone="Europe/Berlin")
    same(read_counts(local), wide_reference(world))


def test_a_connection_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="neither a variable"):
        read_counts(wide_source("messages", connection="NO_SUCH_URL"))
    with pytest.raises(UsageError, match="is a URL"):
        read_counts(wide_source("messages", connection="postgresql://u:secret@h/db"))


# Ibis asks DuckDB for schemas in a way that DuckDB warns of.
@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_ibis_tables(same: Same) -> None:
    ibis = pytest.importorskip("ibis")
    tables = three_tables(4)
    backend = ibis.duckdb.connect()
    for name, table in tables.items():  # not by create_table, whose way from pandas warns
        backend.con.register(f"given_{name}", table)
        backend.raw_sql(f"CREATE TABLE {name} AS SELECT * FROM given_{name}")
    given = {name: backend.table(name) for name in tables}
    same(read_counts(table_source(given)), table_reference(tables))
    stranger = ibis.duckdb.connect()
    stranger.raw_sql("CREATE TABLE r (unit_id TEXT, replied_at TIMESTAMPTZ)")
    with pytest.raises(UsageError, match="another connection"):
        read_counts(table_source({**given, "replies": stranger.table("r")}))


class _Pretended(Engine):
    """An engine of another dialect with the columns of the random worlds, which runs nothing."""

    def __init__(self, dialect: str, naive: bool) -> None:
        super().__init__()
        self.dialect = dialect
        self._naive = naive

    def close(self) -> None:
        pass

    def _rows(self, sql: str) -> list[Any]:
        assert "AS arm" in sql
        return [("mixtral", 10), ("gpt-4o", 10)]

    def _columns(self, select: str) -> dict[str, str]:
        time = "timestamp" if self._naive else "timestamptz"
        times = ("sent_at", "replied_at", "assigned_at", "at", "gone_at")
        return {
            **dict.fromkeys(("unit_id", "arm", "epoch", "campaign", "segment", "message", "kind"), "text"),
            "experiment": "text",
            **dict.fromkeys(times, time), "cost": "number", "probability": "number", "served_model": "text",
            "mailbox": "text", 'a "quoted" column; --': "text", "replied_on": "date", "complained": "bool",
        }  # fmt: skip


# What is DuckDB's alone, or is not in every dialect that is written.
_NAMES = (
    "epoch_us",
    "bit_or",
    "bit_count",
    "ubigint",
    r"filter\s*\(",
    "arg_min",
    "any_value",
    "qualify",
    "try_cast",
)
_FOREIGN = rf"(?i)\b({'|'.join(_NAMES)})\b"


def full_source(**changes: Any) -> OutcomeSource:
    given: dict[str, Any] = {
        "sends": Sends("sends", message="message", served_model="served_model", experiment="experiment"),
        "replies": Replies("SELECT * FROM replies", message="message", kind="kind", replied_at="replied_on"),
        "assignments": Assignments(
            "assignments", assigned_at="assigned_at", epoch="epoch", campaign="campaign",
            probability="probability",
        ),
        "costs": Costs("costs", cost="cost", message="message"),
        "guardrails": (Guardrail("gone", table="gone"), Guardrail("complaints", column="complained")),
        "as_of": AS_OF.isoformat(), "not_human": ("it's a bounce",), "segments": ('a "quoted" column; --',),
        "contexts": ("segment",), "cluster": "mailbox", "time_zone": "Europe/Berlin",
    }  # fmt: skip
    return OutcomeSource(experiment_id="it's", **{**given, **changes})


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "duckdb"])
@pytest.mark.parametrize("wide", [True, False])
def test_every_warehouse_can_parse_the_statement(dialect: str, wide: bool) -> None:
    source = full_source()
    if wide:
        sends = Sends(
            "sends", arm="arm", assigned_at="assigned_at", epoch="epoch", cost="cost",
            served_model="served_model",
            replied_at="replied_at", kind="kind", probability="probability", campaign="campaign",
        )  # fmt: skip
        source = dataclasses.replace(source, sends=sends, replies=None, assignments=None, costs=None)
    sql = statement_text(source, _Pretended(dialect, naive=wide), now=AS_OF)
    assert not re.search(_FOREIGN, sql)
    tree = sqlglot.parse_one(sql, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert tree.sql(dialect=dialect)
    tables = {table.name for table in tree.find_all(sqlglot.exp.Table)} - {
        step.alias for step in tree.find_all(sqlglot.exp.CTE)
    }
    assert tables == ({"sends", "gone"} if wide else {"sends", "replies", "assignments", "costs", "gone"})
    functions = {
        node.name.upper() for node in tree.find_all(sqlglot.exp.Anonymous)
    }  # what sqlglot has no node for must be the dialect's own
    assert functions <= {
        "UNIX_MICROS",
        "TO_UNIXTIME",
        "WITH_TIMEZONE",
        "EPOCH_MICROSECOND",
        "TO_UTC_TIMESTAMP",
    }


def test_translate_refuses_a_dialect_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="no translation"):
        translate("SELECT 1", "mysql")


def test_a_duckdb_database(tmp_path: Any, same: Same) -> None:
    import duckdb

    tables = three_tables(5)
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, table in tables.items():
            connection.register("given", table)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    named = {name: name for name in tables}
    same(read_counts(table_source(named, connection=str(path))), table_reference(tables))
    same(read_counts(table_source(named, connection=duckdb.connect(str(path)))), table_reference(tables))
    with pytest.raises(DatasetError, match="no database"):
        DuckEngine(database=tmp_path / "other.duckdb")
