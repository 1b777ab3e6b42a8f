"""The ledger as a file of SQLite: how it is opened, and what its failures mean."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from llmbench.errors import LedgerError
from llmbench.ledger.migrations import MIGRATIONS, Migration, migrate, schema_version, transaction
from llmbench.ledger.wal import unread_commits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from llmbench.ledger.connections import Executor
    from llmbench.ledger.rows import StoredValue

__all__ = [
    "BUSY_TIMEOUT_S",
    "Durability",
    "SqliteConnection",
    "Store",
    "explain",
]

_T = TypeVar("_T")

Durability = Literal["process", "power"]

BUSY_TIMEOUT_S = 30.0
"""How long a transaction waits for another process's."""

_COPY_WHAT_IS_WHOLE = (
    "copy what is whole by `llmbench ledger verify --salvage NEW.db`, or import its last export"
)

_HEADER = b"SQLite format 3\x00"

_FAILS_FOR_ALL = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
"""Failures that every row of a group shares; SQLITE_FULL may be those of one long row."""

_opened_by: dict[tuple[int, int], list[int]] = {}
"""Process ids that have a file (device, inode) open. A forked child inherits the entries of its
parent together with SQLite's belief that it holds the parent's locks, so it must not touch the file."""


def explain(error: Exception, path: Path) -> LedgerError:
    """`error` as one sentence that says what to do."""
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    advice = {
        sqlite3.SQLITE_FULL: "cannot grow: free space on its disk; what was recorded before is kept",
        sqlite3.SQLITE_IOERR: "cannot be read or written: check its disk; what was recorded before is kept",
        sqlite3.SQLITE_READONLY: "is read-only: make the file and its folder writable, or give another path",
        sqlite3.SQLITE_PERM: "may not be opened: make the file and its folder readable and writable",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its folder exists and is writable",
        sqlite3.SQLITE_BUSY: f"has been locked for {BUSY_TIMEOUT_S:.0f} s: end the program that holds it",
        sqlite3.SQLITE_LOCKED: "is locked: end the program that holds it",
        sqlite3.SQLITE_CORRUPT: f"is damaged: {_COPY_WHAT_IS_WHOLE}",
        sqlite3.SQLITE_NOTADB: "is damaged or no ledger: give another path, or import its last export",
        sqlite3.SQLITE_TOOBIG: "cannot hold a value this long: shorten the record's text",
    }.get(primary, "cannot do this: see the error in brackets")
    if "decode to UTF-8" in str(error):  # Python's, which has no code of SQLite's
        advice = f"is damaged: {_COPY_WHAT_IS_WHOLE}"
    return LedgerError(f"The ledger {path} {advice} ({error}).")


class SqliteConnection(sqlite3.Connection):
    """SQLite's connection with the words of `llmbench.ledger.connections`."""

    def change_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[int]:
        """See `Connection`: nothing is gained by sending several to a library in this process."""
        return [self.execute(sql, each).rowcount for each in values]

    def select_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[list[Any]]:
        """See `Connection`."""
        return [self.execute(sql, each).fetchall() for each in values]

    def transaction(self) -> AbstractContextManager[None]:
        """See `llmbench.ledger.migrations.transaction`."""
        return transaction(self)


