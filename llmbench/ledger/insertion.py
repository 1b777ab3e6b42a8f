"""Rows into the two tables, each attempt at most once."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple

from llmbench.ledger.rows import CALL_COLUMNS, REQUEST_COLUMNS, Statement, TableRows, checksum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbench.ledger.connections import Connection

__all__ = ["Inserted", "insert"]

# Not for an attempt that is there already, so that a refused one leaves nothing of itself behind.
_INSERT_REQUEST = (
    f"INSERT INTO requests ({', '.join(REQUEST_COLUMNS)}) "  # noqa: S608  # constants of this package
    f"SELECT {', '.join('?' * len(REQUEST_COLUMNS))} "
    "WHERE NOT EXISTS (SELECT 1 FROM calls WHERE call_id = ? AND attempt = ?) "
    "ON CONFLICT (body_digest) DO NOTHING"
)
_INSERT_CALL = (
    f"INSERT INTO calls (request_id, {', '.join(CALL_COLUMNS)}, checksum) "  # noqa: S608
    f"SELECT id, {', '.join('?' * len(CALL_COLUMNS))}, ? FROM requests WHERE body_digest = ? "
    "ON CONFLICT (call_id, attempt) DO NOTHING"
)
_SELECT_STORED = (
    f"SELECT requests.body_digest, {', '.join(f'calls.{c}' for c in CALL_COLUMNS)} "  # noqa: S608
    "FROM calls JOIN requests ON requests.id = calls.request_id "
    "WHERE calls.call_id = ? AND calls.attempt = ?"
)


class Inserted(NamedTuple):
    """What came of a group: rows added, and the positions of those that were refused because the
    ledger holds other values under their (call_id, attempt).
    """

    added: int
    refused: list[int]


def insert(connection: Connection, group: Sequence[TableRows | Statement]) -> Inserted:
    """Add `group` within the caller's transaction: its attempts in their order, then its statements
    in theirs. An attempt that is stored already with the same values is left as it is.
    """
    attempts = [(position, rows) for position, rows in enumerate(group) if isinstance(rows, TableRows)]
    # Two processes that add the same bodies in opposite orders would wait for each other for ever.
    requests = sorted(((*rows.request, *rows.call[:2]) for _, rows in attempts), key=itemgetter(0))
    connection.change_each(_INSERT_REQUEST, requests)
    calls = [(*rows.call, checksum(rows.call, rows.request[0]), rows.request[0]) for _, rows in attempts]
    added = connection.change_each(_INSERT_CALL, calls)
    there = [attempt for attempt, count in zip(attempts, added, strict=True) if not count]
    stored = connection.select_each(_SELECT_STORED, [rows.call[:2] for _, rows in there])
    refused = [
        position
        for (position, rows), found in zip(there, stored, strict=True)
        if [tuple(each) for each in found] != [(rows.request[0], *rows.call)]
    ]
    total = sum(added)
    statements = (rows for rows in group if isinstance(rows, Statement))
    for sql, alike in groupby(statements, key=attrgetter("sql")):
        total += sum(connection.change_each(sql, [statement.values for statement in alike]))
    return Inserted(total, refused)
