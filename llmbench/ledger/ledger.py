"""The ledger as its users see it."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from llmbench.config import load_config
from llmbench.errors import ConfigError, LedgerError, UsageError
from llmbench.ledger import brief, lines, queries
from llmbench.ledger.batches import BatchesLedger
from llmbench.ledger.brief import AttemptFacts
from llmbench.ledger.experiments import ExperimentsLedger
from llmbench.ledger.location import is_database, ledger_path
from llmbench.ledger.queries import SpendTotals, Verification
from llmbench.ledger.retention import Pruned, prune
from llmbench.ledger.rows import encode
from llmbench.ledger.store import Durability, Store
from llmbench.ledger.tuning import TuningLedger
from llmbench.ledger.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    import pandas as pd

    from llmbench.ledger.connections import Connection, LedgerStore
    from llmbench.types import CallRecord, CallStatus

__all__ = ["Ledger"]


class Ledger(ExperimentsLedger, BatchesLedger, TuningLedger):
    """Every attempt of every call, durable: what resume, replay and spend are read from.

    `url` is the path of an SQLite file, made with its folder if absent, or a PostgreSQL database as
    `postgresql://user:password@host/database` (extra `postgres`; tables are made in the role's current
    schema, or in that of `?options=-csearch_path%3Dname`); None is the project's own. Threads, event
    loops and processes may use one ledger at the same time; a process made by a fork may not use one
    that its parent had open. `path` is the file, None for a database; `name` is for people, and never
    has user or password.

    What durable means once `record` has returned:

    - `durability="process"`: committed to SQLite's write-ahead log in the operating system's
      memory. It survives the end of this process in any way, kill -9 included. A power cut or a
      crash of the operating system may take the last moments; the file stays sound.
    - `durability="power"`: also flushed to the disk (fsync) at each commit, so that it survives a
      power cut as well, as far as the disk keeps its promise. Slower by one flush per group.
    - On PostgreSQL both are the server's own promise, a flushed commit (`synchronous_commit` is on, or
      as the server has it, but never off). While it restarts, `record`, and readings that begin,
      wait for it up to 30 s, and then raise LedgerError.
    - None: what `[ledger] durability` in llmbench.toml says for the project's own ledger, else "process".

    Keys and other secrets never get here: a `CallRecord` has no field for them. Prompts and
    answers do, in clear text.

    Raises LedgerError if the file or database is no ledger, is of a newer llmbench, or cannot be
    opened; it is left as it was. A read-only one can be read. Raises ConfigError where the extra
    `postgres` is missing.

    >>> import asyncio, tempfile
    >>> from datetime import UTC, datetime
    >>> from llmbench.types import CallRecord
    >>> call = CallRecord(
    ...     call_id="c1", attempt=1, request_hash="h1", endpoint="fake", provider="fake", backend=None,
    ...     model="m", messages=[{"role": "user", "content": "Hi"}], params={"temperature": 0}, repeat=0,
    ...     started_at=datetime(2026, 1, 2, tzinfo=UTC), latency_ms=12.5, wall_ms=12.5, status="ok",
    ...     content="Hello", cost=0.25, cost_basis="priced",
    ... )
    >>> with tempfile.TemporaryDirectory() as folder, Ledger(f"{folder}/ledger.db") as ledger:
    ...     asyncio.run(ledger.record(call))
    ...     print(ledger.answers(["h1", "h2"])["h1"].content, ledger.spend().usd)
    Hello 0.25
    """

    def __init__(self, url: str | Path | None = None, *, durability: Durability | None = None) -> None:
        if durability is None:
            durability = load_config().ledger_durability if url is None else "process"
        if durability not in {"process", "power"}:
            raise UsageError(f'durability is {durability!r} and must be "process" or "power".')
        self._store = _open(load_config().ledger_url if url is None else url, durability)
        self.path = self._store.path
        self.name = self._store.name
        self._writer = Writer(self._store)
        # Also called at the interpreter's exit, where it writes what is still waiting.
        self._finalizer = weakref.finalize(self, self._writer.close)

    async def record(self, call: CallRecord) -> None:
        """Return once `call` is durable.

        Cancelling the wait does not take the row back. The same attempt again changes nothing.
        Raises LedgerError if the row could not be stored (the ledger is closed, read-only or
        deleted, the disk is full, the same call_id and attempt are there with other values); rows
        stored before stay, and later ones are served as if nothing had happened.
        """
        await self._writer.submit(encode(call))

    def answers(
        self, request_hashes: Iterable[str], *, not_before: datetime | None = None
    ) -> dict[str, CallRecord]:
        """The newest attempt with status "ok" of each request, where there is one.

        `not_before` leaves out answers that started earlier than that instant.
        """
        with self._reading() as connection:
            return queries.newest_answers(connection, request_hashes, not_before)

    def attempts_of(self, request_hash: str) -> list[CallRecord]:
        """All attempts of one request, of whatever status, in the order in which they started."""
        with self._reading() as connection:
            return queries.attempts_of(connection, request_hash)

    def calls(
        self,
        run_id: str | None = None,
        since: datetime | None = None,
        status: CallStatus | None = None,
    ) -> Iterator[CallRecord]:
        """All attempts, or those of one run, not started before `since`, of one status: in the
        order of recording, as of the first `next`. A page is read at a time, so a ledger larger
        than memory is no matter, and nothing is held open in between.
        """
        return queries.calls(self._reading, queries.Selection(run_id, since, status))

    def spend(
        self, run_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> SpendTotals:
        """Attempts and USD, of all or of one run, started from `since` on and before `until`."""
        with self._reading() as connection:
            return queries.spend(connection, queries.Selection(run_id, since, until=until))

    def spend_by(
        self,
        by: str,
        run_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[str | None, SpendTotals]:
        """As `spend`, by day, model, endpoint, run, experiment or unit; None: calls without one."""
        with self._reading() as connection:
            return brief.spend_by(connection, by, queries.Selection(run_id, since, until=until))

    def newest(
        self,
        limit: int = 20,
        *,
        run_id: str | None = None,
        since: datetime | None = None,
        status: CallStatus | None = None,
        model: str | None = None,
        unit_id: str | None = None,
        call_id: str | None = None,
    ) -> list[CallRecord]:
        """The newest attempts, the newest first; `model` is a model's name or endpoint/model."""
        selection = queries.Selection(run_id, since, status)
        with self._reading() as connection:
            return brief.newest(connection, limit, selection, model=model, unit_id=unit_id, call_id=call_id)

    def attempt_facts(self, since: datetime | None = None) -> Iterator[AttemptFacts]:
        """A few columns of every attempt not started before `since`, in the order of recording."""
        with self._reading() as connection:
            yield from brief.attempt_facts(connection, since)

    def newest_latencies(self, endpoint: str, model: str, limit: int) -> list[tuple[int | None, float]]:
        """Output tokens and milliseconds of the newest answers of a model, the oldest first."""
        with self._reading() as connection:
            return brief.newest_latencies(connection, endpoint, model, limit)

    def spend_by_minute(self, since: datetime) -> list[tuple[datetime, float]]:
        """USD of every minute from `since` on in which something was spent. An attempt that may have
        been charged, at a price not known, counts as much as the dearest of them.
        """
        with self._reading() as connection:
            return brief.spend_by_minute(connection, since)

    def prune(
        self,
        before: datetime | None = None,
        *,
        unit_id: str | None = None,
        texts_only: bool = False,
        dry_run: bool = False,
    ) -> Pruned:
        """Take out what is not to be kept, for good; exports and backups made before still hold it.

        `before`: attempts that started earlier, or with `texts_only` their prompts and answers alone;
        what they cost, and the tier by which they can be priced again, stay. `unit_id`: all that ties
        the ledger to that unit; its texts, outcomes and assignments go, what its calls cost stays, and
        its experiments are analysed without it. `dry_run` counts and changes nothing.

        Hashes of requests stay, and tell whoever already has a text that it was sent. Of SQLite's file
        and its WAL no byte of what went is left, if no other program was reading at the moment; of a
        disk's own copies (snapshots, wear levelling) and of PostgreSQL's files nobody can say so. Other
        writers wait while this runs.
        """
        self._refuse_if_closed()
        return prune(self._store, before, unit_id, texts_only=texts_only, dry_run=dry_run)

    def export(
        self,
        path: str | Path,
        *,
        run_id: str | None = None,
        since: datetime | None = None,
        status: CallStatus | None = None,
    ) -> int:
        """Write attempts as JSON lines, replacing `path` whole or not at all; returns how many.

        A small ledger can be committed in this form, and rebuilt by `import_lines`.
        """
        return lines.write(Path(path), self.calls(run_id, since, status))

    def import_lines(self, path: str | Path) -> int:
        """Add the attempts of an export; returns how many were new.

        All or nothing: for a line that cannot be read, or that tells otherwise of an attempt which
        the ledger holds, LedgerError names file and line and nothing of the file is added.
        """
        self._refuse_if_closed()
        return lines.read_into(self._store, Path(path))

    def verify(self) -> Verification:
        """Check the file and read every row."""
        self._refuse_if_closed()
        return queries.verify(self._store)

    def to_pandas(
        self,
        run_id: str | None = None,
        since: datetime | None = None,
        status: CallStatus | None = None,
        *,
        messages: bool = False,
    ) -> pd.DataFrame:
        """Attempts as a table, one row each, tokens in columns of their own; `messages` and
        `params` are left out unless asked for, as they are most of the bytes.
        """
        from llmbench.ledger.frames import to_frame

        return to_frame(self.calls(run_id, since, status), messages=messages)

    def close(self) -> None:
        """Write what is waiting and close the file. A second time: nothing."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_if_closed(self) -> None:
        if self._writer.closed:
            raise LedgerError(f"The ledger {self.name} is closed: open it again to read it.")

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._refuse_if_closed()
        with self._store.reading() as connection:
            yield connection

    def __repr__(self) -> str:
        if self._writer.closed:
            state = "closed"
        elif self.path is None:  # a display must not wait for a server
            state = "open"
        else:
            state = self._count()
        return f"Ledger({self.name!r}, {state})"

    def _count(self) -> str:
        try:
            with self._reading() as connection:
                count = queries.count_calls(connection)
        except LedgerError as error:
            return str(error)
        return f"{count:,} row{'' if count == 1 else 's'}"


def _open(url: str | Path, durability: Durability) -> LedgerStore:
    if is_database(url):
        try:
            from llmbench.ledger.postgres import PostgresStore
        except ImportError as error:
            raise ConfigError(
                "A ledger in PostgreSQL needs psycopg, which is not installed or not whole: "
                "run pip install 'llmbench[postgres]'."
            ) from error
        return PostgresStore(str(url))
    return Store(ledger_path(url), durability)
