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


# Words that may not be a bare name there, as the vendors' references list them.
_RESERVED = {
    "bigquery": "all and any array as asc at between by case cast collate contains create cross cube current "
    "default define desc distinct else end enum escape except exclude exists extract false fetch "
    "following for from full group grouping groups hash having if ignore in inner intersect interval "
    "into is join lateral left like limit lookup merge natural new no not null nulls of on or order "
    "outer over partition preceding proto qualify range recursive respect right rollup rows select "
    "set some struct tablesample then to treat true unbounded union unnest using when where window "
    "with within",
    "snowflake": "all alter and any as between by case cast check column connect constraint create cross "
    "current delete distinct drop else exists false following for from full grant group having ilike in "
    "increment inner insert intersect into is join lateral left like localtime localtimestamp minus "
    "natural not null of on or order organization qualify regexp revoke right rlike row rows sample "
    "select set some start table tablesample then to trigger true try_cast union unique update using "
    "values view when whenever where with",
    "trino": "alter and as between by case cast constraint create cross cube current_date current_time "
    "current_timestamp current_user deallocate delete describe distinct drop else end escape except "
    "exists extract false for from full group grouping having in inner insert intersect into is join "
    "json_array json_exists json_object json_query json_table json_value left like listagg localtime "
    "localtimestamp natural normalize not null on or order outer prepare recursive right rollup "
    "select skip table then trim true uescape union unnest using values when where with",
}


@pytest.mark.parametrize("dialect", list(_RESERVED))
@pytest.mark.parametrize("matched", ["message", "unit"])
def test_what_is_written_for_a_warehouse_keeps_to_what_all_of_them_take(dialect: str, matched: str) -> None:
    """Each branch of the union is as wide, no name is a reserved word, and what is grouped by stands alone
    in what is selected or below functions of it (BigQuery finds no expression again inside of another).
    """
    source = full_source()
    if matched == "unit":
        costs = Costs("costs", cost="cost", at="at")
        source = dataclasses.replace(source, costs=costs, replies=Replies("replies", kind="kind"))
    sql = statement_text(source, _Pretended(dialect, naive=False), now=AS_OF)
    tree = sqlglot.parse_one(sql, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    reserved = set(_RESERVED[dialect].split())
    names = {
        node.this.name.lower()
        for node in tree.find_all(sqlglot.exp.Column, sqlglot.exp.TableAlias)
        if isinstance(node.this, sqlglot.exp.Identifier) and not node.this.args.get("quoted")
    }
    names |= {node.alias.lower() for node in tree.find_all(sqlglot.exp.Alias)}
    assert not names & reserved
    branches = [node for node in tree.find_all(sqlglot.exp.Select) if node.expressions[0].alias == "what"]
    assert len(branches) > 15
    assert len({len(each.expressions) for each in branches}) == 1
    for branch in branches:
        for key in branch.args["group"].expressions if branch.args.get("group") else ():
            assert isinstance(key, sqlglot.exp.Column), key.sql()


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
