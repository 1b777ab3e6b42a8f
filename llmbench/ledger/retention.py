"""Taking rows or texts out of a ledger for good."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import UsageError
from llmbench.ledger.privacy import metadata_without_texts, params_without_texts
from llmbench.ledger.rows import StoredText, instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Connection, LedgerStore

__all__ = ["Pruned", "prune"]


class Pruned(NamedTuple):
    """What was taken out, or would be."""

    attempts: int
    """Removed, or stripped of their texts; of a unit, all that were made for it."""
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
    bare_requests = list(_bare_requests(connection, condition, value))
    attempts = connection.change_each(
        "UPDATE calls SET content = NULL, error_message = NULL, metadata = ?, checksum = NULL WHERE id = ?",
        list(_bare_calls(connection, condition, value)),
    )
    # Also of attempts that had no text: which request they answer is part of their checksum.
    connection.change_each(
        "UPDATE calls SET checksum = NULL WHERE request_id = ?", [(id_,) for _, id_ in bare_requests]
    )
    # A digest of its own, or the same request would later be taken for one without messages.
    stripped = connection.change_each(
        "UPDATE requests SET messages = '[]', params = ?, body_digest = ? WHERE id = ?",
        [(params, os.urandom(16), id_) for params, id_ in bare_requests],
    )
    return Pruned(sum(attempts), sum(stripped), 0, 0)


def _bare_calls(connection: Connection, condition: str, value: Any) -> Iterator[tuple[StoredText, int]]:
    """Metadata without texts and the id, of attempts that have any text. What prices a call stays."""
    for id_, metadata, has_text in connection.execute(
        "SELECT id, metadata, CASE WHEN content IS NULL AND error_message IS NULL THEN 0 ELSE 1 END "  # noqa: S608
        f"FROM calls WHERE {condition} "
        "AND (content IS NOT NULL OR error_message IS NOT NULL OR metadata <> '{}')",
        [value],
    ):
        found = _parsed(metadata)
        bare = metadata_without_texts(found)
        if has_text or bare != found:
            yield _json(bare), id_


def _bare_requests(connection: Connection, condition: str, value: Any) -> Iterator[tuple[StoredText, int]]:
    """The same of requests that have any text, if no other attempt sent them."""
    other = condition.replace("calls.", "other.")
    for id_, params, has_text in connection.execute(
        "SELECT id, params, CASE WHEN messages = '[]' THEN 0 ELSE 1 END FROM requests "  # noqa: S608
        f"WHERE id IN (SELECT calls.request_id FROM calls WHERE {condition}) AND NOT EXISTS "
        "(SELECT 1 FROM calls AS other WHERE other.request_id = requests.id "
        f"AND NOT coalesce({other}, 1 = 0)) AND (messages <> '[]' OR params <> '{{}}')",
        [value, value],
    ):
        found = _parsed(params)
        bare = params_without_texts(found)
        if has_text or bare != found:
            yield _json(bare), id_


def _json(found: Mapping[str, Any]) -> StoredText:
    return stored_text(json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def _parsed(stored: StoredText) -> Any:
    return json.loads(stored.decode(errors="surrogatepass") if isinstance(stored, bytes) else stored)


def _forget(connection: Connection, unit: Any) -> dict[str, int]:
    """Take away what ties the remaining rows to a unit."""
    outcomes = _change(
        connection,
        "DELETE FROM outcomes WHERE unit_id = ? OR call_id IN (SELECT call_id FROM calls WHERE unit_id = ?)",
        unit,
        unit,
    )
    assignments = _change(connection, "DELETE FROM assignments WHERE unit_id = ?", unit)
    attempts = _change(connection, "UPDATE calls SET unit_id = NULL, checksum = NULL WHERE unit_id = ?", unit)
    return {"attempts": attempts, "outcomes": outcomes, "assignments": assignments}


def _change(connection: Connection, sql: str, *values: Any) -> int:
    return sum(connection.change_each(sql, [values]))
