"""Engines outside of this process. None writes: one statement reads all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from llmbench.abtest.dialects import DIALECTS, translate
from llmbench.abtest.engines import Engine, Stage, Statement, duck_kind
from llmbench.errors import ConfigError, DatasetError, UsageError

__all__ = ["IbisEngine", "PostgresEngine", "SparkEngine"]

_OIDS = {
    16: "bool", 20: "int", 21: "int", 23: "int", 700: "number", 701: "number", 1700: "number", 18: "text",
    19: "text", 25: "text", 1042: "text", 1043: "text", 1082: "date", 1114: "timestamp", 1184: "timestamptz",
}  # fmt: skip
_SPARK = {
    "string": "text", "boolean": "bool", "byte": "int", "short": "int", "integer": "int", "long": "int",
    "float": "number", "double": "number", "date": "date", "timestamp": "timestamptz",
    "timestamp_ntz": "timestamp",
}  # fmt: skip


class PostgresEngine(Engine):
    """PostgreSQL by psycopg, in one read-only transaction."""

    dialect = "postgres"
    knows_materialized = True

    def __init__(self, given: Any, name: str = "connection") -> None:
        super().__init__()
        try:
            import psycopg
        except ImportError as error:
            raise ConfigError("PostgreSQL needs psycopg: pip install 'llmbench[postgres]'.") from error
        self._psycopg = psycopg
        self._name = name
        self._owned = isinstance(given, str)
        if self._owned:
            try:
                self._connection = psycopg.connect(given, connect_timeout=10)
            except (psycopg.Error, ValueError):
                # Neither the URL nor what the server says of it is repeated: they hold the user and more.
                raise ConfigError(
                    f"The PostgreSQL database that {name} names cannot be reached: check host, port, "
                    "database, "
                    "user and password of its URL."
                ) from None
            self._connection.read_only = True
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        else:
            self._connection = given
        self._execute("SET TIME ZONE 'UTC'") if self._owned else None

    def close(self) -> None:
        """Close the connection that was opened here."""
        if self._owned:
            self._connection.close()

    def _execute(self, sql: str) -> Any:
        try:
            return self._connection.execute(sql.encode())
        except self._psycopg.Error as error:
            told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DatasetError(f"The database that {self._name} names refuses the query: {told}.") from error

    def _rows(self, sql: str) -> list[Any]:
        return list(self._execute(sql).fetchall())

    def _columns(self, select: str) -> dict[str, str]:
        cursor = self._execute(f"SELECT * FROM (\n{select}\n) AS given LIMIT 0")
        return {each.name: _OIDS.get(each.type_code, "other") for each in cursor.description}


class SparkEngine(Engine):
    """A SparkSession. Steps are temporary views, gone with `close`, and those that several others read are
    computed once and kept: Spark would compute a common table expression anew for each of them.
    """

    dialect = "spark"

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session
        self._zone = session.conf.get("spark.sql.session.timeZone")
        session.conf.set("spark.sql.session.timeZone", "UTC")
        self._views: list[str] = []

    def close(self) -> None:
        """Drop the views, and give the session its zone back."""
        for name in reversed(self._views):
            self._session.catalog.dropTempView(name)
        self._session.conf.set("spark.sql.session.timeZone", self._zone)

    def fetch(self, statement: Statement) -> list[Any]:
        """The rows of all SELECTs, over views of the steps."""
        steps = [Stage(name, body) for name, body in self._sources.items() if name not in self._views]
        for stage in steps:
            self._add_view(stage, stage.body)
        for stage in statement.stages:
            self._add_view(stage, translate(stage.body, self.dialect))
        return [row for select in statement.selects for row in self._rows(translate(select, self.dialect))]

    def _add_view(self, stage: Stage, sql: str) -> None:
        frame = _told(lambda: self._session.sql(sql))
        if stage.kept:
            unkept = frame
            frame = _told(lambda: unkept.localCheckpoint(eager=True))  # its plan does not grow into the next
        frame.createOrReplaceTempView(stage.name)
        self._views.append(stage.name)

    def _rows(self, sql: str) -> list[Any]:
        return [tuple(row) for row in _told(lambda: self._session.sql(sql).collect())]

    def _columns(self, select: str) -> dict[str, str]:
        schema = _told(lambda: self._session.sql(select).schema)
        return {
            field.name: "number" if field.dataType.typeName().startswith("decimal")
            else _SPARK.get(field.dataType.typeName(), "other")
            for field in schema.fields
        }  # fmt: skip


class IbisEngine(Engine):
    """What Ibis connects to; tables may be Ibis expressions."""

    def __init__(self, backend: Any) -> None:
        super().__init__()
        self._backend = backend
        name = {"pyspark": "spark"}.get(backend.name, backend.name)
        if name not in DIALECTS:
            raise UsageError(
                f"Ibis is connected to {backend.name}; outcomes are read from {', '.join(DIALECTS)}."
            )
        self.dialect = name
        self.knows_materialized = name in {"duckdb", "postgres"}
        self.has_bits = name == "duckdb"

    @classmethod
    def connect(cls, url: str, name: str) -> IbisEngine:
        """Connect to a URL. Raises ConfigError, without the URL."""
        try:
            import ibis
        except ImportError as error:
            raise ConfigError("This database needs Ibis: pip install 'llmbench[warehouse]'.") from error
        try:
            backend = ibis.connect(url)
        except Exception as error:  # noqa: BLE001 - every backend has its own errors, which may repeat the URL
            raise ConfigError(
                f"Ibis cannot connect to what {name} names ({type(error).__name__}): check its URL, "
                "and that the "
                "extra of Ibis for this database is installed."
            ) from None
        return cls(backend)

    def close(self) -> None:
        """The connection is the caller's, or ends with the process."""

    def _select_of(self, role: str, where: Any) -> str:
        if hasattr(where, "get_backend"):
            if where.get_backend() is not self._backend:
                raise UsageError(
                    f"{role} is a table of another connection; all tables of one source are in one."
                )
            import ibis

            return str(ibis.to_sql(where, dialect=self._backend.name))
        return super()._select_of(role, where)

    def _rows(self, sql: str) -> list[Any]:
        def read() -> list[Any]:
            # Not by an Ibis expression: only sums come back, and the way through Arrow is another library's.
            answer = self._backend.raw_sql(sql)
            for method in ("fetchall", "collect", "result"):  # a cursor, Spark, BigQuery
                if hasattr(answer, method):
                    return [tuple(row) for row in getattr(answer, method)()]
            return [tuple(row) for row in answer]

        return list(_told(read))

    def _columns(self, select: str) -> dict[str, str]:
        if self.dialect == "duckdb":  # whose schemas ibis 12 asks for in a way that DuckDB 2 no longer has
            return {row[0]: duck_kind(str(row[1])) for row in self._rows(f"DESCRIBE {select}")}
        schema = _told(lambda: self._backend.sql(select).schema())
        return {name: _ibis_kind(kind) for name, kind in schema.items()}


def _ibis_kind(kind: Any) -> str:
    if kind.is_timestamp():
        return "timestamp" if kind.timezone is None else "timestamptz"
    for name, asked in (
        ("bool", "boolean"),
        ("int", "integer"),
        ("number", "numeric"),
        ("text", "string"),
        ("date", "date"),
    ):
        if getattr(kind, f"is_{asked}")():
            return name
    return "other"


def _told(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except Exception as error:
        lines = [line.strip(": ") for line in str(error).strip().splitlines()]
        told = lines[0] if lines else type(error).__name__
        if told.startswith("An error occurred while calling") and len(lines) > 1:  # py4j's; Java's follows
            told = lines[1]
        with suppress(AttributeError):
            error.__suppress_context__ = True
        raise DatasetError(f"The database refuses the query: {told[:300].rstrip('.')}.") from error
