"""What the ledger asks of a database, whichever it is.

SQL is written once, in SQLite's words and with ? for values; a store of another database translates.
Values are those of `llmbench.ledger.rows`, and come back as they went in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from llmbench.errors import LedgerError
from llmbench.ledger.rows import StoredValue

__all__ = ["Connection", "Executor", "LedgerStore", "Rows"]

_T = TypeVar("_T")


class Rows(Protocol):
    """What came of a statement."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Executor(Protocol):
    """Anything that takes a statement: SQLite's own connections as well."""

    def execute(self, sql: str, values: Sequence[StoredValue] = ..., /) -> Rows:
        """One statement."""


class Connection(Executor, Protocol):
    """One connection; outside of `transaction` each statement commits by itself."""

    def change_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[int]:
        """One statement for each of `values`, in few round trips: how many rows each one changed."""

    def select_each(self, sql: str, values: Sequence[Sequence[StoredValue]], /) -> list[list[Any]]:
        """One query for each of `values`, in few round trips: the rows of each."""

    def transaction(self) -> AbstractContextManager[None]:
        """A write transaction: committed at the end, rolled back on any error."""


class LedgerStore(Protocol):
    """One ledger, checked and brought to the newest schema."""

    pid: int
    path: Path | None
    """The file; None for a database."""
    name: str
    """For messages and for people: a path, or a URL without user and password."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that only reads. Raises LedgerError for what cannot be read."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection that writes, beside the writer's, for one long transaction of the caller's.
        Raises LedgerError for what cannot be done.
        """

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """`work` as one transaction on the writer's connection; its result once that is durable.
        `work` may be called again where a database was away for a moment.
        """

    def explain(self, error: Exception) -> LedgerError:
        """`error` as one sentence that says what to do."""

    def fails_for_all(self, error: Exception) -> bool:
        """True for a failure that does not come of one row."""

    def schema_version(self, connection: Executor) -> int:
        """The version of the schema. Raises LedgerError if it is not a ledger, or of a newer llmbench."""

    def damages(self, connection: Executor) -> Iterator[str]:
        """Sentences: what the database itself finds wrong, rows aside."""

    def compact(self, connection: Executor) -> None:
        """Give back the room of what was deleted, outside of a transaction."""

    def refuse_after_fork(self) -> None:
        """Raise LedgerError in a child that inherited this object by a fork."""

    def close(self) -> None:
        """Close every connection."""
