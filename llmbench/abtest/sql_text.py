"""Pieces of SQL in DuckDB's dialect: names and values quoted, cells read by their kind.

All that is generated is written in this one dialect, of what the other dialects have too; instants are
whole microseconds since 1970 UTC, made in one place (`micros`), because every dialect differs there.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from llmbench.errors import UsageError

__all__ = [
    "Column",
    "find_column",
    "flag",
    "has_offset",
    "identifier",
    "is_blank",
    "literal",
    "micros",
    "number",
    "plain_text",
]

_YES = ("y", "yes", "true", "t", "1", "1.0", "ja", "oui")
_NO = ("n", "no", "false", "f", "0", "0.0", "nein", "non")
_TIMES = ("date", "timestamp", "timestamptz", "text")
# A time of day must come first, because a plain date ends in two digits after a minus too.
_OFFSET = r":\d\d(\.\d+)? ?(Z|z|[+-]\d\d(:?\d\d)?)$"


class Column(NamedTuple):
    """A column that is there: its name, its kind, and how messages name its table."""

    name: str
    kind: str
    """One of text, int, number, bool, date, timestamp (without zone), timestamptz, other."""
    table: str

    @property
    def sql(self) -> str:
        """The quoted name."""
        return identifier(self.name)


def identifier(name: str) -> str:
    """A quoted name. Raises UsageError for one that no column can have.

    >>> identifier('we"ird')
    '"we""ird"'
    """
    if not name or "\x00" in name:
        raise UsageError(f"A column cannot be named {name!r}.")
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | float) -> str:
    """A quoted text, or a number. Raises UsageError for a zero byte, NaN and infinity."""
    if isinstance(value, str):
        if "\x00" in value:
            raise UsageError(f"A value cannot hold a zero byte; it is {value!r}.")
        return "'" + value.replace("'", "''") + "'"
    if not math.isfinite(value):
        raise UsageError(f"A value must be finite; it is {value!r}.")
    return repr(value)


def find_column(columns: Mapping[str, str], wanted: str, table: str, parameter: str) -> Column:
    """The column `wanted`, whatever its capitals if there is only one such. Raises UsageError."""
    if wanted in columns:
        return Column(wanted, columns[wanted], table)
    alike = [name for name in columns if name.casefold() == wanted.casefold()]
    if len(alike) == 1:
        return Column(alike[0], columns[alike[0]], table)
    near = difflib.get_close_matches(wanted, list(columns), n=1)
    hint = f"; the nearest is {near[0]!r}" if near else ""
    raise UsageError(
        f"{table} has no column {wanted!r}{hint}. Its columns: {_listed(columns)}. Name the right one in "
        f"{parameter}."
    )


def _listed(names: Iterable[str], most: int = 30) -> str:
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def plain_text(column: Column) -> str:
    """The cell as text; NULL where it is empty."""
    return f"NULLIF(CAST({column.sql} AS TEXT), '')"


def is_blank(column: Column) -> str:
    """Whether there is nothing in the cell."""
    if column.kind == "text":
        return f"({column.sql} IS NULL OR TRIM({column.sql}) = '')"
    return f"({column.sql} IS NULL)"


def flag(column: Column) -> str:
    """1 for yes, 0 for no, NULL for anything else."""
    if column.kind == "bool":
        return f"CASE WHEN {column.sql} THEN 1 WHEN NOT {column.sql} THEN 0 END"
    if column.kind in {"int", "number"}:
        return f"CASE WHEN {column.sql} = 1 THEN 1 WHEN {column.sql} = 0 THEN 0 END"
    word = f"LOWER(TRIM(CAST({column.sql} AS TEXT)))"
    yes, no = (", ".join(map(literal, words)) for words in (_YES, _NO))
    return f"CASE WHEN {word} IN ({yes}) THEN 1 WHEN {word} IN ({no}) THEN 0 END"


def number(column: Column, parameter: str, dialect: str) -> str:
    """The cell as a number; NULL for what is none. Raises UsageError for a kind that holds no numbers."""
    if column.kind in {"int", "number"}:
        # NaN is how some writers say NULL; where it compares at all it is above every number.
        value = f"CAST({column.sql} AS DOUBLE)"
        return f"CASE WHEN {value} < 1e15 THEN {value} END"
    if column.kind == "text" and dialect == "duckdb":
        value = f"TRY_CAST({column.sql} AS DOUBLE)"
        return f"CASE WHEN {value} < 1e15 THEN {value} END"
    raise UsageError(
        f"{parameter} is {column.name!r} of {column.table}, which holds {column.kind}: it must be a number"
        f"{'' if dialect == 'duckdb' else '; cast it in a SELECT'}."
    )


def micros(column: Column, parameter: str, dialect: str, time_zone: str) -> str:
    """The instant of the cell. Raises UsageError for a kind that is no time, or lacks a zone.

    `epoch_us` and `timezone` are what `llmbench.abtest.dialects` translates.
    """
    name = column.sql
    if column.kind not in _TIMES or (column.kind == "text" and dialect != "duckdb"):
        raise UsageError(
            f"{parameter} is {column.name!r} of {column.table}, which holds {column.kind}: it must be a time"
            f"{'' if dialect == 'duckdb' else '; cast it in a SELECT'}."
        )
    if column.kind == "timestamptz":
        return f"epoch_us({name})"
    if column.kind == "text":
        aware = f"epoch_us(TRY_CAST({name} AS TIMESTAMPTZ))"
        if not time_zone:  # one without an offset is refused by the checks
            return aware
        naive = _localized(f"TRY_CAST({name} AS TIMESTAMP)", dialect, time_zone)
        return f"CASE WHEN {has_offset(column)} THEN {aware} ELSE {naive} END"
    if not time_zone:
        raise UsageError(
            f"{parameter} is {column.name!r} of {column.table}, whose {column.kind}s have no time zone: say "
            "which one they are in with time_zone, such as 'UTC' or 'Europe/Berlin'."
        )
    return _localized(f"CAST({name} AS TIMESTAMP)", dialect, time_zone)


def _localized(naive: str, dialect: str, time_zone: str) -> str:
    if time_zone == "UTC" and dialect == "duckdb":
        return f"epoch_us({naive})"
    return f"epoch_us(timezone({literal(time_zone)}, {naive}))"


def has_offset(column: Column) -> str:
    """Whether a text of a time says its offset from UTC (DuckDB only)."""
    return f"regexp_matches(TRIM({column.sql}), {literal(_OFFSET)})"
