"""The one thread that writes a ledger: whatever is waiting goes into one transaction.

A commit costs the same for one row as for a hundred, so while one group is being committed the
next one gathers.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from llmbench.errors import LedgerError
from llmbench.ledger.insertion import insert
from llmbench.ledger.rows import TableRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbench.ledger.connections import LedgerStore
    from llmbench.ledger.rows import Statement

__all__ = ["Writer"]

_LARGEST_GROUP = 1024
"""Rows of one transaction at most, so that other processes get their turn."""


class _Waiter(NamedTuple):
    rows: TableRows | Statement
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Writer:
    """Serves `record` of one ledger. It holds no reference to the ledger, so a forgotten ledger is
    collected and its finalizer closes this.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[_Waiter | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.closed = False

    def submit(self, rows: TableRows | Statement) -> asyncio.Future[None]:
        """Queue one attempt or statement; the future, of the running event loop, is done when it is durable.

        From here on the row is written whatever becomes of the future. Raises LedgerError if the
        ledger is closed.
        """
        self._store.refuse_after_fork()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.closed:
                raise LedgerError(f"The ledger {self._store.name} is closed: open it again to record.")
            if self._thread is None:
                # A daemon, because the interpreter joins all others before it runs the exit
                # handlers, one of which ends this thread.
                thread = threading.Thread(target=self._serve, name="llmbench-ledger", daemon=True)
                thread.start()
                self._thread = thread
            self._waiting.put(_Waiter(rows, loop, future))
        return future

    def close(self) -> None:
        """Write what is waiting, end the thread, close the file. A second time: nothing."""
        if os.getpid() != self._store.pid:
            return
        with self._lock:
            if self.closed:
                return
            self.closed = True
            if self._thread is None:
                self._store.close()
                return
            self._waiting.put(None)
        if self._thread is not threading.current_thread():  # the collector may call from that thread
            self._thread.join()

    def _serve(self) -> None:
        while self._serve_group():
            pass
        self._store.close()

    def _serve_group(self) -> bool:
        """Write what is waiting; False at the end. Apart from the loop, so that no waiter of the
        last group is kept alive while the next one is awaited.
        """
        group: list[_Waiter] = []
        waiter = self._waiting.get()
        while waiter is not None:
            group.append(waiter)
            if len(group) == _LARGEST_GROUP or self._waiting.empty():
                break
            waiter = self._waiting.get()
        if group:
            _tell(group, self._write([waiting.rows for waiting in group]))
        return waiter is not None

    def _write(self, group: Sequence[TableRows | Statement]) -> list[LedgerError | None]:
        """Commit `group`; for each row None, or why it is not in the ledger."""
        try:
            refused = set(self._store.write(lambda connection: insert(connection, group)).refused)
        except Exception as error:  # noqa: BLE001  # whatever it is, the waiters must hear of it and the next be served
            if len(group) == 1 or isinstance(error, LedgerError) or self._store.fails_for_all(error):
                return [_of_one_row(error, self._store) for _ in group]
            # One that is too long, perhaps only for what is left of the disk, must not take the others along.
            return [self._write([rows])[0] for rows in group]
        return [
            LedgerError(
                f"Attempt {rows.call[1]!r} of call {rows.call[0]!r} is in the ledger {self._store.name} "
                "with other values: give each call its own call_id and number its attempts from 1."
            )
            if position in refused and isinstance(rows, TableRows)
            else None
            for position, rows in enumerate(group)
        ]


def _of_one_row(error: Exception, store: LedgerStore) -> LedgerError:
    """An exception of its own for each waiter, because raising adds the waiter's traceback to it."""
    told = LedgerError(str(error)) if isinstance(error, LedgerError) else store.explain(error)
    told.__cause__ = error
    return told


def _tell(group: Sequence[_Waiter], outcomes: Sequence[LedgerError | None]) -> None:
    """Wake each event loop once for all of its waiters."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], LedgerError | None]]]
    by_loop = defaultdict(list)
    for waiting, outcome in zip(group, outcomes, strict=True):
        by_loop[waiting.loop].append((waiting.future, outcome))
    for loop, outcome_of in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, outcome_of)
        except RuntimeError:  # that loop is closed: nobody waits any more, and the rows are written
            continue


def _settle(outcome_of: Sequence[tuple[asyncio.Future[None], LedgerError | None]]) -> None:
    for future, error in outcome_of:
        if future.done():  # cancelled
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
