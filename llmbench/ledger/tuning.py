"""What a ledger keeps of fine-tuning jobs: which were started, and which may have been.

A row is written before anything is sent, and once more right before the one request that may start, and be
charged for, a job; so whoever comes after a crash knows whether to look for a job or to start one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmbench.errors import LedgerError
from llmbench.ledger.rows import instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Connection, LedgerStore
    from llmbench.ledger.rows import StoredValue

__all__ = ["TuningLedger", "TuningRow"]

_COLUMNS = (
    "tag, order_hash, turn, endpoint, place, base_model, ordered, quoted, prepared_at, files, asked_at, "
    "estimated_usd, job_id, state, status, seen_at, closed_at, why_closed"
)


@dataclass(frozen=True, slots=True)
class TuningRow:
    """One job, or the intent of one."""

    tag: str
    """Ours."""
    order_hash: str
    """What is trained, where and how; the same order gives the same."""
    turn: int
    """1 for an order's first job."""
    endpoint: str
    place: str
    """openai, azure, together, replicate, local."""
    base_model: str
    ordered: Mapping[str, Any]
    """The order in full; of files the bare names."""
    quoted: Mapping[str, Any]
    """What it was said to cost."""
    prepared_at: datetime
    files: tuple[str, ...] = ()
    """The ids of what was uploaded."""
    asked_at: datetime | None = None
    """When the job was asked for; None: none was started."""
    estimated_usd: float | None = None
    """The vendor's own estimate."""
    job_id: str | None = None
    """None: it is not known whether there is a job."""
    state: str = "queued"
    """As of `seen_at`: see `llmbench.finetune.states`."""
    status: Mapping[str, Any] = field(default_factory=dict)
    """What the last look showed."""
    seen_at: datetime | None = None
    closed_at: datetime | None = None
    """When it became known that this row has no job."""
    why_closed: str | None = None


class TuningLedger:
    """The part of `Ledger` that is about fine-tuning jobs; a change is durable when its method returns."""

    _store: LedgerStore

    def _reading(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def _refuse_if_closed(self) -> None:
        raise NotImplementedError

    def prepare_tuning(self, row: TuningRow) -> bool:
        """Keep an order that is about to be sent; False where another process has just done so."""
        values = (
            stored_text(row.tag),
            stored_text(row.order_hash),
            row.turn,
            stored_text(row.endpoint),
            stored_text(row.place),
            stored_text(row.base_model),
            _json(row.ordered),
            _json(row.quoted),
            instant_text(row.prepared_at),
            _json(list(row.files)),
            None if row.asked_at is None else instant_text(row.asked_at),
            row.estimated_usd,
            stored_text(row.job_id),
            stored_text(row.state),
            _json(row.status),
            None if row.seen_at is None else instant_text(row.seen_at),
            None,
            None,
        )
        places = ", ".join("?" for _ in values)
        sql = f"INSERT INTO tuning_jobs ({_COLUMNS}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608
        return bool(self._change_tuning(sql, *values))

    def tuning_sent(self, tag: str, files: tuple[str, ...]) -> None:
        """Keep the ids of all files that were uploaded for it so far."""
        self._change_row("UPDATE tuning_jobs SET files = ? WHERE tag = ?", tag, _json(list(files)))

    def tuning_asked(self, tag: str, at: datetime, estimated_usd: float | None) -> bool:
        """Keep that a job may exist from here on; False where the row was closed meanwhile, and so none is to
        be asked for.
        """
        sql = "UPDATE tuning_jobs SET asked_at = ?, estimated_usd = ? WHERE tag = ? AND closed_at IS NULL"
        return bool(self._change_tuning(sql, instant_text(at), estimated_usd, stored_text(tag)))

    def tuning_seen(
        self, tag: str, *, job_id: str | None, state: str, status: Mapping[str, Any], at: datetime
    ) -> None:
        """Keep what a look at the job showed. A job that is there opens a row that was closed for want of
        one.
        """
        sql = (
            "UPDATE tuning_jobs SET job_id = ?, state = ?, status = ?, seen_at = ?, closed_at = NULL, "
            "why_closed = NULL WHERE tag = ?"
        )
        self._change_row(sql, tag, stored_text(job_id), stored_text(state), _json(status), instant_text(at))

    def close_tuning(self, tag: str, why: str, at: datetime, *, unless_asked: bool = False) -> bool:
        """Keep that the row has no job; False, and nothing is changed, where it has one, was closed before
        or, with `unless_asked`, may have one.
        """
        sql = (
            "UPDATE tuning_jobs SET closed_at = ?, why_closed = ? "
            "WHERE tag = ? AND job_id IS NULL AND closed_at IS NULL"
        )
        sql += " AND asked_at IS NULL" if unless_asked else ""
        return bool(self._change_tuning(sql, instant_text(at), stored_text(why), stored_text(tag)))

    def tuning_jobs(
        self,
        *,
        job_id: str | None = None,
        order_hash: str | None = None,
        tag: str | None = None,
        closed: bool = False,
    ) -> list[TuningRow]:
        """Jobs, the first first: all, or those of one id, order or tag; `closed` with those that came to
        nothing.
        """
        given = {"job_id": job_id, "order_hash": order_hash, "tag": tag}
        which = [f"{column} = ?" for column, value in given.items() if value is not None]
        which += [] if closed else ["closed_at IS NULL"]
        where = f" WHERE {' AND '.join(which)}" if which else ""
        values = [stored_text(value) for value in given.values() if value is not None]
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM tuning_jobs{where} ORDER BY id",  # noqa: S608 - constants
                values,
            ).fetchall()
        return [_row(row) for row in rows]

    def _change_row(self, sql: str, tag: str, *values: StoredValue) -> None:
        if not self._change_tuning(sql, *values, stored_text(tag)):
            raise LedgerError(
                f"The ledger {self._store.name} has no fine-tuning job {tag!r}; it was taken out meanwhile."
            )

    def _change_tuning(self, sql: str, *values: StoredValue) -> int:
        self._refuse_if_closed()
        with self._store.writing() as connection, connection.transaction():
            return sum(connection.change_each(sql, [values]))


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _row(values: Any) -> TuningRow:
    (
        tag, order_hash, turn, endpoint, place, base_model, ordered, quoted, prepared_at, files, asked_at,
        estimated_usd, job_id, state, status, seen_at, closed_at, why_closed,
    ) = values  # fmt: skip
    return TuningRow(
        tag=tag,
        order_hash=order_hash,
        turn=int(turn),
        endpoint=endpoint,
        place=place,
        base_model=base_model,
        ordered=json.loads(ordered),
        quoted=json.loads(quoted),
        prepared_at=datetime.fromisoformat(prepared_at),
        files=tuple(json.loads(files)),
        asked_at=_instant(asked_at),
        estimated_usd=estimated_usd,
        job_id=job_id,
        state=state,
        status=json.loads(status) if status else {},
        seen_at=_instant(seen_at),
        closed_at=_instant(closed_at),
        why_closed=why_closed,
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
