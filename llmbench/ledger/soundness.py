"""Whether a row that can be read is the row that was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmbench.errors import LedgerError
from llmbench.ledger.rows import CALL_COLUMNS, REQUEST_COLUMNS, SELECT_RECORD, checksum, decode, digest

__all__ = ["SELECT_CHECKED", "body_is_whole", "problem_of"]

SELECT_CHECKED = f"{SELECT_RECORD}, requests.body_digest, calls.checksum"
"""What `problem_of` reads, of `calls` joined with `requests`."""

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
