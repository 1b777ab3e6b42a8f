"""What came of calls: replies, and their value, by the unit they were made for."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from llmbench.errors import UsageError
from llmbench.ledger.rows import Statement, instant_text, stored_text

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.ledger.connections import Executor

__all__ = ["Event", "Outcome", "Outcomes", "outcome_row", "read_outcomes"]


class Event(NamedTuple):
    """One thing that happened after a call, as it was recorded."""

    unit_id: str | None
    call_id: str | None
    replied: bool
    happened_at: datetime
    value: float | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the calls for one unit, in one experiment or in none.

    `sent` counts answered calls. `replied` is 1 if a reply came after the first of them, within the
    window where there is one, else 0. `metadata` holds `model` (the assigned arm; outside of an
    experiment the model asked most), `arm`, `served` ({endpoint/model: answered calls}), `first_sent`,
    `first_reply`, `replies`, `value`, `cost` (USD of all attempts; None if none is known) and
    `unpriced` (attempts that `cost` lacks).
    """

    unit_id: str
    experiment_id: str | None
    sent: int
    replied: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcomes(Sequence[Outcome]):
    """Outcomes of all units that were sent something, and what could not be counted."""

    rows: tuple[Outcome, ...]
    without_exposure: tuple[Event, ...] = ()
    """Events of a unit or call that the ledger has no answered call of."""
    before_exposure: tuple[Event, ...] = ()
    """Replies that happened before the first answer to their unit: not counted."""
    after_window: tuple[Event, ...] = ()
    """Replies later than the window: not counted."""
    not_sent: tuple[str, ...] = ()
    """Units that were assigned, and to which nothing was answered."""

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Outcome]: ...
    def __getitem__(self, index: int | slice) -> Outcome | Sequence[Outcome]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.rows)

    def to_pandas(self) -> pd.DataFrame:
        """One row per unit."""
        import pandas as pd

        rows = [
            {"unit_id": o.unit_id, "experiment_id": o.experiment_id, "sent": o.sent, "replied": o.replied}
            | {key: value for key, value in o.metadata.items() if key != "served"}
            for o in self.rows
        ]
        return pd.DataFrame(rows)

    def notes(self) -> list[str]:
        """What was not counted, in sentences."""
        told = (
            (len(self.without_exposure), "outcomes belong to no answered call of the ledger"),
            (len(self.before_exposure), "replies came before the first answer to their unit"),
            (len(self.after_window), "replies came after the window"),
            (len(self.not_sent), "units were assigned but never sent anything"),
        )
        return [f"{count:,} {what}." for count, what in told if count]

    def _repr_html_(self) -> str:
        from llmbench.plain_table import PlainTable

        by_model: dict[str, list[int]] = {}
        for outcome in self.rows:
            sums = by_model.setdefault(str(outcome.metadata["model"]), [0, 0, 0])
            sums[0] += 1
            sums[1] += outcome.sent
            sums[2] += outcome.replied
        rows = [
            (model, f"{units:,}", f"{sent:,}", f"{replied:,}", f"{replied / units:.2%}")
            for model, (units, sent, replied) in sorted(by_model.items())
        ]
        table = PlainTable(("model", "units", "messages", "units that replied", "share"), rows)
        return table.html() + "".join(f"<p>{note}</p>" for note in self.notes())


