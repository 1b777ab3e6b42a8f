"""Checksums of the rows that say how an experiment was run: its epochs, assignments, looks and plan.

Attempts have their own, see `llmbench.ledger.rows.checksum`; the digest of an outcome is its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmbench.ledger.rows import StoredValue, checksum

__all__ = ["SUMMED", "insert_sql", "renewed_sum", "row_is_whole", "row_sum", "with_sum"]

SUMMED: Mapping[str, tuple[str, ...]] = {
    "epochs": ("experiment_id", "epoch", "weights", "started_at"),
    "assignments": (
        "experiment_id", "unit_id", "epoch", "arm", "probability", "assigned_at", "attributes",
    ),
    "looks": ("experiment_id", "look", "cut_off", "units", "information", "comparisons", "seen_at"),
    "frozen_plans": ("experiment_id", "parameters", "frozen_at"),
}  # fmt: skip
"""The tables, and the columns that their sum covers: all but the row's number. A row's values are in this
order, which is part of every stored sum and stays, and of the types that a database gives back: a REAL is a
float."""


def row_sum(table: str, values: Sequence[StoredValue]) -> bytes:
    """Eight bytes of a row's values and of the table they belong to."""
    return checksum(values, table)


def with_sum(table: str, values: Sequence[StoredValue]) -> tuple[StoredValue, ...]:
    """What the ?s of `insert_sql` are."""
    return (*values, row_sum(table, values))


def insert_sql(table: str) -> str:
    """What writes one row with its sum. An ON CONFLICT may follow."""
    columns = (*SUMMED[table], "checksum")
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def row_is_whole(table: str, values: Sequence[Any], stored: bytes | None) -> bool:
    """Whether `stored` is the sum of the values. Without one (written before schema version 8) nothing is
    known, and nothing is held against the row.
    """
    return stored is None or stored == row_sum(table, values)


def renewed_sum(
    table: str, before: Sequence[Any], stored: bytes | None, after: Sequence[StoredValue]
) -> bytes | None:
    """The sum of a row that changes on purpose. Only a sound one gets a new one: what was damaged, or is not
    known, must not look whole because something was added to it.
    """
    if stored is None or not row_is_whole(table, before, stored):
        return stored
    return row_sum(table, after)
