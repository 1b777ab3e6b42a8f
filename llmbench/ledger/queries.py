"""What is read from a ledger, over a connection that only reads."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from llmbench.errors import LedgerError, UsageError
from llmbench.ledger.rows import SELECT_RECORD, decode, instant_text, stored_text
from llmbench.ledger.soundness import CHECKED_TABLES, SELECT_CHECKED, problem_of, unsound_rows
from llmbench.shown import shown
from llmbench.types import CallStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from llmbench.ledger.connections import Connection, LedgerStore
    from llmbench.types import CallRecord

__all__ = [
    "SPEND_SUMS",
    "Selection",
    "SpendTotals",
    "Verification",
    "attempts_of",
    "calls",
    "count_calls",
    "newest_answers",
    "spend",
    "verify",
]

_FROM = "FROM calls JOIN requests ON requests.id = calls.request_id"
SPEND_SUMS = (
    "count(*), count(*) FILTER (WHERE status = 'ok'), count(*) FILTER (WHERE status = 'error'), "
    "count(*) FILTER (WHERE status = 'cancelled'), count(cost), count(*) - count(cost), sum(cost)"
)
"""The fields of SpendTotals."""
_HASHES_A_QUERY = 900
_ROWS_A_PAGE = 500


class Selection(NamedTuple):
    """Which attempts: of one run, not started before an instant, of one status, started before another;
    None is any.
    """

    run_id: str | None = None
    since: datetime | None = None
    status: CallStatus | None = None
    until: datetime | None = None

    def conditions(self) -> tuple[str, list[Any]]:
        """SQL to follow a first condition, and its values. Raises UsageError for what cannot be meant."""
        sql, values = "", []
        if self.run_id is not None:
            sql += " AND calls.run_id = ?"
            values.append(stored_text(self.run_id))
        if self.since is not None:
            sql += " AND calls.started_at >= ?"
            values.append(instant_text(self.since))
        if self.until is not None:
            sql += " AND calls.started_at < ?"
            values.append(instant_text(self.until))
        if self.status is not None:
            if self.status not in get_args(CallStatus):
                allowed = ", ".join(get_args(CallStatus))
                raise UsageError(f"status is {self.status!r} and must be one of {allowed}.")
            sql += " AND calls.status = ?"
            values.append(self.status)
        return sql, values


@shown
class SpendTotals(NamedTuple):
    """Attempts and what they cost."""

    calls: int
    """Attempts recorded: a call that was tried three times counts three."""
    ok: int
    failed: int
    cancelled: int
    priced: int
    """Attempts whose cost is known, 0 included."""
    unpriced: int
    """Attempts whose cost is not known: `usd` lacks them."""
    usd: float | None
    """Sum of the known costs; None where none is known."""


@shown
class Verification(NamedTuple):
    """The state of a ledger."""

    path: Path | None
    """The file; None for a database."""
    schema_version: int | None
    calls: int
    """Attempts that can be read."""
    problems: tuple[str, ...]
    """Sentences; none if the ledger is sound."""

    @property
    def sound(self) -> bool:
        """True if nothing is wrong."""
        return not self.problems


def newest_answers(
    connection: Connection, request_hashes: Iterable[str], not_before: datetime | None = None
) -> dict[str, CallRecord]:
    """See `Ledger.answers`. An answer whose text was not kept cannot be replayed."""
    recent = "" if not_before is None else "AND newest.started_at >= ?"
    limit = [] if not_before is None else [instant_text(not_before)]
    hashes = list(dict.fromkeys(request_hashes))
    found: dict[str, CallRecord] = {}
    for start in range(0, len(hashes), _HASHES_A_QUERY):
        piece = [stored_text(each) for each in hashes[start : start + _HASHES_A_QUERY]]
        # Sorted, because two bodies may share a hash: the newest comes last and stays.
        rows = connection.execute(
            f"""
            SELECT {SELECT_RECORD} FROM requests CROSS JOIN calls ON calls.id = (
                SELECT id FROM calls AS newest
                WHERE newest.request_id = requests.id AND newest.status = 'ok'
                AND newest.content IS NOT NULL {recent}
                ORDER BY newest.started_at DESC, newest.id DESC LIMIT 1
            )
            WHERE requests.request_hash IN ({", ".join("?" * len(piece))})
            ORDER BY calls.started_at, calls.id
            """,  # noqa: S608
            [*limit, *piece],
        )
        for row in rows:
            call = decode(row)
            found[call.request_hash] = call
    return found


def attempts_of(connection: Connection, request_hash: str) -> list[CallRecord]:
    """See `Ledger.attempts_of`."""
    rows = connection.execute(
        f"SELECT {SELECT_RECORD} {_FROM} WHERE requests.request_hash = ? ORDER BY calls.started_at, calls.id",
        [stored_text(request_hash)],
    )
    return [decode(row) for row in rows]


def calls(
    reading: Callable[[], AbstractContextManager[Connection]], selection: Selection
) -> Iterator[CallRecord]:
    """See `Ledger.calls`. Refuses a wrong selection at once, not at the first `next`."""
    conditions, values = selection.conditions()
    with reading() as connection:
        last = _last(connection)
    return (decode(row) for row in _rows(reading, conditions, values, last))


def _last(connection: Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM calls").fetchone()[0])


def _rows(
    reading: Callable[[], AbstractContextManager[Connection]],
    conditions: str,
    values: list[Any],
    last: int,
    columns: str = SELECT_RECORD,
) -> Iterator[Any]:
    after = 0
    while True:
        with reading() as connection:
            page = connection.execute(
                f"SELECT {columns} {_FROM} WHERE calls.id > ? AND calls.id <= ?{conditions} "
                f"ORDER BY calls.id LIMIT {_ROWS_A_PAGE}",
                [after, last, *values],
            ).fetchall()
        yield from page
        if len(page) < _ROWS_A_PAGE or page[-1][0] <= after:  # rows of a damaged page may be out of order
            return
        after = page[-1][0]


def spend(connection: Connection, selection: Selection) -> SpendTotals:
    """See `Ledger.spend`."""
    conditions, values = selection.conditions()
    row = connection.execute(
        f"SELECT {SPEND_SUMS} FROM calls WHERE 1 = 1{conditions}",  # noqa: S608
        values,
    ).fetchone()
    return SpendTotals(*row)


def count_calls(connection: Connection) -> int:
    """Attempts in the ledger."""
    return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def verify(store: LedgerStore) -> Verification:
    """See `Ledger.verify`."""
    version, readable = None, 0
    problems: list[str] = []
    try:
        with store.reading() as connection:
            version = store.schema_version(connection)
            problems += store.damages(connection)
            for row in _rows(lambda: nullcontext(connection), "", [], _last(connection), SELECT_CHECKED):
                problem = problem_of(row)
                readable += problem is None
                problems += [problem] if problem else []
    except LedgerError as error:
        problems.append(str(error))
    for table in CHECKED_TABLES:  # each by itself: a page that cannot be read hides no other table
        try:
            with store.reading() as connection:
                problems += unsound_rows(connection, table)
        except LedgerError as error:
            problems.append(str(error))
    problems = list(dict.fromkeys(problems))  # what keeps the whole file from being read is told once
    return Verification(store.path, version, readable, tuple(problems))
