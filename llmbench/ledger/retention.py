"""Taking rows or texts out of a ledger for good."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import UsageError
from llmbench.ledger.rows import instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Connection, LedgerStore

__all__ = ["Pruned", "prune"]


class Pruned(NamedTuple):
    """What was taken out, or would be."""

    attempts: int
    """Removed, or stripped of their texts."""
    requests: int
    outcomes: int
    assignments: int


def prune(
    store: LedgerStore, before: datetime | None, unit_id: str | None, *, texts_only: bool, dry_run: bool
) -> Pruned:
    """See `Ledger.prune`."""
    if (before is None) == (unit_id is None):
        raise UsageError("Say what is to go: either before=INSTANT, or unit_id=UNIT.")
    condition = "calls.started_at < ?" if before is not None else "calls.unit_id = ?"
    value = instant_text(before) if before is not None else stored_text(unit_id)
    found = Pruned(0, 0, 0, 0)
    with store.writing() as connection:
        with suppress(_Undone), connection.transaction():
            strip = texts_only or unit_id is not None
            found = _strip(connection, condition, value) if strip else _delete(connection, condition, value)
            if unit_id is not None:
                found = found._replace(**_forget(connection, value))
            if dry_run:
                raise _Undone
        if not dry_run:
            store.compact(connection)
    return found


class _Undone(Exception):  # noqa: N818 - no error: it ends the transaction of a dry run
    pass


def _delete(connection: Connection, condition: str, value: Any) -> Pruned:
    attempts = _change(connection, f"DELETE FROM calls WHERE {condition}", value)  # noqa: S608 - one of two above
    requests = _change(
        connection,
        "DELETE FROM requests WHERE NOT EXISTS (SELECT 1 FROM calls WHERE calls.request_id = requests.id)",
    )
    outcomes = _change(
        connection,
        "DELETE FROM outcomes WHERE happened_at < ? AND (call_id IS NULL OR NOT EXISTS "
        "(SELECT 1 FROM calls WHERE calls.call_id = outcomes.call_id)) AND (unit_id IS NULL OR NOT EXISTS "
        "(SELECT 1 FROM calls WHERE calls.unit_id = outcomes.unit_id))",
        value,
    )
    return Pruned(attempts, requests, outcomes, 0)


def _strip(connection: Connection, condition: str, value: Any) -> Pruned:
    """Take the texts of attempts, and of requests that no other attempt shares."""
    other = condition.replace("calls.", "other.")
    rows = connection.execute(
        f"SELECT DISTINCT request_id FROM calls WHERE {condition} AND NOT EXISTS "  # noqa: S608
        "(SELECT 1 FROM calls AS other WHERE other.request_id = calls.request_id "
        f"AND NOT coalesce({other}, 1 = 0))",
        [value, value],
    ).fetchall()
    attempts = _change(
        connection,
        f"UPDATE calls SET content = NULL, error_message = NULL, metadata = '{{}}' WHERE {condition} "  # noqa: S608
        "AND (content IS NOT NULL OR error_message IS NOT NULL OR metadata <> '{}')",
        value,
    )
    # A digest of its own, or the same request would later be taken for one without messages.
    stripped = connection.change_each(
        "UPDATE requests SET messages = '[]', params = '{}', body_digest = ? "
        "WHERE id = ? AND messages <> '[]'",
        [(os.urandom(16), row[0]) for row in rows],
    )
    return Pruned(attempts, sum(stripped), 0, 0)


def _forget(connection: Connection, unit: Any) -> dict[str, int]:
    """Take away what ties the remaining rows to a unit."""
    outcomes = _change(
        connection,
        "DELETE FROM outcomes WHERE unit_id = ? OR call_id IN (SELECT call_id FROM calls WHERE unit_id = ?)",
        unit,
        unit,
    )
    assignments = _change(connection, "DELETE FROM assignments WHERE unit_id = ?", unit)
    _change(connection, "UPDATE calls SET unit_id = NULL WHERE unit_id = ?", unit)
    return {"outcomes": outcomes, "assignments": assignments}


def _change(connection: Connection, sql: str, *values: Any) -> int:
    return sum(connection.change_each(sql, [values]))
