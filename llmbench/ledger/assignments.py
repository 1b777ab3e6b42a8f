"""Experiments in the ledger: the epochs of their weights, and which unit is in which arm."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import UsageError
from llmbench.ledger.attributes import attributes_of, attributes_text
from llmbench.ledger.row_sums import SUMMED, insert_sql, with_sum
from llmbench.ledger.rows import Statement, instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Executor, LedgerStore

__all__ = ["Assignment", "Epoch", "assigned", "assignment_row", "assignments", "epochs", "open_epoch"]

_ROWS_A_PAGE = 5_000
_COLUMNS = ", ".join(SUMMED["assignments"])
_INSERT = f"{insert_sql('assignments')} ON CONFLICT (experiment_id, unit_id, epoch) DO NOTHING"
_INSERT_EPOCH = f"{insert_sql('epochs')} ON CONFLICT (experiment_id, epoch) DO NOTHING"
_NONE: Mapping[str, str] = MappingProxyType({})


class Epoch(NamedTuple):
    """A time in which the weights of an experiment stayed the same."""

    experiment_id: str
    epoch: int
    weights: Mapping[str, float]
    started_at: datetime


class Assignment(NamedTuple):
    """The arm of one unit, and the probability with which it got it."""

    experiment_id: str
    unit_id: str
    epoch: int
    arm: str
    probability: float
    assigned_at: datetime
    attributes: Mapping[str, Any] = _NONE
    """What was known of the unit, as texts once it is read: mailbox, campaign, size."""


def assignment_row(found: Assignment) -> Statement:
    """What writes it; a second row of the same unit and epoch changes nothing."""
    if not 0 < found.probability <= 1:
        raise UsageError(
            f"The probability of an assignment is above 0 and at most 1; it is {found.probability!r}."
        )
    values = (
        stored_text(found.experiment_id),
        stored_text(found.unit_id),
        int(found.epoch),
        stored_text(found.arm),
        float(found.probability),
        instant_text(found.assigned_at),
        attributes_text(found.attributes),
    )
    return Statement(_INSERT, with_sum("assignments", values))


def assigned(connection: Executor, experiment_id: str, unit_id: str) -> Assignment | None:
    """See `Ledger.assigned`."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM assignments WHERE experiment_id = ? AND unit_id = ? "  # noqa: S608
        "ORDER BY epoch DESC LIMIT 1",
        (stored_text(experiment_id), stored_text(unit_id)),
    ).fetchone()
    return None if row is None else _assignment(row)


def assignments(
    reading: Callable[[], AbstractContextManager[Executor]], experiment_id: str
) -> Iterator[Assignment]:
    """See `Ledger.assignments`."""
    after, seen = 0, -1
    while after > seen:  # rows of a damaged page may be out of order
        seen = after
        with reading() as connection:
            page = connection.execute(
                f"SELECT {_COLUMNS}, id FROM assignments WHERE experiment_id = ? AND id > ? "  # noqa: S608
                f"ORDER BY id LIMIT {_ROWS_A_PAGE}",
                (stored_text(experiment_id), after),
            ).fetchall()
        for *row, after in page:  # noqa: B007 - the last one is where the next page begins
            yield _assignment(row)


def epochs(connection: Executor, experiment_id: str) -> list[Epoch]:
    """See `Ledger.epochs`."""
    rows = connection.execute(
        "SELECT experiment_id, epoch, weights, started_at FROM epochs WHERE experiment_id = ? ORDER BY epoch",
        (stored_text(experiment_id),),
    )
    return [Epoch(name, number, json.loads(w), datetime.fromisoformat(at)) for name, number, w, at in rows]


def open_epoch(store: LedgerStore, experiment_id: str, weights: Mapping[str, float], at: datetime) -> int:
    """See `Ledger.open_epoch`."""
    text = _weights_text(weights)
    while True:
        with store.writing() as connection, connection.transaction():
            newest = connection.execute(
                "SELECT epoch, weights FROM epochs WHERE experiment_id = ? ORDER BY epoch DESC LIMIT 1",
                (stored_text(experiment_id),),
            ).fetchone()
            if newest is not None and newest[1] == text:
                return int(newest[0])
            number = 1 if newest is None else int(newest[0]) + 1
            values = (stored_text(experiment_id), number, stored_text(text), instant_text(at))
            (made,) = connection.change_each(_INSERT_EPOCH, [with_sum("epochs", values)])
        if made:  # else another process was first, and its weights may be these
            return number


def _weights_text(weights: Mapping[str, float]) -> str:
    """One text for the same weights, whatever their order and whether 1 is written 1 or 1.0."""
    if not weights or not all(0 <= weight < math.inf for weight in weights.values()):
        raise UsageError(
            f"The weights of an epoch are numbers of 0 or more, one an arm; they are {weights!r}."
        )
    return json.dumps({arm: float(weights[arm]) for arm in sorted(weights)}, ensure_ascii=False)


def _assignment(row: Any) -> Assignment:
    experiment_id, unit_id, epoch, arm, probability, at, attributes = row
    return Assignment(
        experiment_id, unit_id, epoch, arm, probability, datetime.fromisoformat(at), attributes_of(attributes)
    )
