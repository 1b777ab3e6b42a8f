"""The ledger as a pandas table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from llmbench.types import CallRecord, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

__all__ = ["NUMBERS", "WHOLE", "columns_of", "to_frame", "values_of"]

_TOKENS = tuple(field.name for field in dataclasses.fields(Usage))
_LONG = ("messages", "params")
WHOLE = (*_TOKENS, "attempt", "repeat")
"""Columns of whole numbers."""
NUMBERS = (
    "latency_ms", "wall_ms", "queue_ms", "load_ms", "prefill_ms", "decode_ms", "time_to_first_token_ms",
    "cost",
)  # fmt: skip
"""Columns of other numbers."""


def columns_of(*, messages: bool) -> tuple[str, ...]:
    """The fields of `CallRecord`, with `usage` as five; the long ones only where asked for."""
    columns: list[str] = []
    for field in dataclasses.fields(CallRecord):
        if field.name == "usage":
            columns += _TOKENS
        elif messages or field.name not in _LONG:
            columns.append(field.name)
    return tuple(columns)


def values_of(record: CallRecord, columns: Iterable[str]) -> Iterator[Any]:
    """The values of one attempt in these columns."""
    for name in columns:
        if name in _TOKENS:
            yield None if record.usage is None else getattr(record.usage, name)
        else:
            yield getattr(record, name)


def to_frame(records: Iterable[CallRecord], *, messages: bool = False) -> pd.DataFrame:
    """One row per attempt, in the order given; the columns are the fields of `CallRecord`, with
    `usage` as five token columns. Unknown is NaN, or pandas' NA in a column of whole numbers.
    """
    import pandas as pd

    columns: dict[str, list[Any]] = {name: [] for name in columns_of(messages=messages)}
    for record in records:
        for values, value in zip(columns.values(), values_of(record, columns), strict=True):
            values.append(value)
    series: dict[str, pd.Series[Any]] = {}
    for name, values in columns.items():
        if name in WHOLE:
            series[name] = pd.Series(values, dtype="Int64")
        elif name in NUMBERS:
            series[name] = pd.Series(values, dtype="float64")
        elif name == "started_at":
            series[name] = pd.Series(values, dtype="datetime64[us, UTC]")
        else:
            series[name] = pd.Series(values, dtype="object")
    return pd.DataFrame(series)
