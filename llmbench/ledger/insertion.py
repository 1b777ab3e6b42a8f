"""Rows into the two tables, each attempt at most once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmbench.ledger.rows import CALL_COLUMNS, REQUEST_COLUMNS, Statement, TableRows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["Inserted", "insert"]

_INSERT_REQUEST = (
    f"INSERT INTO requests ({', '.join(REQUEST_COLUMNS)}) "  # noqa: S608  # constants of this package
    f"VALUES ({', '.join('?' * len(REQUEST_COLUMNS))}) ON CONFLICT (body_digest) DO NOTHING"
)
_INSERT_CALL = (
    f"INSERT INTO calls (request_id, {', '.join(CALL_COLUMNS)}) "  # noqa: S608
    f"VALUES ((SELECT id FROM requests WHERE body_digest = ?), {', '.join('?' * len(CALL_COLUMNS))})"
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


def insert(connection: sqlite3.Connection, group: Sequence[TableRows | Statement]) -> Inserted:
    """Add `group` within the caller's transaction. An attempt that is stored already with the same
    values is left as it is.
    """
    added = 0
    refused: list[int] = []
    for position, rows in enumerate(group):
        if isinstance(rows, Statement):
            added += connection.execute(*rows).rowcount
            continue
        values = (rows.request[0], *rows.call)
        stored = connection.execute(_SELECT_STORED, rows.call[:2]).fetchone()
        if stored is None:
            connection.execute(_INSERT_REQUEST, rows.request)
            connection.execute(_INSERT_CALL, values)
            added += 1
        elif tuple(stored) != values:
            refused.append(position)
    return Inserted(added, refused)
