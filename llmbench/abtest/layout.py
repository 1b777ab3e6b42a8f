"""What of the source is where: every named column found, or a sentence on why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llmbench.abtest.engines import Engine
from llmbench.abtest.files import is_file, is_select_file, shown
from llmbench.abtest.source import Assignments, Guardrail, OutcomeSource, Sends
from llmbench.abtest.sql_text import Column, find_column, micros
from llmbench.errors import UsageError

__all__ = ["Attribute", "Clean", "Layout", "find_layout"]

_SEND_COLUMNS = (
    "sent_at", "delivered", "message", "messages", "cost", "served_model", "replied", "replied_at",
)  # fmt: skip
_ARM_COLUMNS = ("arm", "assigned_at", "epoch", "campaign", "probability", "experiment")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of the unit: its cluster, a segment, what a policy sees."""

    name: str
    column: Column
    of_sends: bool


class Clean(NamedTuple):
    """Sends of which each row counts."""

    rows: int
    newest_us: int | None
    costs_known: bool
    """Whether each row has its cost."""


@dataclass(slots=True)
class Layout:
    """The columns of one source, by role, as the engine has them."""

    source: OutcomeSource
    dialect: str
    columns: dict[tuple[str, str], Column] = field(default_factory=dict)
    """By table ('sends', 'replies', ...) and parameter."""
    wheres: dict[str, Any] = field(default_factory=dict)
    attributes: list[Attribute] = field(default_factory=list)
    unit_as_text: bool = False
    simulated: Column | None = None
    replied_form: str = "time"
    """What `Sends.replied` holds, once its values were seen: boolean, time or count."""
    clean: Clean | None = None
    """Where every row of the sends is known to count, as far as the row alone says."""
    days: set[Column] = field(default_factory=set)
    """Columns of text that were seen to hold days without a time of day."""

    @property
    def wide(self) -> bool:
        """Whether the arm is a column of the sends."""
        return self.source.assignments is None

    @property
    def arms_in(self) -> str:
        """The table that says the arm."""
        return "sends" if self.wide else "assignments"

    def get(self, table: str, parameter: str) -> Column | None:
        """The column, or None where none is named."""
        return self.columns.get((table, parameter))

    def need(self, table: str, parameter: str) -> Column:
        """The column that is always named."""
        return self.columns[table, parameter]

    def micros(self, column: Column, parameter: str) -> str:
        """The instant of a cell."""
        return micros(column, parameter, self.dialect, self.source.time_zone)

    def attribute(self, name: str) -> int:
        """The place of an attribute in `attributes`."""
        return next(i for i, each in enumerate(self.attributes) if each.name == name)

    def is_day(self, column: Column | None) -> bool:
        """Whether the column's times are days."""
        return column is not None and (column.kind == "date" or column in self.days)

    def has_days_only(self, table: str, parameter: str) -> bool:
        """Whether a time has no time of day, so that two of one day cannot be told apart."""
        column = self.get(table, parameter)
        return column is not None and column.kind == "date"


def find_layout(source: OutcomeSource, engine: Engine) -> Layout:
    """Find every column that the source names. Raises UsageError naming the nearest, and DatasetError."""
    layout = Layout(source, engine.dialect)
    known: dict[str, Mapping[str, str]] = {}

    def add(table: str, where: Any) -> None:
        known[table] = engine.add_source(table, where)
        layout.wheres[table] = where

    def find(table: str, parameter: str, wanted: str | None) -> None:
        if wanted is not None:
            label = _label(table, layout.wheres[table])
            layout.columns[table, parameter] = find_column(
                known[table], wanted, label, f"{table}.{parameter}"
            )

    add("sends", source.sends.table)
    find("sends", "unit", source.sends.unit)
    for parameter in (*_SEND_COLUMNS, *_ARM_COLUMNS):
        find("sends", parameter, getattr(source.sends, parameter))
    if source.assignments is not None:
        add("assignments", source.assignments.table)
        find("assignments", "unit", source.assignments.unit)
        for parameter in _ARM_COLUMNS:
            find("assignments", parameter, getattr(source.assignments, parameter))
    _find_replies(source, add, find)
    if source.costs is not None:
        add("costs", source.costs.table)
        find("costs", "cost", source.costs.cost)
        find("costs", "at", source.costs.at)
        find(
            "costs", "message" if source.costs.message else "unit", source.costs.message or source.costs.unit
        )
    for i, guardrail in enumerate(source.guardrails):
        _find_guardrail(i, guardrail, add, find)
    _find_attributes(layout, known)
    layout.unit_as_text = _unit_as_text(layout)
    marked = [name for name in known["sends"] if name.casefold() == "simulated"]
    if marked:
        layout.simulated = Column(marked[0], known["sends"][marked[0]], "sends")
    return layout


def _find_replies(source: OutcomeSource, add: Any, find: Any) -> None:
    replies = source.replies
    if replies is None:
        find("sends", "kind", source.sends.kind)
        return
    add("replies", replies.table)
    find("replies", "message" if replies.message else "unit", replies.message or replies.unit)
    find("replies", "replied_at", replies.replied_at)
    find("replies", "kind", replies.kind)


def _find_guardrail(i: int, guardrail: Guardrail, add: Any, find: Any) -> None:
    if guardrail.table is None:
        find("sends", f"guardrail {guardrail.name}", guardrail.column)
        return
    add(f"guardrail_{i}", guardrail.table)
    find(f"guardrail_{i}", "unit", guardrail.unit)
    find(f"guardrail_{i}", "at", guardrail.at)


def _find_attributes(layout: Layout, known: Mapping[str, Mapping[str, str]]) -> None:
    source = layout.source
    asked: dict[str, str] = {}
    if source.cluster:
        asked[source.cluster] = "cluster"
    for parameter in ("segments", "contexts"):
        for name in getattr(source, parameter):
            asked.setdefault(name, parameter)
    for name, parameter in asked.items():
        # What was known at assignment comes first.
        tables = ["assignments", "sends"] if "assignments" in known else ["sends"]
        table = next(
            (t for t in tables if any(c.casefold() == name.casefold() for c in known[t])), tables[-1]
        )
        label = _label(table, layout.wheres[table])
        column = find_column(known[table], name, label, parameter)
        layout.attributes.append(Attribute(name, column, table == "sends"))


def _unit_as_text(layout: Layout) -> bool:
    """Ids of one whole-number kind are compared as they are; any others as text."""
    kinds = {column.kind for (_, parameter), column in layout.columns.items() if parameter == "unit"}
    bad = [c for (_, p), c in layout.columns.items() if p == "unit" and c.kind in {"bool", "date"}]
    if bad:
        raise UsageError(f"The unit {bad[0].name!r} of {bad[0].table} holds {bad[0].kind}: it must be an id.")
    return not kinds <= {"int", "number"}


def _label(table: str, where: Any) -> str:
    if is_file(where) or is_select_file(where):
        return shown(where if not isinstance(where, tuple) else list(where))
    if isinstance(where, str) and len(where) < 60 and " " not in where.strip():
        return f"{table} ({where.strip()})"
    return f"the table of {table}"


def part_of(source: OutcomeSource) -> Assignments | Sends:
    """The part that says the arm."""
    return source.assignments or source.sends
