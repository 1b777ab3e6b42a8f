"""Looks at experiments in the ledger, and the plan as it was when the first was taken."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.ledger.row_sums import insert_sql, with_sum
from llmbench.ledger.rows import StoredText, instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Executor, LedgerStore

__all__ = ["RecordedLook", "frozen_plan", "looks", "record_look"]

_INSERT = f"{insert_sql('looks')} ON CONFLICT DO NOTHING"
_INSERT_PLAN = f"{insert_sql('frozen_plans')} ON CONFLICT DO NOTHING"


class RecordedLook(NamedTuple):
    """One look at an experiment."""

    number: int
    cut_off: datetime
    units: int
    information: float
    comparisons: list[dict[str, Any]]
    """What was shown."""
    seen_at: datetime


def looks(connection: Executor, experiment_id: str) -> list[RecordedLook]:
    """See `Ledger.looks`."""
    rows = connection.execute(
        "SELECT look, cut_off, units, information, comparisons, seen_at FROM looks "
        "WHERE experiment_id = ? ORDER BY look",
        (stored_text(experiment_id),),
    )
    return [
        RecordedLook(
            int(number), datetime.fromisoformat(cut_off), int(units), float(information),
            json.loads(shown), datetime.fromisoformat(seen_at),
        )
        for number, cut_off, units, information, shown, seen_at in rows
    ]  # fmt: skip


def frozen_plan(connection: Executor, experiment_id: str) -> dict[str, Any] | None:
    """See `Ledger.frozen_plan`."""
    row = connection.execute(
        "SELECT parameters FROM frozen_plans WHERE experiment_id = ?", (stored_text(experiment_id),)
    ).fetchone()
    return None if row is None else dict(json.loads(row[0]))


def record_look(
    store: LedgerStore,
    experiment_id: str,
    number: int,
    *,
    cut_off: datetime,
    units: int,
    information: float,
    parameters: Mapping[str, Any],
    comparisons: Sequence[Mapping[str, Any]],
    seen_at: datetime,
) -> bool:
    """See `Ledger.record_look`."""
    name, at = stored_text(experiment_id), instant_text(seen_at)
    look = (
        name, int(number), instant_text(cut_off), int(units), float(information), _json(list(comparisons)),
        at,
    )  # fmt: skip
    with store.writing() as connection, connection.transaction():
        # Both tables change together, so the plan is that of whoever took the first look.
        (made,) = connection.change_each(_INSERT, [with_sum("looks", look)])
        if made:
            plan = (name, _json(dict(parameters)), at)
            connection.change_each(_INSERT_PLAN, [with_sum("frozen_plans", plan)])
    return bool(made)


def _json(value: object) -> StoredText:
    return stored_text(json.dumps(value, ensure_ascii=False, allow_nan=False))
