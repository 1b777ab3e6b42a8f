"""Whether a row that can be read is the row that was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import LedgerError
from llmbench.ledger.outcomes import OUTCOME_COLUMNS, outcome_is_whole
from llmbench.ledger.row_sums import SUMMED, row_is_whole
from llmbench.ledger.rows import CALL_COLUMNS, REQUEST_COLUMNS, SELECT_RECORD, checksum, decode, digest

if TYPE_CHECKING:
    from llmbench.ledger.connections import Connection

__all__ = [
    "CHECKED_TABLES",
    "SELECT_CHECKED",
    "body_is_whole",
    "is_as_recorded",
    "problem_of",
    "unsound_rows",
]

SELECT_CHECKED = f"{SELECT_RECORD}, requests.body_digest, calls.checksum"
"""What `problem_of` reads, of `calls` joined with `requests`."""

CHECKED_TABLES: Mapping[str, Sequence[str]] = {
    **{table: (*columns, "checksum") for table, columns in SUMMED.items()},
    "outcomes": OUTCOME_COLUMNS,
}
"""The tables whose rows can be checked by themselves, and the columns that this takes."""

_ROWS_A_PAGE = 500
_BODY = slice(1, len(REQUEST_COLUMNS))
_CALL = slice(len(REQUEST_COLUMNS), len(REQUEST_COLUMNS) + len(CALL_COLUMNS))
_MESSAGES = REQUEST_COLUMNS.index("messages") - 1


def problem_of(row: Sequence[Any]) -> str | None:
    """A sentence for a row of SELECT_CHECKED that is damaged or altered; None for a sound one."""
    try:
        decode(row[:-2])
    except LedgerError as error:
        return str(error)
    body_digest, stored = row[-2:]
    if stored is not None and not _is_sum(bytes(stored), row[_CALL], body_digest):
        return (
            f"Row {row[0]} of the ledger's table `calls` is not as it was recorded (its checksum differs): "
            "bring it back from an export."
        )
    if not body_is_whole(row[_BODY], body_digest):
        return (
            f"Row {row[0]} of the ledger's table `calls` has a request that is not as it was recorded "
            "(its checksum differs): bring it back from an export."
        )
    return None


def _is_sum(stored: bytes, call: Sequence[Any], body_digest: Any) -> bool:
    bound = None if body_digest is None else bytes(body_digest)
    return stored in (checksum(call, bound), checksum(call, None))


def body_is_whole(body: Sequence[Any], body_digest: Any) -> bool:
    """Whether `body`, the values of REQUEST_COLUMNS but the first, has its digest. A request that was
    stripped of its texts has another on purpose.
    """
    return bool(body[_MESSAGES] == "[]" or (body_digest is not None and bytes(body_digest) == digest(body)))


def is_as_recorded(table: str, row: Mapping[str, Any]) -> bool:
    """Whether a row of one of CHECKED_TABLES, by column, is what was written. A row without a checksum (of
    an older schema version, which may lack other columns too) passes.
    """
    if table == "outcomes":
        return outcome_is_whole(row)
    return row_is_whole(table, [row.get(name) for name in SUMMED[table]], row.get("checksum"))


def unsound_rows(connection: Connection, table: str) -> Iterator[str]:
    """A sentence for each row of one of CHECKED_TABLES that is damaged or altered."""
    columns = CHECKED_TABLES[table]
    after, seen = 0, -1
    # A damaged page may have its rows out of order, and what comes after its last would come for ever.
    while after > seen:
        seen = after
        page = connection.execute(
            f"SELECT id, {', '.join(columns)} FROM {table} WHERE id > ? ORDER BY id LIMIT {_ROWS_A_PAGE}",  # noqa: S608
            [after],
        ).fetchall()
        for after, *values in page:
            if not is_as_recorded(table, dict(zip(columns, values, strict=True))):
                yield (
                    f"Row {after} of the ledger's table `{table}` is not as it was recorded (its checksum "
                    "differs): bring it back from a backup."
                )
