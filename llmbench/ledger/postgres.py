"""The ledger as tables of a PostgreSQL database, which many machines may write at once."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import psycopg

from llmbench.errors import LedgerError
from llmbench.ledger import postgres_schema, queries
from llmbench.ledger.migrations import MIGRATIONS, Migration
from llmbench.ledger.postgres_address import PATIENCE_S, Address
from llmbench.ledger.postgres_dialect import adapt, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from llmbench.ledger.connections import Executor, Rows
    from llmbench.ledger.rows import StoredValue

# A server that goes away is told once, by an error or not at all; psycopg also warns of each thing it
# could not clean up, which Python prints where nobody has set up logging.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

__all__ = ["Look", "PostgresConnection", "PostgresStore", "look"]

_T = TypeVar("_T")

_IDLE_READERS = 4
_SHORTEST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 1.0
# SQLSTATEs, or their beginnings.
_OF_ONE_ROW = ("22", "23", "54")
_PASSES = ("08", "40001", "40P01", "53300", "57P01", "57P02", "57P03")


class PostgresConnection:
    """psycopg's connection with the words of `llmbench.ledger.connections`."""

    def __init__(self, parameters: Mapping[str, Any], *, read_only: bool = False) -> None:
        self._raw = psycopg.connect(**parameters, autocommit=True)
        try:
            adapt(self._raw)
            # A server may be set to lose what it has acknowledged; one that does more than flush stays so.
            self._raw.execute(
                "SELECT set_config('lock_timeout', %s, false), set_config('synchronous_commit', "
                "replace(current_setting('synchronous_commit'), 'off', 'on'), false)",
                [f"{PATIENCE_S * 1000:.0f}"],
            )
            if read_only:
                self._raw.execute("SET default_transaction_read_only = on")
        except BaseException:
            self._raw.close()
            raise

    @property
    def closed(self) -> bool:
        """True also where the server ended it."""
        return self._raw.closed

    def close(self) -> None:
        """End the connection; what was not committed is rolled back."""
        self._raw.close()

    def execute(self, sql: str, values: Sequence[StoredValue] = (), /) -> Rows:
        """See `Connection`."""
        return self._raw.execute(statement(sql), values)

    def change_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[int]:
        """See `Connection`."""
        return [cursor.rowcount for cursor in self._each(sql, values)]

    def select_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[list[Any]]:
        """See `Connection`."""
        return [cursor.fetchall() for cursor in self._each(sql, values)]

    def _each(
        self, sql: str, values: Sequence[Sequence[StoredValue]]
    ) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
        if not values:
            return
        with self._raw.cursor() as cursor:
            cursor.executemany(statement(sql), values, returning=True)
            for _ in values:
                yield cursor
                cursor.nextset()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction whose statements are sent without waiting for each other's answers."""
        try:
            with self._raw.pipeline():
                self._raw.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                yield
                end = self._raw.execute("COMMIT")
            if end.statusmessage != "COMMIT":  # PostgreSQL's answer to COMMIT after a failure is ROLLBACK
                raise psycopg.OperationalError("the transaction was rolled back")
        except BaseException:
            with suppress(psycopg.Error):
                self._raw.rollback()
            if self._raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self._raw.close()
            raise