class Store:
    """One ledger file, checked and brought to the newest schema.

    `connection` is the one that writes; every reading opens its own for as long as it takes.
    `read_only` is True where the file or its folder may not be written; reading works all the same.
    """

    def __init__(
        self, path: Path, durability: Durability, migrations: Sequence[Migration] = MIGRATIONS
    ) -> None:
        self.path: Path | None = path
        self._path = path
        self.name = str(path)
        self._file = path.absolute()  # the working folder may change
        self.pid = os.getpid()
        self._durability = durability
        self._check_file()
        self.read_only = path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"The folder of the ledger {path} cannot be created ({error.strerror}): give another path."
            ) from error
        try:
            self.connection = self._connect("rw" if path.exists() else "rwc")
        except sqlite3.Error as error:
            raise self.explain(error) from error
        try:
            self._prepare(migrations)
            self._files = self._identities()
        except sqlite3.Error as error:
            self.connection.close()
            raise self.explain(error) from error
        except BaseException:
            self.connection.close()
            raise
        _opened_by.setdefault(self._files[0], []).append(self.pid)

    def close(self) -> None:
        """Close the writing connection; SQLite merges the WAL into the file if it is the last one."""
        self.connection.close()
        pids = _opened_by.get(self._files[0], [])
        if self.pid in pids:
            pids.remove(self.pid)

    @contextmanager
    def reading(self) -> Iterator[SqliteConnection]:
        """A connection that only reads. Raises LedgerError for what SQLite cannot read."""
        self.refuse_after_fork()
        try:
            self.refuse_if_replaced()
            with closing(self._connect("ro")) as connection:
                yield connection
        except sqlite3.Error as error:
            raise self.explain(error) from error

    @contextmanager
    def writing(self) -> Iterator[SqliteConnection]:
        """A connection that writes, beside the writer's, for one long transaction of the caller's.
        Raises LedgerError for what SQLite cannot do, and if the file was replaced meanwhile.
        """
        self.refuse_after_fork()
        try:
            with closing(self._connect("rw")) as connection:
                self._configure(connection)
                yield connection
                self.refuse_if_replaced()
        except sqlite3.Error as error:
            raise self.explain(error) from error

    def write(self, work: Callable[[SqliteConnection], _T]) -> _T:
        """`work` as one transaction on `connection`. Raises LedgerError if the file was replaced."""
        with self.connection.transaction():
            result = work(self.connection)
        self.refuse_if_replaced()
        return result

    def explain(self, error: Exception) -> LedgerError:
        """`error` as one sentence that says what to do."""
        return explain(error, self._path)

    def fails_for_all(self, error: Exception) -> bool:
        """True for a failure that every row of a group shares."""
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF in _FAILS_FOR_ALL

    def schema_version(self, connection: Executor) -> int:
        """The version of the file. Raises LedgerError if it is no ledger, or of a newer llmbench."""
        return schema_version(connection, self._path, MIGRATIONS[-1].version)

    def damages(self, connection: Executor) -> Iterator[str]:
        """What SQLite's own checks find."""
        for (message,) in connection.execute("PRAGMA integrity_check"):
            if message != "ok":
                yield f"SQLite's integrity check: {message}."
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield f"Row {row} of table `{table}` refers to a row of `{parent}` that is not there."
        if not self.read_only:
            with closing(self._connect("rw")) as other:
                unread = unread_commits(Path(f"{self._file}-wal"), other)
            if unread:
                yield f"The last {unread:,} commits of its WAL are damaged: what they recorded is lost."

    def compact(self, connection: Executor) -> None:
        """Give back the room of what was deleted, and leave no byte of it in the file or its WAL.
        Raises LedgerError where another program's reading keeps the WAL.
        """
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")
        if connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()[0]:
            raise LedgerError(
                f"It is deleted from the ledger {self.name}, but a program that was reading keeps the bytes "
                "in the ledger's WAL: they go when the last program closes the ledger."
            )

    def refuse_after_fork(self) -> None:
        """Raise LedgerError in a child that inherited this object by a fork."""
        if os.getpid() != self.pid:
            raise LedgerError(
                f"The ledger {self.name} was open when this process was forked and cannot be used here: "
                "start workers by multiprocessing's 'spawn', or close the ledger before the fork."
            )

    def refuse_if_replaced(self) -> None:
        """Raise LedgerError if the name no longer leads to the files that are open: what SQLite
        commits to a deleted file is gone, and it does not notice.
        """
        if self._identities() != self._files:
            raise LedgerError(
                f"The ledger {self.name} or its WAL was deleted or replaced while open, and what is written "
                "now would be lost: open it again, or put the file back and then open it."
            )

    def _check_file(self) -> None:
        """Look at the file before SQLite does, which could change what is not a ledger."""
        try:
            with self._file.open("rb") as file:
                header = file.read(len(_HEADER))
                status = os.fstat(file.fileno())
        except FileNotFoundError:
            return
        except OSError as error:
            raise LedgerError(
                f"The ledger {self.name} cannot be read ({error.strerror}): give the path of a readable file."
            ) from error
        if header not in {b"", _HEADER}:
            raise LedgerError(
                f"{self.name} is not a ledger (not an SQLite file): give another path, it was not changed."
            )
        if any(pid != os.getpid() for pid in _opened_by.get((status.st_dev, status.st_ino), [])):
            raise LedgerError(
                f"The ledger {self.name} was open when this process was forked and cannot be used here: "
                "start workers by multiprocessing's 'spawn', or close the ledger before the fork."
            )

    def _connect(self, mode: Literal["ro", "rw", "rwc"]) -> SqliteConnection:
        access = f"mode={mode}"
        if self.read_only:
            # Without a WAL nobody is writing, and SQLite need not put its own files into a folder that
            # is not ours to write.
            access = "mode=ro" if Path(f"{self._file}-wal").exists() else "mode=ro&immutable=1"
        return sqlite3.connect(
            f"{self._file.as_uri()}?{access}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteConnection,
        )

    def _prepare(self, migrations: Sequence[Migration]) -> None:
        known = migrations[-1].version
        version = schema_version(self.connection, self._path, known)
        if self.read_only:
            if version < known:
                raise LedgerError(
                    f"The ledger {self.name} has schema version {version}, and this llmbench reads {known} "
                    "but may not upgrade a read-only file: make the file and its folder writable, or copy it."
                )
            return
        self._switch_to_wal()
        self._configure(self.connection)
        migrate(self.connection, self._path, migrations)

    def _configure(self, connection: SqliteConnection) -> None:
        # Hashes fall all over their indexes: room for these, and fewer, longer merges of the WAL.
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durability == 'power' else 'NORMAL'}")
        if self._durability == "power":
            # macOS's fsync leaves data in the drive's cache; other systems ignore these two.
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")

    def _identities(self) -> tuple[tuple[int, int], ...]:
        names = [self._file] if self.read_only else [self._file, Path(f"{self._file}-wal")]
        found = []
        for name in names:
            try:
                status = name.stat()
            except OSError:
                found.append((0, 0))
            else:
                found.append((status.st_dev, status.st_ino))
        return tuple(found)

    def _switch_to_wal(self) -> None:
        # Two processes that create one ledger at the same moment: SQLite refuses the second's switch
        # without waiting.
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                mode = self.connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise LedgerError(
                f"The ledger {self.name} is on a file system that cannot share memory between processes "
                f"(SQLite stays in mode {mode!r}): give a path on a local disk."
            )