def outcome_row(event: Event, recorded_at: datetime) -> Statement:
    """What writes one event; the same event again changes nothing. Raises UsageError."""
    if (event.unit_id is None) == (event.call_id is None):
        raise UsageError("An outcome belongs to a unit or to a call: give either unit_id or call_id.")
    for name, given in (("unit_id", event.unit_id), ("call_id", event.call_id)):
        if given is not None and (type(given) is not str or not given):
            raise UsageError(f"{name} must be a text; it is {given!r}.")
    if not isinstance(event.replied, bool):
        raise UsageError(f"replied must be True or False; it is {event.replied!r}.")
    value = event.value
    if value is not None and (isinstance(value, bool) or not math.isfinite(value)):
        raise UsageError(f"value must be USD, or None where it is not known; it is {value!r}.")
    try:
        metadata = json.dumps(dict(event.metadata), sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The metadata of an outcome must be JSON ({error}).") from error
    at = instant_text(event.happened_at)
    identity = json.dumps([event.unit_id, event.call_id, event.replied, at, value, metadata])
    digest = hashlib.blake2b(identity.encode(), digest_size=16).digest()
    return Statement(
        "INSERT INTO outcomes (digest, unit_id, call_id, replied, happened_at, value, recorded_at, metadata) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING",
        (
            digest,
            stored_text(event.unit_id),
            stored_text(event.call_id),
            int(event.replied),
            at,
            None if value is None else float(value),
            instant_text(recorded_at),
            stored_text(metadata),
        ),
    )


@dataclass(slots=True)
class _Unit:
    """What the ledger holds of one unit in one experiment."""

    arm: str | None = None
    sent: int = 0
    first_sent: str | None = None
    served: dict[str, int] = field(default_factory=dict)
    cost: float = 0.0
    priced: int = 0
    unpriced: int = 0
    replies: list[tuple[datetime, float | None]] = field(default_factory=list)


_CALLS = (
    "SELECT coalesce(calls.unit_id, calls.call_id), calls.experiment_id, max(calls.arm), "
    "requests.endpoint || '/' || requests.model, "
    "count(CASE WHEN calls.status = 'ok' THEN 1 END), "
    "min(CASE WHEN calls.status = 'ok' THEN calls.started_at END), "
    "coalesce(sum(calls.cost), 0), count(calls.cost), count(*) - count(calls.cost) "
    "FROM calls JOIN requests ON requests.id = calls.request_id WHERE 1 = 1{conditions} "
    "GROUP BY coalesce(calls.unit_id, calls.call_id), calls.experiment_id, requests.endpoint, requests.model"
)
_EVENTS = (
    "SELECT unit_id, call_id, replied, happened_at, value, metadata, "
    "(SELECT coalesce(calls.unit_id, calls.call_id) FROM calls "
    "WHERE calls.call_id = coalesce(outcomes.call_id, outcomes.unit_id) LIMIT 1) "
    "FROM outcomes ORDER BY happened_at, id"
)


def read_outcomes(
    connection: Executor,
    experiment_id: str | None,
    since: datetime | None,
    until: datetime | None,
    window: timedelta | None,
) -> Outcomes:
    """See `Ledger.outcomes`."""
    conditions, values = "", []
    if experiment_id is not None:
        conditions += " AND calls.experiment_id = ?"
        values.append(stored_text(experiment_id))
    for sign, instant in ((">=", since), ("<", until)):
        if instant is not None:
            conditions += f" AND calls.started_at {sign} ?"
            values.append(instant_text(instant))
    units: dict[tuple[str, str | None], _Unit] = {}
    by_name: dict[str, list[_Unit]] = {}
    rows = connection.execute(_CALLS.format(conditions=conditions), values)
    for name, experiment, arm, model, sent, first, cost, priced, unpriced in rows:
        unit = units.get((name, experiment))
        if unit is None:
            unit = units[name, experiment] = _Unit()
            by_name.setdefault(name, []).append(unit)
        unit.arm = unit.arm or arm
        unit.sent += sent
        if sent:
            unit.served[model] = unit.served.get(model, 0) + sent
            unit.first_sent = first if unit.first_sent is None else min(unit.first_sent, first)
        unit.cost += cost
        unit.priced += priced
        unit.unpriced += unpriced
    alone, early, late = _match(connection, by_name, window)
    found = tuple(_outcome(name, exp, unit) for (name, exp), unit in units.items() if unit.sent)
    return Outcomes(
        found, tuple(alone), tuple(early), tuple(late), _not_sent(connection, experiment_id, units)
    )


def _match(
    connection: Executor, by_name: Mapping[str, list[_Unit]], window: timedelta | None
) -> tuple[list[Event], list[Event], list[Event]]:
    """Put every reply to its units; give those that belong to none, came before, or came too late."""
    alone: list[Event] = []
    early: list[Event] = []
    late: list[Event] = []
    for unit_id, call_id, replied, at, value, metadata, of_call in connection.execute(_EVENTS):
        when = datetime.fromisoformat(at)
        event = Event(unit_id, call_id, bool(replied), when, value, json.loads(metadata))
        units = by_name.get(unit_id or "") or by_name.get(of_call or "") or []
        exposed = [unit for unit in units if unit.first_sent is not None]
        if not exposed:
            alone.append(event)
            continue
        if not event.replied:
            continue
        starts = [(unit, datetime.fromisoformat(str(unit.first_sent))) for unit in exposed]
        after = [(unit, start) for unit, start in starts if when >= start]
        inside = [unit for unit, start in after if window is None or when <= start + window]
        if not after:
            early.append(event)
        elif not inside:
            late.append(event)
        for unit in inside:
            unit.replies.append((when, event.value))
    return alone, early, late


def _outcome(name: str, experiment: str | None, unit: _Unit) -> Outcome:
    most = max(unit.served, key=lambda model: unit.served[model])
    values = [value for _, value in unit.replies if value is not None]
    metadata = {
        "model": unit.arm or most,
        "arm": unit.arm,
        "served": unit.served,
        "first_sent": datetime.fromisoformat(str(unit.first_sent)),
        "first_reply": min((when for when, _ in unit.replies), default=None),
        "replies": len(unit.replies),
        "value": math.fsum(values) if values else None,
        "cost": unit.cost if unit.priced else None,
        "unpriced": unit.unpriced,
    }
    return Outcome(name, experiment, unit.sent, int(bool(unit.replies)), metadata)


def _not_sent(
    connection: Executor, experiment_id: str | None, units: Mapping[tuple[str, str | None], _Unit]
) -> tuple[str, ...]:
    sql = "SELECT DISTINCT unit_id, experiment_id FROM assignments"
    values = [] if experiment_id is None else [stored_text(experiment_id)]
    rows = connection.execute(sql + (" WHERE experiment_id = ?" if values else ""), values)
    return tuple(u for u, e in rows if (u, e) not in units or not units[u, e].sent)
