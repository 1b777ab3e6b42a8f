"""What a ledger keeps of batches: which a vendor was given, and which it may have been given."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llmbench.errors import LedgerError
from llmbench.ledger.rows import instant_text, stored_text
from llmbench.types import BatchRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbench.ledger.connections import Connection, LedgerStore

__all__ = ["BatchesLedger"]

_COLUMNS = "tag, endpoint, model, run_id, request_hashes, prepared_at, job_id"


class BatchesLedger:
    """The part of `Ledger` that is about batches: a `llmbench.types.BatchJournal`."""

    _store: LedgerStore

    def _reading(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def _refuse_if_closed(self) -> None:
        raise NotImplementedError

    def prepare_batch(self, row: BatchRow) -> None:
        """Keep a batch that is about to be given to a vendor; durable when it returns."""
        values = (
            stored_text(row.tag),
            stored_text(row.endpoint),
            stored_text(row.model),
            stored_text(row.run_id),
            json.dumps(row.request_hashes),
            instant_text(row.prepared_at),
            stored_text(row.job_id),
        )
        self._change(
            f"INSERT INTO batches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constants
            *values,
        )

    def batch_submitted(self, tag: str, job_id: str) -> None:
        """Keep that the vendor has the batch as `job_id`; durable when it returns."""
        self._change_one("UPDATE batches SET job_id = ? WHERE tag = ?", tag, stored_text(job_id))

    def close_batch(self, tag: str, why: str) -> None:
        """Keep that nothing more is to come of the batch; durable when it returns."""
        sql = "UPDATE batches SET closed_at = ?, why_closed = ? WHERE tag = ?"
        self._change_one(sql, tag, instant_text(datetime.now(UTC)), stored_text(why))

    def open_batches(self, endpoint: str | None = None) -> list[BatchRow]:
        """The batches of `endpoint`, or of all, of which more may come, the first first."""
        which, values = ("", ()) if endpoint is None else ("endpoint = ? AND ", (stored_text(endpoint),))
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM batches WHERE {which}closed_at IS NULL ORDER BY id",  # noqa: S608
                values,
            ).fetchall()
        return [
            BatchRow(tag, place, model, tuple(json.loads(hashes)), datetime.fromisoformat(at), run_id, job_id)
            for tag, place, model, run_id, hashes, at, job_id in rows
        ]

    def recorded_calls(self, call_ids: Sequence[str]) -> set[str]:
        """Those of `call_ids` of which the ledger has an attempt."""
        with self._reading() as connection:
            found = connection.select_each(
                "SELECT call_id FROM calls WHERE call_id = ? LIMIT 1",
                [(stored_text(call_id),) for call_id in call_ids],
            )
        return {row[0] for rows in found for row in rows}

    def _change_one(self, sql: str, tag: str, *values: str | bytes | None) -> None:
        if not self._change(sql, *values, stored_text(tag)):
            raise LedgerError(
                f"The ledger {self._store.name} has no batch {tag!r}; it was taken out meanwhile."
            )

    def _change(self, sql: str, *values: str | bytes | None) -> int:
        self._refuse_if_closed()
        with self._store.writing() as connection, connection.transaction():
            return sum(connection.change_each(sql, [values]))
