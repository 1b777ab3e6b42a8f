"""Which engine a source is read by."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from llmbench.abtest.engines import DuckEngine, Engine
from llmbench.abtest.source import OutcomeSource
from llmbench.errors import ConfigError, UsageError
from llmbench.secret import from_environment

__all__ = ["open_engine"]


def open_engine(source: OutcomeSource) -> Engine:
    """DuckDB for files and frames, else what `source.connection` names. Raises ConfigError, UsageError."""
    given = source.connection
    if given is None or given == "":
        return _for_tables(source)
    if not isinstance(given, str):
        return _of_connection(given)
    if "://" in given:
        raise UsageError(
            "connection is a URL, which would be printed with the parameters: put it into the environment (or "
            "the keyring) and give the variable's name."
        )
    if given.lower().endswith((".duckdb", ".db")) or "/" in given:
        return DuckEngine(database=given)
    secret = from_environment(given)
    if secret is None:
        raise ConfigError(
            f"connection names {given!r}, which is neither a variable of the environment, an entry of the "
            "keyring, nor a .duckdb file; set it to the database's URL."
        )
    url = secret.reveal()
    if re.match(r"(?i)duckdb:", url):
        return DuckEngine(database=Path(re.sub(r"(?i)^duckdb:(//)?", "", url)))
    from llmbench.abtest.warehouse import IbisEngine, PostgresEngine

    if re.match(r"(?i)postgres(ql)?://", url):
        return PostgresEngine(url, given)
    return IbisEngine.connect(url, given)


def _for_tables(source: OutcomeSource) -> Engine:
    """An Ibis table brings its connection."""
    tables = [source.sends.table, *(part.table for part in (source.replies, source.assignments, source.costs) if part)]
    backends = [table.get_backend() for table in tables if _is_ibis(table)]
    if not backends:
        return DuckEngine()
    from llmbench.abtest.warehouse import IbisEngine

    return IbisEngine(backends[0])


def _is_ibis(table: Any) -> bool:
    return type(table).__module__.startswith("ibis.") and hasattr(table, "get_backend")


def _of_connection(given: Any) -> Engine:
    from llmbench.abtest.warehouse import IbisEngine, PostgresEngine, SparkEngine

    module = type(given).__module__.split(".")[0].removeprefix("_")
    if module == "duckdb":
        return DuckEngine(connection=given)
    if module == "psycopg":
        return PostgresEngine(given)
    if module == "pyspark":
        return SparkEngine(given)
    if module == "ibis":
        return IbisEngine(given)
    raise UsageError(
        f"connection is {type(given).__name__} of {module}; give a variable's name, a .duckdb file, or an open "
        "connection of DuckDB, psycopg, Ibis or Spark."
    )
