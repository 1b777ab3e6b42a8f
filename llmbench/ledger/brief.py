"""What lists, sums, reports and routers read of a ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from llmbench.errors import UsageError
from llmbench.ledger.queries import SPEND_SUMS, Selection, SpendTotals
from llmbench.ledger.rows import SELECT_RECORD, decode, instant_text, stored_text

if TYPE_CHECKING:
    from llmbench.ledger.connections import Executor
    from llmbench.types import CallRecord

__all__ = [
    "SPEND_KEYS",
    "AttemptFacts",
    "attempt_facts",
    "newest",
    "newest_latencies",
    "spend_by",
    "spend_by_minute",
]


class AttemptFacts(NamedTuple):
    """What a report on performance needs to know of one attempt."""

    model: str
    """endpoint/model."""
    call_id: str
    answered: bool
    latency_ms: float
    time_to_first_token_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    first_choice: str | None
    """Of the call's route; None where no router made it."""


class UnitAttempt(NamedTuple):
    """One attempt of an experiment, as far as counting it needs."""

    unit_id: str | None
    call_id: str
    started_at: datetime
    answered: bool
    """The first answer to its call: a call that was answered twice counts once."""
    model: str
    """endpoint/model."""
    cost: float | None
    task_type: str | None = None
    """As the router was told; None where it was not."""


def unit_attempts(connection: Executor, experiment_id: str) -> Iterator[UnitAttempt]:
    """See `Ledger.unit_attempts`."""
    rows = connection.execute(
        "SELECT calls.unit_id, calls.call_id, calls.started_at, CASE WHEN calls.status = 'ok' AND "
        "NOT EXISTS ("
        "SELECT 1 FROM calls AS earlier WHERE earlier.call_id = calls.call_id AND earlier.status = 'ok' "
        "AND earlier.attempt < calls.attempt) THEN 1 ELSE 0 END, requests.endpoint || '/' || requests.model, "
        "calls.cost, calls.route FROM calls JOIN requests ON requests.id = calls.request_id "
        "WHERE calls.experiment_id = ? ORDER BY calls.id",
        (stored_text(experiment_id),),
    )
    for unit_id, call_id, at, answered, model, cost, route in rows:
        task_type = None if route is None else json.loads(route).get("task_type")
        yield UnitAttempt(
            unit_id, call_id, datetime.fromisoformat(at), bool(answered), model, cost, task_type
        )


def attempt_facts(connection: Executor, since: datetime | None) -> Iterator[AttemptFacts]:
    """See `Ledger.attempt_facts`."""
    rows = connection.execute(
        "SELECT requests.endpoint || '/' || requests.model, calls.call_id, calls.status, calls.latency_ms, "
        "calls.time_to_first_token_ms, calls.input_tokens, calls.output_tokens, calls.cost, calls.route "
        "FROM calls JOIN requests ON requests.id = calls.request_id WHERE calls.started_at >= ? "
        "ORDER BY calls.id",
        ("" if since is None else instant_text(since),),
    )
    for model, call_id, status, latency, first, read, written, cost, route in rows:
        chosen = None if route is None else json.loads(route).get("chosen")
        yield AttemptFacts(model, call_id, status == "ok", latency or 0.0, first, read, written, cost, chosen)


def newest_latencies(
    connection: Executor, endpoint: str, model: str, limit: int
) -> list[tuple[int | None, float]]:
    """See `Ledger.newest_latencies`."""
    rows = connection.execute(
        "SELECT calls.output_tokens, calls.latency_ms FROM calls "
        "JOIN requests ON requests.id = calls.request_id WHERE requests.endpoint = ? AND requests.model = ? "
        "AND calls.status = 'ok' AND calls.latency_ms IS NOT NULL ORDER BY calls.started_at DESC LIMIT ?",
        (stored_text(endpoint), stored_text(model), limit),
    ).fetchall()
    return [(tokens, latency) for tokens, latency in reversed(rows)]


def spend_by_minute(connection: Executor, since: datetime) -> list[tuple[datetime, float]]:
    """See `Ledger.spend_by_minute`."""
    rows = connection.execute(
        "SELECT substr(started_at, 1, 16), coalesce(sum(cost), 0), count(*) - count(cost), max(cost) "
        "FROM calls WHERE started_at >= ? GROUP BY substr(started_at, 1, 16) ORDER BY 1",
        (instant_text(since),),
    ).fetchall()
    dearest = max((row[3] or 0.0 for row in rows), default=0.0)
    return [
        (datetime.fromisoformat(f"{minute}:59+00:00"), usd + unknown * dearest)
        for minute, usd, unknown, _ in rows
    ]


SPEND_KEYS: Mapping[str, str] = {
    "day": "substr(calls.started_at, 1, 10)",
    "model": "requests.endpoint || '/' || requests.model",
    "endpoint": "requests.endpoint",
    "run": "calls.run_id",
    "experiment": "calls.experiment_id || ': ' || calls.arm",
    "unit": "calls.unit_id",
}
"""What spending can be summed by; None where a call has no such thing."""


def spend_by(connection: Executor, by: str, selection: Selection) -> dict[str | None, SpendTotals]:
    """See `Ledger.spend_by`."""
    if by not in SPEND_KEYS:
        raise UsageError(f"Spending is summed by one of {', '.join(SPEND_KEYS)}; not by {by!r}.")
    conditions, values = selection.conditions()
    key = SPEND_KEYS[by]
    rows = connection.execute(
        f"SELECT {key}, {SPEND_SUMS} FROM calls "  # noqa: S608 - constants of this package
        f"JOIN requests ON requests.id = calls.request_id WHERE 1 = 1{conditions} GROUP BY {key} ORDER BY 1",
        values,
    )
    return {row[0]: SpendTotals(*row[1:]) for row in rows}


def newest(
    connection: Executor,
    limit: int,
    selection: Selection,
    *,
    model: str | None = None,
    unit_id: str | None = None,
    call_id: str | None = None,
) -> list[CallRecord]:
    """See `Ledger.newest`."""
    conditions, values = selection.conditions()
    if model is not None:
        conditions += " AND (requests.model = ? OR requests.endpoint || '/' || requests.model = ?)"
        values += [stored_text(model)] * 2
    for column, value in (("unit_id", unit_id), ("call_id", call_id)):
        if value is not None:
            conditions += f" AND calls.{column} = ?"
            values.append(stored_text(value))
    rows = connection.execute(
        f"SELECT {SELECT_RECORD} FROM calls JOIN requests ON requests.id = calls.request_id "  # noqa: S608
        f"WHERE 1 = 1{conditions} ORDER BY calls.id DESC LIMIT ?",
        [*values, limit],
    )
    return [decode(row) for row in rows]
