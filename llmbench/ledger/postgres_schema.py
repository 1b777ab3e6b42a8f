"""The schema in a PostgreSQL database: the steps of `migrations`, and their version in a table of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmbench.errors import LedgerError
from llmbench.ledger.migrations import APPLICATION_ID
from llmbench.ledger.postgres_dialect import schema_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmbench.ledger.connections import Connection, Executor
    from llmbench.ledger.migrations import Migration

__all__ = ["VERSION_TABLE", "damages", "prepare", "refuse_unfit", "schema_version"]

VERSION_TABLE = "llmbench_ledger"
_CREATED = re.compile(r"CREATE (?:TABLE|INDEX) (\w+)")


def schema_version(connection: Executor, name: str, known: int) -> int:
    """The version of the current schema; 0 where no ledger is. Only reads.

    Raises LedgerError for a version above `known`.
    """
    # Not to_regclass, which may answer from a cache of before the lock was taken.
    found = connection.execute(
        "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = current_schema() AND relname = ?",
        [VERSION_TABLE],
    )
    if not found.fetchone()[0]:
        return 0
    found = connection.execute(f"SELECT coalesce(max(version), 0) FROM {VERSION_TABLE}")  # noqa: S608
    version = int(found.fetchone()[0])
    if version > known:
        raise LedgerError(
            f"The ledger {name} has schema version {version} and this llmbench knows versions up to {known}: "
            "upgrade llmbench; the database was not changed."
        )
    return version


def prepare(connection: Connection, name: str, migrations: Sequence[Migration]) -> None:
    """Bring the current schema to the last step of `migrations`.

    Each step is one transaction under a lock of the whole database; the version is read again under
    it. Raises LedgerError as `schema_version` and `refuse_unfit` do.
    """
    known = migrations[-1].version
    if schema_version(connection, name, known) == known:
        return
    for step in migrations:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(?)", [APPLICATION_ID])
            version = schema_version(connection, name, known)
            if version >= step.version:
                continue
            if not version:
                refuse_unfit(connection, name, migrations)
                connection.execute(f"CREATE TABLE {VERSION_TABLE} (version BIGINT NOT NULL)")
                connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES (0)")  # noqa: S608
            for statement in step.statements:
                connection.execute(schema_sql(statement))
            connection.execute(f"UPDATE {VERSION_TABLE} SET version = ?", [step.version])  # noqa: S608


def refuse_unfit(connection: Executor, name: str, migrations: Sequence[Migration]) -> None:
    """Raise LedgerError where a new ledger cannot be made: the database is not in UTF-8, the search
    path names no schema, or that holds tables of another program under the ledger's names.
    """
    schema, encoding = connection.execute(
        "SELECT current_schema(), current_setting('server_encoding')"
    ).fetchone()
    if encoding != "UTF8":
        raise LedgerError(
            f"The database of the ledger {name} is in {encoding}, which cannot hold every text: "
            "give one that was created with encoding UTF8."
        )
    if schema is None:
        raise LedgerError(
            f"The ledger {name} has no schema: create the one that its URL's search_path names, or name "
            "another."
        )
    ours = {made for step in migrations for sql in step.statements for made in _CREATED.findall(sql)}
    relations = connection.execute(
        "SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = ?",
        [schema],
    )
    theirs = sorted(ours & {relation for (relation,) in relations})
    if theirs:
        raise LedgerError(
            f"{name} is not a ledger, and its schema {schema!r} holds tables of another program "
            f"({', '.join(theirs)}): name a schema of the ledger's own by "
            "?options=-csearch_path%3Dschema; nothing was changed."
        )


def damages(connection: Executor) -> Iterator[str]:
    """Sentences: what is wrong beside the rows' own values."""
    broken = connection.execute(
        "SELECT relname::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE nspname = current_schema() AND NOT indisvalid"
    )
    for (index,) in broken:
        yield f"The index `{index}` is not valid: run REINDEX INDEX {index}."
    # A foreign key guards this, unless its triggers were turned off.
    lost = connection.execute(
        "SELECT calls.id FROM calls LEFT JOIN requests ON requests.id = calls.request_id "
        "WHERE requests.id IS NULL ORDER BY calls.id LIMIT 100"
    )
    for (row,) in lost:
        yield f"Row {row} of table `calls` refers to a row of `requests` that is not there."
