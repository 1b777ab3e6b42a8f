"""The tables of a source: which columns of each mean what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Assignments", "Costs", "Epoch", "Guardrail", "Replies", "Sends"]


@dataclass(frozen=True, slots=True)
class Sends:
    """The messages that were sent: one row a message, or one row a unit with a count of `messages`.

    `table` is a file (CSV or parquet; a glob or a list of files too), a table's name, a SELECT, a pandas
    frame or an Ibis table. The columns below `message` are for the one wide table that holds all.
    """

    table: Any
    unit: str = "unit_id"
    sent_at: str = "sent_at"
    delivered: str | None = None
    """Whether the message arrived; what did not is not counted, but its cost is."""
    message: str | None = None
    """What identifies a message: its second row is a duplicate. Without it, a second row of the same
    unit and time is one."""
    messages: str | None = None
    """A whole number of messages in this row, where a row stands for several."""
    cost: str | None = None
    """USD of this row."""
    served_model: str | None = None
    """The model that wrote the message."""
    arm: str | None = None
    """The assigned arm, where there is no table of assignments."""
    assigned_at: str | None = None
    epoch: str | None = None
    campaign: str | None = None
    probability: str | None = None
    experiment: str | None = None
    """Rows whose value is not the `experiment_id` are of other experiments."""
    replied: str | None = None
    """Whether this message was replied to: yes or no, a number of replies, or the time of the reply."""
    replied_at: str | None = None
    kind: str | None = None
    """The kind of reply, for `OutcomeSource.not_human`."""


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies, one row each, which belong to a unit, or to a message that `Sends.message` names."""

    table: Any
    unit: str | None = "unit_id"
    message: str | None = None
    """Given: replies are matched by message, and `unit` is not read."""
    replied_at: str = "replied_at"
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Assignments:
    """Which unit is in which arm, one row a unit."""

    table: Any
    unit: str = "unit_id"
    arm: str = "arm"
    assigned_at: str | None = None
    """Given: messages sent before it are not of this experiment."""
    epoch: str | None = None
    """A time of unchanged weights."""
    campaign: str | None = None
    """Given: assignment was made within campaigns."""
    probability: str | None = None
    """The recorded probability of the arm that the unit got."""
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """What was paid, USD, by unit or by message (`Sends.message`)."""

    table: Any
    cost: str = "cost_usd"
    unit: str | None = "unit_id"
    message: str | None = None
    """Given: costs are matched by message, and `unit` is not read."""
    at: str | None = None
    """When it was paid, where costs are by unit: what was after the unit's window does not count."""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """An unwanted event: a yes-or-no or time column of the sends, or a table with one row an event."""

    name: str
    column: str | None = None
    """Of the sends; a time, or yes or no."""
    table: Any = None
    unit: str = "unit_id"
    at: str = "at"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Weights from a day on (`start`, ISO, 00:00 in the source's time zone)."""

    start: str
    weights: Mapping[str, float]
