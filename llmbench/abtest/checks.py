"""The first look at a source: what its cells hold, and one sentence on what cannot be meant.

A cell that cannot be read stops the reading: left out, it would be a wrong number nobody sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from llmbench.abtest.engines import Engine, Statement
from llmbench.abtest.files import line_of
from llmbench.abtest.layout import Layout
from llmbench.abtest.sql_text import Column, flag, has_offset, is_blank, number, plain_text
from llmbench.errors import DatasetError, UsageError

__all__ = ["Seen", "arm_codes", "check_label", "check_source", "codes_of", "find_replied_form"]

_MOST_ARMS = 50
_MOST_REPLIES = 1_000_000
"""Of one row; a larger number is a time in seconds."""
_LENGTH_OF_A_DAY = len("2025-01-31")
_TIMES = {
    "sends": ("sent_at", "assigned_at", "replied_at"), "assignments": ("assigned_at",),
    "replies": ("replied_at",),
}  # fmt: skip


class Seen(NamedTuple):
    """What the first look at one table found."""

    rows: int
    simulated: bool
    days: frozenset[Column] = frozenset()
    """Columns of text that hold days and no times."""


class _Check(NamedTuple):
    column: Column
    bad: str
    """SQL: whether the cell is bad."""
    what: str
    advice: str


def check_source(layout: Layout, engine: Engine) -> dict[str, Seen]:
    """Look at every table once. Raises DatasetError for the first kind of bad cell, with an example."""
    return {table: _look(layout, engine, table) for table in layout.wheres}


def _look(layout: Layout, engine: Engine, table: str) -> Seen:
    checks = list(_checks(layout, table))
    sums = [f"SUM(CASE WHEN {each.bad} THEN 1 ELSE 0 END) AS b{i}" for i, each in enumerate(checks)]
    simulated = "0"
    if table == "sends" and layout.simulated is not None:
        simulated = f"MAX({flag(layout.simulated)})"
    times = list(dict.fromkeys(_text_times(layout, table)))
    # A text with a time of day is longer than a day's.
    longest = [f"MAX(LENGTH(TRIM({column.sql}))) AS t{i}" for i, column in enumerate(times)]
    columns = ", ".join(["COUNT(*) AS n", f"{simulated} AS simulated", *sums, *longest])
    (found,) = engine.fetch(Statement([], [f"SELECT {columns} FROM src_{table}"]))
    for check, count in zip(checks, found[2:], strict=False):
        if count:
            _refuse(layout, engine, table, check, int(count))
    if not found[0] and table in {"sends", layout.arms_in}:
        raise DatasetError(f"{check_label(layout, table)} has no rows; give a table that has some.")
    lengths = zip(times, found[2 + len(checks) :], strict=True)
    days = frozenset(column for column, length in lengths if length and length <= _LENGTH_OF_A_DAY)
    return Seen(int(found[0]), bool(found[1]), days)


def _text_times(layout: Layout, table: str) -> Iterator[Column]:
    parameters = [*_TIMES.get(table, ("at",))]
    if table == "sends" and layout.replied_form == "time":
        parameters.append("replied")
    for parameter in parameters:
        column = layout.get(table, parameter)
        if column is not None and column.kind == "text":
            yield column


def check_label(layout: Layout, table: str) -> str:
    """How messages name a table."""
    return next((column.table for (name, _), column in layout.columns.items() if name == table), table)


def _refuse(layout: Layout, engine: Engine, table: str, check: _Check, count: int) -> None:
    example = f"SELECT CAST({check.column.sql} AS TEXT) AS cell FROM src_{table} WHERE {check.bad} LIMIT 1"
    (row,) = engine.fetch(Statement([], [example]))
    cell = row[0]
    shown = "an empty cell" if cell is None or not str(cell).strip() else repr(str(cell)[:60])
    place = line_of(layout.wheres[table], check.column.name, "" if cell is None else str(cell))
    rows = "one row" if count == 1 else f"{count:,} rows"
    raise DatasetError(
        f"Column {check.column.name!r} of {check.column.table} holds {shown}{place}, {check.what} ({rows}); "
        f"{check.advice}."
    )


def _checks(layout: Layout, table: str) -> Iterator[_Check]:
    unit = layout.get(table, "unit")
    if unit is not None and unit.kind == "number":
        advice = "name the column of the id, or cast it to text in a SELECT"
        yield _Check(unit, f"{unit.sql} <> FLOOR({unit.sql})", "which is no id", advice)
    for parameter in _TIMES.get(table, ("at",)):
        if (time := layout.get(table, parameter)) is not None:
            yield from _time_checks(layout, time, f"{table}.{parameter}")
    if table == "sends":
        yield from _send_checks(layout)
    if (cost := layout.get(table, "cost")) is not None:
        yield from _number_checks(
            layout, cost, f"{table}.cost", "{0} < 0", "which is below 0; a cost is USD, 0 or more"
        )
    if (probability := layout.get(table, "probability")) is not None and table == layout.arms_in:
        what = "which is no probability above 0 and at most 1"
        yield from _number_checks(layout, probability, f"{table}.probability", "({0} <= 0 OR {0} > 1)", what)


def _send_checks(layout: Layout) -> Iterator[_Check]:
    yes_or_no = "which is neither yes nor no"
    words = "write true/false, yes/no, Y/N or 1/0, or translate it in a SELECT"
    if (delivered := layout.get("sends", "delivered")) is not None:
        yield _Check(
            delivered, f"(NOT {is_blank(delivered)} AND {flag(delivered)} IS NULL)", yes_or_no, words
        )
    for guardrail in layout.source.guardrails:
        column = layout.get("sends", f"guardrail {guardrail.name}")
        if column is None:
            continue
        if column.kind in {"date", "timestamp", "timestamptz"}:
            yield from _time_checks(layout, column, f"guardrail {guardrail.name}")
        else:
            yield _Check(column, f"(NOT {is_blank(column)} AND {flag(column)} IS NULL)", yes_or_no, words)
    if (messages := layout.get("sends", "messages")) is not None:
        yield from _count_checks(layout, messages, "sends.messages")
    replied = layout.get("sends", "replied")
    if replied is None:
        return
    if layout.replied_form == "time":
        yield from _time_checks(layout, replied, "sends.replied")
    elif layout.replied_form == "count":
        yield from _count_checks(layout, replied, "sends.replied")
    else:
        yield _Check(replied, f"(NOT {is_blank(replied)} AND {flag(replied)} IS NULL)", yes_or_no, words)
    if layout.replied_form != "time" and layout.source.empty_replied == "refuse":
        sent = layout.need("sends", "sent_at")
        yield _Check(
            replied,
            f"({is_blank(replied)} AND NOT {is_blank(sent)})",
            "which may mean no reply or not known",
            "say that it means no with empty_replied = 'no', or fill it",
        )


def _time_checks(layout: Layout, column: Column, parameter: str) -> Iterator[_Check]:
    read = layout.micros(column, parameter)  # raises for a kind that is no time
    if column.kind != "text":
        return
    form = "write it as in 2025-01-31T09:30:00+00:00"
    yield _Check(column, f"(NOT {is_blank(column)} AND ({read}) IS NULL)", "which is no time", form)
    if not layout.source.time_zone:
        yield _Check(
            column,
            f"(NOT {is_blank(column)} AND NOT {has_offset(column)})",
            "a time without zone",
            "say which zone the times are in with time_zone, such as 'UTC' or 'Europe/Berlin'",
        )


def _number_checks(layout: Layout, column: Column, parameter: str, bad: str, what: str) -> Iterator[_Check]:
    read = number(column, parameter, layout.dialect)
    if column.kind == "text":
        yield _Check(
            column, f"(NOT {is_blank(column)} AND ({read}) IS NULL)", "which is no number",
            "write it as in 0.0125; an unknown one is an empty cell",
        )  # fmt: skip
    yield _Check(column, bad.format(f"({read})"), what, "correct it, or leave it out in a SELECT")


def _count_checks(layout: Layout, column: Column, parameter: str) -> Iterator[_Check]:
    yield from _number_checks(
        layout, column, parameter, "{0} <> FLOOR({0})", "which is no whole number: it counts"
    )
    yield from _number_checks(layout, column, parameter, "{0} < 0", "which is below 0: it counts")


def find_replied_form(layout: Layout, engine: Engine) -> str:
    """What the cells of `Sends.replied` are. Raises UsageError where it cannot be told."""
    column = layout.get("sends", "replied")
    if column is None:
        return "time"
    if layout.source.replied_form != "auto":
        return layout.source.replied_form
    if column.kind in {"date", "timestamp", "timestamptz"}:
        return "time"
    if column.kind == "bool":
        return "boolean"
    if column.kind in {"int", "number"}:
        bad = f"{column.sql} <> 0 AND {column.sql} <> 1"
    elif column.kind == "text":
        bad = f"NOT {is_blank(column)} AND {flag(column)} IS NULL"
    else:
        raise UsageError(
            f"sends.replied is {column.name!r} of {column.table}, which holds {column.kind}: it must "
            "be yes or "
            "no, a number of replies, or a time."
        )
    (row,) = engine.fetch(Statement([], [f"SELECT COUNT(*) AS n FROM src_sends WHERE {bad}"]))
    if not row[0]:
        return "boolean"
    if column.kind != "text":
        return "count"
    if layout.dialect == "duckdb" and _are_counts(column, engine):
        return "count"
    (good,) = engine.fetch(
        Statement([], [f"SELECT COUNT(*) AS n FROM src_sends WHERE {flag(column)} IS NOT NULL"])
    )
    return "boolean" if good[0] else "time"  # mixed: the checks name a cell that is neither


def _are_counts(column: Column, engine: Engine) -> bool:
    """Whether all texts are numbers, as replies are counted by; seconds since 1970 are not."""
    value = f"TRY_CAST({column.sql} AS DOUBLE)"
    other = f"NOT {is_blank(column)} AND ({value} IS NULL OR NOT {value} < {_MOST_REPLIES})"
    (row,) = engine.fetch(Statement([], [f"SELECT COUNT(*) AS n FROM src_sends WHERE {other}"]))
    return not row[0]


def arm_codes(layout: Layout, engine: Engine) -> tuple[dict[str, int], list[str], dict[str, int]]:
    """Number of each value of the arm column that is an arm, the arms by number, and rows of other values.

    Raises UsageError and DatasetError where there are none, too many, or the control is not one.
    """
    column = layout.need(layout.arms_in, "arm")
    cells = f"SELECT {plain_text(column)} AS arm FROM src_{layout.arms_in}"
    counted = f"SELECT arm, COUNT(*) AS n FROM ({cells}) AS cells WHERE arm IS NOT NULL GROUP BY arm"
    found = engine.fetch(Statement([], [f"{counted} LIMIT 1001"]))
    return codes_of({str(value): int(n) for value, n in found}, layout)


def codes_of(counted: Mapping[str, int], layout: Layout) -> tuple[dict[str, int], list[str], dict[str, int]]:
    """As `arm_codes`, where the rows of each value are known. Raises as it does."""
    source, column = layout.source, layout.need(layout.arms_in, "arm")
    values = {value: n for value, n in counted.items() if value.strip()}
    if source.arm_map:
        unknown = {value: n for value, n in values.items() if value not in source.arm_map}
        names = sorted({source.arm_map[value] for value in values if value in source.arm_map})
        if not names:
            raise UsageError(
                f"arm_map names none of the values of {column.name!r}: they are {_few(values)}; it has "
                f"{_few(source.arm_map)}."
            )
    else:
        unknown, names = {}, sorted(values)
        if len(names) > _MOST_ARMS:
            raise UsageError(
                f"Column {column.name!r} of {column.table} has more than {_MOST_ARMS} different "
                f"values ({_few(values)}): "
                "name the column of the arm, or give arm_map."
            )
    if not names:
        raise DatasetError(
            f"Column {column.name!r} of {column.table} names no arm: it is empty in every row."
        )
    if source.control and source.control not in names:
        raise UsageError(
            f"control is {source.control!r}, which is no arm of the source; its arms are {_few(names)}."
        )
    numbers = {name: number_ for number_, name in enumerate(names)}
    named = {value: source.arm_map.get(value, value) for value in values if value not in unknown}
    return {value: numbers[name] for value, name in named.items()}, names, unknown


def _few(names: object) -> str:
    every = sorted(map(str, names))  # type: ignore[call-overload]
    return ", ".join(map(repr, every[:8])) + (f" and {len(every) - 8} more" if len(every) > 8 else "")
