"""Which reply belongs to which unit: matched when it is read, because it may be recorded before its call."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.ledger.outcomes import Event, Outcome, Outcomes
from llmbench.ledger.rows import instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Executor

__all__ = ["read_outcomes"]

_Key = tuple[str, str | None]
"""A unit and an experiment; None is outside of any."""

# A call that was answered twice counts once.
_CALLS = (
    "SELECT asked.unit, asked.experiment_id, asked.arm, asked.model, min(asked.started_at), "
    "count(asked.answered_at), min(asked.answered_at), "
    "coalesce(sum(asked.cost), 0), count(asked.cost), count(*) FROM ("
    "SELECT coalesce(calls.unit_id, calls.call_id) AS unit, calls.experiment_id, calls.arm, "
    "requests.endpoint || '/' || requests.model AS model, calls.started_at, calls.cost, "
    "CASE WHEN calls.status = 'ok' AND (calls.attempt = 1 OR NOT EXISTS (SELECT 1 FROM calls AS earlier "
    "WHERE earlier.call_id = calls.call_id AND earlier.status = 'ok' AND earlier.attempt < calls.attempt)) "
    "THEN calls.started_at END AS answered_at "
    "FROM calls JOIN requests ON requests.id = calls.request_id "
    "WHERE (calls.unit_id IS NOT NULL OR calls.experiment_id IS NULL){of_experiment}) AS asked "
    "GROUP BY asked.unit, asked.experiment_id, asked.arm, asked.model"
)
_WITHOUT_UNIT = (
    "SELECT count(*) FROM calls "
    "WHERE calls.unit_id IS NULL AND calls.experiment_id IS NOT NULL{of_experiment}"
)
_EVENTS = (
    "SELECT outcomes.unit_id, outcomes.call_id, outcomes.replied, outcomes.happened_at, outcomes.value, "
    "outcomes.metadata, coalesce(named.unit_id, named.call_id), named.experiment_id, "
    "CASE WHEN EXISTS (SELECT 1 FROM calls AS sent WHERE sent.status = 'ok' "
    "AND sent.unit_id = coalesce(named.unit_id, outcomes.unit_id)) "
    "OR EXISTS (SELECT 1 FROM calls AS sent WHERE sent.status = 'ok' AND sent.call_id = named.call_id) "
    "THEN 1 ELSE 0 END "
    "FROM outcomes LEFT JOIN calls AS named ON named.call_id = coalesce(outcomes.call_id, outcomes.unit_id) "
    "AND named.attempt = (SELECT min(first.attempt) FROM calls AS first "
    "WHERE first.call_id = coalesce(outcomes.call_id, outcomes.unit_id)) "
    "ORDER BY outcomes.happened_at, outcomes.id"
)
_ASSIGNMENTS = (
    "SELECT unit_id, experiment_id, epoch, arm, probability, assigned_at FROM assignments{of_experiment} "
    "ORDER BY epoch"
)


class _Place(NamedTuple):
    """One assignment of a unit."""

    epoch: int | None
    arm: str
    probability: float | None
    assigned_at: str


@dataclass(slots=True)
class _Unit:
    """What the ledger holds of one unit in one experiment."""

    asked_at: str = ""
    asked: str | None = None
    """The model asked first."""
    sent: int = 0
    first_sent: str = ""
    sent_at: datetime | None = None
    """`first_sent` as an instant, once something came of it."""
    served: dict[str, int] = field(default_factory=dict)
    arm: str | None = None
    """As the first answered call has it."""
    costs: list[float] = field(default_factory=list)
    unpriced: int = 0
    places: list[_Place] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add_calls(self, row: Any) -> None:
        """Take in the calls of one arm and model."""
        _, _, arm, model, asked_at, sent, first_sent, cost, priced, attempts = row
        if not self.asked_at or asked_at < self.asked_at:
            self.asked_at, self.asked = asked_at, model
        if priced:
            self.costs.append(cost)
        self.unpriced += attempts - priced
        if sent:
            self.sent += sent
            self.served[model] = self.served.get(model, 0) + sent
            if not self.first_sent or first_sent < self.first_sent:
                self.first_sent, self.arm = first_sent, arm
        elif not self.sent:
            self.arm = self.arm or arm

    def begins(self) -> str:
        """When the unit entered: its first answer, or what there is instead."""
        return self.first_sent or self.asked_at or self.places[0].assigned_at

    def place(self) -> _Place | None:
        """The assignment in force at the first answer: a later one cannot have caused what came of it."""
        if not self.places:
            return None if self.arm is None else _Place(None, self.arm, None, "")
        before = [place for place in self.places if place.assigned_at <= self.begins()]
        return before[-1] if before else self.places[0]


def read_outcomes(
    connection: Executor,
    experiment_id: str | None,
    since: datetime | None,
    until: datetime | None,
    window: timedelta | None,
) -> Outcomes:
    """See `Ledger.outcomes`."""
    values = [] if experiment_id is None else [stored_text(experiment_id)]
    low = "" if since is None else instant_text(since)
    high = "~" if until is None else instant_text(until)  # a tilde sorts after every digit
    and_of = " AND calls.experiment_id = ?" if values else ""
    units: dict[_Key, _Unit] = {}
    for row in connection.execute(_CALLS.format(of_experiment=and_of), values):
        units.setdefault((row[0], row[1]), _Unit()).add_calls(row)
    where_of = " WHERE experiment_id = ?" if values else ""
    for unit_id, experiment, *place in connection.execute(
        _ASSIGNMENTS.format(of_experiment=where_of), values
    ):
        units.setdefault((unit_id, experiment), _Unit()).places.append(_Place(*place))
    without_unit = connection.execute(_WITHOUT_UNIT.format(of_experiment=and_of), values).fetchone()[0]
    if low or until is not None:
        units = {key: unit for key, unit in units.items() if low <= unit.begins() < high}
    alone, early, late = _match(connection, units, window)
    found = sorted(units.items(), key=lambda item: item[1].begins())
    return Outcomes(
        tuple(_outcome(key, unit) for key, unit in found if unit.sent),
        without_exposure=tuple(alone),
        before_exposure=tuple(early),
        after_window=tuple(late),
        not_sent=tuple(_outcome(key, unit) for key, unit in found if not unit.sent),
        attempts_without_unit=int(without_unit),
    )


def _match(
    connection: Executor, units: Mapping[_Key, _Unit], window: timedelta | None
) -> tuple[list[Event], list[Event], list[Event]]:
    """Put every event to its units; give those that belong to none, came before, or came too late."""
    by_name: dict[str, list[_Unit]] = {}
    for (name, _), unit in units.items():
        if unit.sent:
            by_name.setdefault(name, []).append(unit)
    alone: list[Event] = []
    early: list[Event] = []
    late: list[Event] = []
    for *recorded, of_unit, of_experiment, known in connection.execute(_EVENTS):
        unit_id, call_id, replied, at, value, metadata = recorded
        event = Event(
            unit_id, call_id, bool(replied), datetime.fromisoformat(at), value, json.loads(metadata)
        )
        exposed = by_name.get(unit_id or "")
        if exposed is None and of_unit is not None:
            # Of one call: it says nothing of the unit's other experiments.
            own = units.get((of_unit, of_experiment))
            if own is not None:
                exposed = [own] if own.sent else by_name.get(of_unit)
        if exposed is None:
            if not known:  # else it is of calls that were not selected
                alone.append(event)
            continue
        after = [unit for unit in exposed if event.happened_at >= _sent_at(unit)]
        inside = [unit for unit in after if window is None or event.happened_at <= _sent_at(unit) + window]
        if not after:
            early.append(event)
        elif not inside:
            late.append(event)
        for unit in inside:
            unit.events.append(event)
    return alone, early, late


def _sent_at(unit: _Unit) -> datetime:
    if unit.sent_at is None:
        unit.sent_at = datetime.fromisoformat(unit.first_sent)
    return unit.sent_at


def _outcome(key: _Key, unit: _Unit) -> Outcome:
    place = unit.place()
    replies = [event for event in unit.events if event.replied]
    metadata: dict[str, Any] = {
        "model": place.arm if place else max(unit.served, key=unit.served.__getitem__, default=unit.asked),
        "arm": place.arm if place else None,
        "arms": tuple(dict.fromkeys(each.arm for each in unit.places)) or ((place.arm,) if place else ()),
        "epoch": place.epoch if place else None,
        "probability": place.probability if place else None,
        "served": unit.served,
        "first_sent": _sent_at(unit) if unit.sent else None,
        "first_reply": replies[0].happened_at if replies else None,
        "replies": len(replies),
        "value": _sum(event.value for event in unit.events if event.value is not None),
        "cost": _sum(unit.costs),
        "unpriced": unit.unpriced,
        "events": tuple(unit.events),
    }
    return Outcome(key[0], key[1], unit.sent, int(bool(replies)), metadata)


def _sum(amounts: Iterable[float]) -> float | None:
    known = list(amounts)
    return math.fsum(known) if known else None