class PostgresStore:
    """One ledger in one schema of a database, brought to the newest schema version.

    `connection` is the one that writes; readings share a few others.
    """

    path: Path | None = None

    def __init__(self, url: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.pid = os.getpid()
        self._address = Address(url)
        self.name = self._address.name
        self._lock = threading.Lock()
        self._idle: list[PostgresConnection] = []
        self._closed = False
        try:
            # No patience: a URL that is wrong is told at once.
            self.connection = PostgresConnection(self._address.parameters)
            try:
                postgres_schema.prepare(self.connection, self.name, migrations)
            except BaseException:
                self.connection.close()
                raise
        except psycopg.Error as error:
            raise self.explain(error) from None

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in (self.connection, *idle):
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[PostgresConnection]:
        """A connection that only reads; each statement sees what was committed when it began."""
        self.refuse_after_fork()
        try:
            connection = self._reader()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
        except psycopg.Error as error:
            raise self.explain(error) from None

    @contextmanager
    def writing(self) -> Iterator[PostgresConnection]:
        """A connection that writes, beside the writer's, for one long transaction of the caller's."""
        self.refuse_after_fork()
        try:
            connection = self._connect(time.monotonic() + PATIENCE_S)
            try:
                yield connection
            finally:
                connection.close()
        except psycopg.Error as error:
            raise self.explain(error) from None

    def write(self, work: Callable[[PostgresConnection], _T]) -> _T:
        """`work` as one transaction; from its beginning again, for up to PATIENCE_S, where the
        connection broke or another transaction stood in the way. A commit whose answer was lost is
        found by the second try, so `work` must change nothing that is there already.
        """
        end = time.monotonic() + PATIENCE_S
        pause = _SHORTEST_PAUSE_S
        while True:
            try:
                if self.connection.closed:
                    self.connection = self._connect(end)
                with self.connection.transaction():
                    result = work(self.connection)
                return result  # noqa: RET504  # only here is it committed
            except psycopg.Error as error:
                if not (self.connection.closed or (error.sqlstate or "").startswith(_PASSES)):
                    raise
                if time.monotonic() > end:
                    raise self.explain(error) from None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def explain(self, error: Exception) -> LedgerError:
        """`error` as one sentence that says what to do, without user and password."""
        return self._address.explain(error)

    def fails_for_all(self, error: Exception) -> bool:
        """True for a failure that does not come of one row's values."""
        return isinstance(error, psycopg.Error) and not (error.sqlstate or "").startswith(_OF_ONE_ROW)

    def schema_version(self, connection: Executor) -> int:
        """The version of the schema. Raises LedgerError if it is no ledger, or of a newer llmbench."""
        return postgres_schema.schema_version(connection, self.name, MIGRATIONS[-1].version)

    def damages(self, connection: Executor) -> Iterator[str]:
        """Constraints and indexes that PostgreSQL does not answer for."""
        yield from postgres_schema.damages(connection)

    def compact(self, connection: Executor) -> None:
        """Let PostgreSQL use the room of what was deleted anew; its files and its WAL keep the bytes until
        it does.
        """
        for table in ("calls", "requests", "outcomes", "assignments"):
            connection.execute(f"VACUUM {table}")

    def refuse_after_fork(self) -> None:
        """Raise LedgerError in a child that inherited this object by a fork."""
        if os.getpid() != self.pid:
            raise LedgerError(
                f"The ledger {self.name} was open when this process was forked and cannot be used here: "
                "open it again in this process, or start workers by multiprocessing's 'spawn'."
            )

    def _reader(self) -> PostgresConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._connect(time.monotonic() + PATIENCE_S, read_only=True)
            try:
                connection.execute("SELECT 1")
            except psycopg.Error:  # the server was restarted since
                connection.close()
            else:
                return connection

    def _give_back(self, connection: PostgresConnection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE_READERS:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, end: float, *, read_only: bool = False) -> PostgresConnection:
        """A connection to a server that was there before, and may be restarting."""
        pause = _SHORTEST_PAUSE_S
        while True:
            try:
                return PostgresConnection(self._address.parameters, read_only=read_only)
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)


class Look(NamedTuple):
    """What a URL leads to."""

    version: int
    """Of the schema; 0 where no ledger is yet."""
    calls: int
    writable: bool
    """Whether attempts can be recorded, or the tables be made."""


def look(url: str) -> Look:
    """What is there, without changing it. Raises LedgerError for what cannot be a ledger."""
    address = Address(url)
    try:
        connection = PostgresConnection(address.parameters, read_only=True)
        try:
            version = postgres_schema.schema_version(connection, address.name, MIGRATIONS[-1].version)
            if not version:
                postgres_schema.refuse_unfit(connection, address.name, MIGRATIONS)
            calls = queries.count_calls(connection) if version else 0
            may = (
                "SELECT has_table_privilege('requests', 'INSERT') AND has_table_privilege('calls', 'INSERT')"
                if version == MIGRATIONS[-1].version
                else "SELECT has_schema_privilege(current_schema(), 'CREATE')"
            )
            writable = connection.execute(f"{may} AND NOT pg_is_in_recovery()").fetchone()[0]
        finally:
            connection.close()
    except psycopg.Error as error:
        raise address.explain(error) from None
    return Look(version, calls, bool(writable))
