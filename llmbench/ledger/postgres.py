"""The ledger as tables of a PostgreSQL database, that many machines may write at once."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from llmbench.errors import ConfigError, LedgerError
from llmbench.ledger.migrations import MIGRATIONS, Migration

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.types.string import StrDumperUnknown  # noqa: F401  # says whether psycopg is whole
except ImportError as error:
    raise ConfigError(
        "A PostgreSQL ledger needs psycopg, which is not installed: run pip install 'llmbench[postgres]'."
    ) from error

from llmbench.ledger import postgres_schema
from llmbench.ledger.postgres_dialect import adapt, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from llmbench.ledger.connections import Rows
    from llmbench.ledger.rows import StoredValue

__all__ = ["PATIENCE_S", "PostgresConnection", "PostgresStore"]

_T = TypeVar("_T")

PATIENCE_S = 30.0
"""How long a server that went away is waited for, and how long another program's lock."""

_IDLE_READERS = 4
_DEFAULTS: Mapping[str, Any] = {
    "fallback_application_name": "llmbench",
    "connect_timeout": 10,
    # A server that vanished without a word is noticed within the patience.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_OF_ONE_ROW = ("22", "23", "54")
_PASSES = ("08", "40001", "40P01", "53300", "57P01", "57P02", "57P03")
_ADVICE: Mapping[str, str] = {
    "08": "cannot be reached: check its server and the network; what was recorded before is kept",
    "22": "cannot hold a value of this record: see the error in brackets",
    "25006": "is read-only: give the URL of a server that takes writes",
    "28": "refuses this user: check the user and the password of its URL",
    "3D000": "does not exist: create the database, or correct its URL",
    "40": "was written by others at the same rows: try again",
    "42501": "may not be used like this: grant the user of its URL its schema and tables",
    "42P01": "lacks a table: it was dropped or replaced while open; open it again",
    "42": "cannot do this: see the error in brackets",
    "53100": "cannot grow: free space on its server's disk; what was recorded before is kept",
    "53": "has no room on its server just now: try again, or raise the server's limits",
    "54": "cannot hold a value this long: shorten the record's text",
    "55P03": f"has been locked for {PATIENCE_S:.0f} s: end the program that holds it",
    "57": "was stopped by its server: look why, and try again; what was recorded before is kept",
    "58": "cannot be read or written: check its server's disk; what was recorded before is kept",
    "XX": "is damaged on its server: look into the server's log",
}


class PostgresConnection:
    """psycopg's connection with the words of `llmbench.ledger.connections`."""

    def __init__(self, parameters: Mapping[str, Any], *, read_only: bool = False) -> None:
        self._raw = psycopg.connect(**parameters, autocommit=True)
        try:
            adapt(self._raw)
            self._raw.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            self._raw.execute(
                "SELECT set_config('lock_timeout', %s, false), set_config('default_transaction_read_only', %s, false), "
                "set_config('synchronous_commit', "
                "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
                "ELSE current_setting('synchronous_commit') END, false)",
                [f"{PATIENCE_S:.0f}s", "on" if read_only else "off"],
            )
        except BaseException:
            self._raw.close()
            raise

    @property
    def closed(self) -> bool:
        """True also where the server closed it."""
        return self._raw.closed

    def close(self) -> None:
        self._raw.close()

    def execute(self, sql: str, values: Sequence[StoredValue] = (), /) -> Rows:
        return self._raw.execute(statement(sql), values)

    def change_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[int]:
        return [cursor.rowcount for cursor in self._each(sql, values)]

    def select_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[list[Any]]:
        return [cursor.fetchall() for cursor in self._each(sql, values)]

    def _each(self, sql: str, values: Sequence[Sequence[StoredValue]]) -> Iterator[psycopg.Cursor[Any]]:
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
        with self._raw.pipeline(), self._raw.transaction():
            yield


class PostgresStore:
    """One ledger in one schema of a database, brought to the newest schema version.

    `connection` is the one that writes; readings share a few others.
    """

    path: Path | None = None

    def __init__(self, url: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self.pid = os.getpid()
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error:
            # Its message repeats the URL.
            raise LedgerError(
                "The URL of the PostgreSQL ledger cannot be understood: write postgresql://user:password@host/database, "
                "with special characters of the password percent-encoded."
            ) from None
        self.name = _name(given)
        self._secrets = [str(given[key]) for key in ("user", "password", "sslpassword") if given.get(key)]
        self._parameters = {**_DEFAULTS, **given, "client_encoding": "utf8"}
        self._lock = threading.Lock()
        self._idle: list[PostgresConnection] = []
        self._closed = False
        try:
            self.connection = PostgresConnection(self._parameters)
        except psycopg.Error as error:
            raise self.explain(error) from None
        try:
            postgres_schema.prepare(self.connection, self.name, migrations)
        except psycopg.Error as error:
            self.connection.close()
            raise self.explain(error) from None
        except BaseException:
            self.connection.close()
            raise

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
            with self._lock:
                keep = not self._closed and len(self._idle) < _IDLE_READERS
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()
        except psycopg.Error as error:
            raise self.explain(error) from None

    @contextmanager
    def writing(self) -> Iterator[PostgresConnection]:
        """A connection that writes, beside the writer's, for one long transaction of the caller's."""
        self.refuse_after_fork()
        try:
            connection = self._connect()
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
        pause = 0.02
        while True:
            try:
                if self.connection.closed:
                    self.connection = self._connect(end)
                with self.connection.transaction():
                    result = work(self.connection)
                return result
            except psycopg.Error as error:
                passes = self.connection.closed or (error.sqlstate or "").startswith(_PASSES)
                if not passes:
                    raise
                if time.monotonic() > end:
                    raise self.explain(error) from None
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def explain(self, error: Exception) -> LedgerError:
        """`error` as one sentence that says what to do, without user and password."""
        state = getattr(error, "sqlstate", None) or ("08" if isinstance(error, psycopg.OperationalError) else "")
        advice = next(
            (_ADVICE[key] for key in (state, state[:2]) if key in _ADVICE),
            "cannot do this: see the error in brackets",
        )
        told = " ".join(str(error).split()).rstrip(".")
        for secret in self._secrets:
            told = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", told)
        told = re.sub(r'\b(user|role) "[^"]*"', r'\1 "***"', told)
        return LedgerError(f"The ledger {self.name} {advice} ({told}).")

    def fails_for_all(self, error: Exception) -> bool:
        """True for a failure that does not come of one row's values."""
        return isinstance(error, psycopg.Error) and not (error.sqlstate or "").startswith(_OF_ONE_ROW)

    def schema_version(self, connection: PostgresConnection) -> int:
        """The version of the schema. Raises LedgerError if it is no ledger, or of a newer llmbench."""
        return postgres_schema.schema_version(connection, self.name, MIGRATIONS[-1].version)

    def damages(self, connection: PostgresConnection) -> Iterator[str]:
        """Foreign keys are PostgreSQL's own to keep; an index that failed to build is not."""
        for (index,) in connection.execute(
            "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname = current_schema() AND NOT indisvalid"
        ):
            yield f"The index `{index}` is not valid: run REINDEX INDEX {index}."
        missing = (
            "SELECT count(*) FROM calls LEFT JOIN requests ON requests.id = calls.request_id "
            "WHERE requests.id IS NULL"
        )
        count = connection.execute(missing).fetchone()[0]
        if count:
            yield f"{count} rows of table `calls` refer to rows of `requests` that are not there."

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
                return self._connect(read_only=True)
            try:
                connection.execute("SELECT 1")
            except psycopg.Error:  # the server was restarted since
                connection.close()
            else:
                return connection

    def _connect(self, end: float | None = None, *, read_only: bool = False) -> PostgresConnection:
        """A connection to a server that was there before, and may be restarting."""
        end = time.monotonic() + PATIENCE_S if end is None else end
        pause = 0.02
        while True:
            try:
                return PostgresConnection(self._parameters, read_only=read_only)
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 1.0)


def _name(given: Mapping[str, Any]) -> str:
    host = str(given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "")
    host = f"[{host}]" if ":" in host else quote(host, safe=",")
    port = f":{given['port']}" if given.get("port") else ""
    database = quote(str(given.get("dbname") or os.environ.get("PGDATABASE") or ""))
    return f"postgresql://{host}{port}/{database}"
