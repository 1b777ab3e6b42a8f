"""The ledger's schema, as the ordered steps that lead to it.

A file's version is SQLite's own `user_version`. A released step is never edited: a change of the
schema is one more step at the end, and every older file walks up by the steps it lacks.

Version 1: `requests` holds what was asked, once for all attempts that sent it; `calls` holds one
row per attempt. Text that UTF-8 cannot carry (lone surrogates) is a BLOB in the same column, see
`llmbench.ledger.rows`; instants are ISO 8601 text in UTC with six decimals, which sorts by time.

Version 2: how a call was routed and for which unit; `epochs` and `assignments` of experiments, and
the `outcomes` that came of the calls.

Version 3: `batches`, one row for each batch of requests that a vendor was, or may have been, given.

Version 4: `looks` at experiments, and `frozen_plans`, the parameters as of the first one.

Version 5: `attributes` of assigned units, a JSON object of texts.

Version 6: `tuning_jobs`, one row for each fine-tuning job that was, or may have been, started.

Version 7: a checksum of each attempt, see `llmbench.ledger.rows.checksum`.

Version 8: checksums of the rows of experiments, see `llmbench.ledger.row_sums`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmbench.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmbench.ledger.connections import Executor

__all__ = ["APPLICATION_ID", "MIGRATIONS", "Migration", "migrate", "schema_version", "transaction"]

APPLICATION_ID = 0x6C6C6D62
"""Tells a ledger from any other SQLite file ("llmb")."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the version it leads to, and the statements that lead there."""

    version: int
    summary: str
    statements: Sequence[str]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        "requests and the attempts made of them",
        (
            # Two bodies may share a hash (another program's identity rule): both are kept, so
            # that no attempt is ever shown with messages that it did not send.
            """
            CREATE TABLE requests (
                id INTEGER PRIMARY KEY,
                body_digest BLOB NOT NULL UNIQUE,
                request_hash TEXT NOT NULL,
                endpoint TEXT NOT NULL,
                provider TEXT NOT NULL,
                backend TEXT,
                model TEXT NOT NULL,
                messages TEXT NOT NULL,
                params TEXT NOT NULL,
                repeat INTEGER NOT NULL
            )
            """,
            "CREATE INDEX requests_by_hash ON requests (request_hash)",
            """
            CREATE TABLE calls (
                id INTEGER PRIMARY KEY,
                request_id INTEGER NOT NULL REFERENCES requests (id),
                call_id TEXT NOT NULL,
                attempt INTEGER NOT NULL,
                started_at TEXT NOT NULL,
                latency_ms REAL,
                wall_ms REAL,
                status TEXT NOT NULL,
                error_type TEXT,
                error_message TEXT,
                content TEXT,
                finish_reason TEXT,
                input_tokens INTEGER,
                output_tokens INTEGER,
                cache_read_tokens INTEGER,
                cache_write_tokens INTEGER,
                reasoning_tokens INTEGER,
                queue_ms REAL,
                load_ms REAL,
                prefill_ms REAL,
                decode_ms REAL,
                time_to_first_token_ms REAL,
                cost REAL,
                cost_basis TEXT NOT NULL,
                price_book TEXT,
                price_as_of TEXT,
                served_model TEXT,
                fingerprint TEXT,
                run_id TEXT,
                metadata TEXT NOT NULL,
                UNIQUE (call_id, attempt)
            )
            """,
            # The newest ok answer of a request is the last entry of its range.
            "CREATE INDEX calls_by_request ON calls (request_id, status, started_at)",
            "CREATE INDEX calls_by_run ON calls (run_id)",
        ),
    ),
    Migration(
        2,
        "routed calls, experiments and their outcomes",
        (
            "ALTER TABLE calls ADD COLUMN unit_id TEXT",
            "ALTER TABLE calls ADD COLUMN experiment_id TEXT",
            "ALTER TABLE calls ADD COLUMN arm TEXT",
            "ALTER TABLE calls ADD COLUMN route TEXT",
            "CREATE INDEX calls_by_unit ON calls (unit_id) WHERE unit_id IS NOT NULL",
            "CREATE INDEX calls_by_time ON calls (started_at)",
            # One row per change of the weights; the epoch counts them from 1.
            """
            CREATE TABLE epochs (
                id INTEGER PRIMARY KEY,
                experiment_id TEXT NOT NULL,
                epoch INTEGER NOT NULL,
                weights TEXT NOT NULL,
                started_at TEXT NOT NULL,
                UNIQUE (experiment_id, epoch)
            )
            """,
            # A unit stays where it was first assigned; it gets a second row only if that arm is dropped.
            """
            CREATE TABLE assignments (
                id INTEGER PRIMARY KEY,
                experiment_id TEXT NOT NULL,
                unit_id TEXT NOT NULL,
                epoch INTEGER NOT NULL,
                arm TEXT NOT NULL,
                probability REAL NOT NULL,
                assigned_at TEXT NOT NULL,
                UNIQUE (experiment_id, unit_id, epoch)
            )
            """,
            """
            CREATE TABLE outcomes (
                id INTEGER PRIMARY KEY,
                digest BLOB NOT NULL UNIQUE,
                unit_id TEXT,
                call_id TEXT,
                replied INTEGER NOT NULL,
                happened_at TEXT NOT NULL,
                value REAL,
                recorded_at TEXT NOT NULL,
                metadata TEXT NOT NULL
            )
            """,
            "CREATE INDEX outcomes_by_unit ON outcomes (unit_id)",
            "CREATE INDEX outcomes_by_call ON outcomes (call_id)",
        ),
    ),
    Migration(
        3,
        "batches at the vendors'",
        (
            # Without job_id: whether the vendor has it is not known. Without closed_at: more may come of it.
            """
            CREATE TABLE batches (
                id INTEGER PRIMARY KEY,
                tag TEXT NOT NULL UNIQUE,
                endpoint TEXT NOT NULL,
                model TEXT NOT NULL,
                run_id TEXT,
                request_hashes TEXT NOT NULL,
                prepared_at TEXT NOT NULL,
                job_id TEXT,
                closed_at TEXT,
                why_closed TEXT
            )
            """,
            "CREATE INDEX batches_by_endpoint ON batches (endpoint, closed_at)",
        ),
    ),
    Migration(
        4,
        "looks at experiments",
        (
            # A cut-off that was looked at is the same look ever after.
            """
            CREATE TABLE looks (
                id INTEGER PRIMARY KEY,
                experiment_id TEXT NOT NULL,
                look INTEGER NOT NULL,
                cut_off TEXT NOT NULL,
                units INTEGER NOT NULL,
                information REAL NOT NULL,
                comparisons TEXT NOT NULL,
                seen_at TEXT NOT NULL,
                UNIQUE (experiment_id, look),
                UNIQUE (experiment_id, cut_off)
            )
            """,
            """
            CREATE TABLE frozen_plans (
                id INTEGER PRIMARY KEY,
                experiment_id TEXT NOT NULL UNIQUE,
                parameters TEXT NOT NULL,
                frozen_at TEXT NOT NULL
            )
            """,
        ),
    ),
    Migration(
        5,
        "what is known of assigned units",
        # On the assignment, because what was known then cannot come of the arm.
        ("ALTER TABLE assignments ADD COLUMN attributes TEXT",),
    ),
    Migration(
        6,
        "fine-tuning jobs",
        (
            # Without asked_at: no job was started. With it and without job_id: whether there is one is not
            # known. The same order again, after its job has failed, is its next turn.
            """
            CREATE TABLE tuning_jobs (
                id INTEGER PRIMARY KEY,
                tag TEXT NOT NULL UNIQUE,
                order_hash TEXT NOT NULL,
                turn INTEGER NOT NULL,
                endpoint TEXT NOT NULL,
                place TEXT NOT NULL,
                base_model TEXT NOT NULL,
                ordered TEXT NOT NULL,
                quoted TEXT NOT NULL,
                prepared_at TEXT NOT NULL,
                files TEXT NOT NULL,
                asked_at TEXT,
                estimated_usd REAL,
                job_id TEXT,
                state TEXT NOT NULL,
                status TEXT,
                seen_at TEXT,
                closed_at TEXT,
                why_closed TEXT,
                UNIQUE (order_hash, turn)
            )
            """,
            "CREATE INDEX tuning_jobs_by_job ON tuning_jobs (job_id)",
        ),
    ),
    Migration(
        7,
        "a checksum of each attempt",
        # None: recorded by an older llmbench, or changed since by prune, and so not checked.
        ("ALTER TABLE calls ADD COLUMN checksum BLOB",),
    ),
    Migration(
        8,
        "checksums of the rows of experiments",
        # None: written by an older llmbench, and so not checked.
        (
            "ALTER TABLE epochs ADD COLUMN checksum BLOB",
            "ALTER TABLE assignments ADD COLUMN checksum BLOB",
            "ALTER TABLE looks ADD COLUMN checksum BLOB",
            "ALTER TABLE frozen_plans ADD COLUMN checksum BLOB",
        ),
    ),
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction that takes its lock at once (a read that upgrades to a write can be
    refused in WAL mode whatever the busy timeout), commits at the end, and rolls back on any
    error, `KeyboardInterrupt` included.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself has rolled back after some errors (a full disk), and COMMIT may be what failed.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def schema_version(connection: Executor, path: Path, known: int) -> int:
    """The version of an open file; 0 for an empty one. Only reads.

    Raises LedgerError for a file of another program and for a version above `known`.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (application or version or tables):
        raise LedgerError(
            f"{path} is an SQLite file of another program, not a ledger: "
            "give another path, it was not changed."
        )
    if version > known:
        raise LedgerError(
            f"The ledger {path} has schema version {version} and this llmbench knows versions up to {known}: "
            "upgrade llmbench; the file was not changed."
        )
    return version


def migrate(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> tuple[int, int]:
    """Bring an open file to the last step of `migrations`: (version before, version after).

    Each step is one transaction: a step that fails leaves the file at the step before it. Several
    processes may do this at once; the version is read again under the lock.
    """
    known = migrations[-1].version
    before = schema_version(connection, path, known)
    for step in migrations:
        if step.version <= before:
            continue
        with transaction(connection):
            if schema_version(connection, path, known) >= step.version:
                continue
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for statement in step.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {step.version}")
    return before, known
