"""What stands in a wide table by arm, before any rule: rows, replies and cost in one pass.

A first look, in a fraction of the time of `read_counts`. Messages are not units, late replies are in it,
and so are units in two arms: no decision can be made on it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from llmbench.abtest.checks import check_label, codes_of, find_replied_form
from llmbench.abtest.engines import Statement
from llmbench.abtest.layout import Layout, find_layout
from llmbench.abtest.opening import open_engine
from llmbench.abtest.rows import event_columns
from llmbench.abtest.source import OutcomeSource
from llmbench.abtest.sql_text import Column, flag, is_blank, number, plain_text
from llmbench.errors import DatasetError, UsageError
from llmbench.shown import shown

__all__ = ["ArmTotals", "read_totals"]


@shown
class ArmTotals(NamedTuple):
    """Plain sums over the rows of one arm."""

    arm: str
    rows: int
    replies: int
    """Rows with a reply, whenever it came; the sum where the column counts."""
    cost_usd: float | None
    """Of the rows with a cost; None where there is no column of it."""
    costed_rows: int
    first_sent: datetime | None
    last_sent: datetime | None


def read_totals(source: OutcomeSource) -> tuple[ArmTotals, ...]:
    """Sums by arm of the one wide table, in order of the arms' names; rows of other arms are left out.

    Raises UsageError where the arm is not a column of the sends, and as `read_counts` does.
    """
    if source.assignments is not None or source.replies is not None:
        raise UsageError("Totals are of one wide table, which has arm and reply beside the message.")
    with open_engine(source) as engine:
        layout = find_layout(source, engine)
        layout.replied_form = find_replied_form(layout, engine)
        said, at, form = event_columns(layout, "replies")
        if said is not None:
            told = number(said, "sends.replied", layout.dialect) if form == "count" else flag(said)
            replies = f"SUM({told})"
        else:
            replies = "0" if at is None else _filled(at)
        cost_column = layout.get("sends", "cost")
        cost = (
            "CAST(NULL AS DOUBLE)"
            if cost_column is None
            else number(cost_column, "sends.cost", layout.dialect)
        )
        sums = f"COUNT(*) AS n, {replies} AS r, SUM({cost}) AS c, COUNT({cost}) AS k"
        rows = engine.fetch(Statement([], [_by_arm(layout, sums)]))
    if not rows:
        raise DatasetError(f"{check_label(layout, 'sends')} has no rows; give a table that has some.")
    counted: dict[str, int] = {}
    for value, n, *_ in rows:
        if value is not None:
            counted[value] = counted.get(value, 0) + int(n)
    codes, arms, _ = codes_of(counted, layout)
    found: dict[str, list[ArmTotals]] = {name: [] for name in arms}
    for value, n, r, c, k, first, last in rows:
        if value in codes:
            name = arms[codes[value]]
            known = None if cost_column is None else float(c or 0.0)
            found[name].append(
                ArmTotals(name, int(n), int(r or 0), known, int(k), _instant(first), _instant(last))
            )
    return tuple(_together(parts) for parts in found.values())


def _filled(column: Column) -> str:
    return (
        f"COUNT(CASE WHEN NOT {is_blank(column)} THEN 1 END)"
        if column.kind == "text"
        else (f"COUNT({column.sql})")
    )


def _by_arm(layout: Layout, sums: str) -> str:
    """One pass over the rows: groups of the cells as they are, and only what is left of them is read."""
    arm, sent = layout.need("sends", "arm"), layout.need("sends", "sent_at")
    first, last = (Column(name, sent.kind, sent.table) for name in ("first_sent", "last_sent"))
    if sent.kind == "text":  # whose order is not that of the times
        read = layout.micros(sent, "sends.sent_at")
        inside, outside = (f"MIN({read})", f"MAX({read})"), (first.sql, last.sql)
    else:
        inside = f"MIN({sent.sql})", f"MAX({sent.sql})"
        outside = layout.micros(first, "sends.sent_at"), layout.micros(last, "sends.sent_at")
    name = Column("arm_cell", arm.kind, arm.table)
    cells = (
        f"SELECT {arm.sql} AS {name.sql}, {sums}, {inside[0]} AS {first.sql}, {inside[1]} AS {last.sql} "
        f"FROM src_sends GROUP BY {arm.sql}"
    )
    columns = f"{plain_text(name)} AS arm, n, r, c, k, {outside[0]} AS f, {outside[1]} AS l"
    most = "" if layout.source.arm_map else " LIMIT 1001"  # so many values are no arms, and refused
    return f"SELECT {columns} FROM ({cells}) AS cells{most}"


def _together(parts: list[ArmTotals]) -> ArmTotals:
    """The totals of the values that `arm_map` leads to one arm."""
    costs = [part.cost_usd for part in parts if part.cost_usd is not None]
    return ArmTotals(
        parts[0].arm,
        sum(part.rows for part in parts),
        sum(part.replies for part in parts),
        sum(costs) if costs else None,
        sum(part.costed_rows for part in parts),
        min((part.first_sent for part in parts if part.first_sent), default=None),
        max((part.last_sent for part in parts if part.last_sent), default=None),
    )


def _instant(us: int | None) -> datetime | None:
    return None if us is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))
