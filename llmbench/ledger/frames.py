"""The ledger as a pandas table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from llmbench.types import CallRecord, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

__all__ = ["to_frame"]

_TOKENS = tuple(field.name for field in dataclasses.fields(Usage))
_LONG = ("messages", "params")
_NUMBERS = (
    "latency_ms", "wall_ms", "queue_ms", "load_ms", "prefill_ms", "decode_ms", "time_to_first_token_ms",
    "cost",
)  # fmt: skip


def to_frame(records: Iterable[CallRecord], *, messages: bool = False) -> pd.DataFrame:
    """One row per attempt, in the order given; the columns are the fields of `CallRecord`, with
    `usage` as five token columns. Unknown is NaN, or pandas' NA in a column of whole numbers.
    """
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    for field in dataclasses.fields(CallRecord):
        if field.name == "usage":
            columns |= {name: [] for name in _TOKENS}
        elif messages or field.name not in _LONG:
            columns[field.name] = []
    for record in records:
        for name, values in columns.items():
            if name in _TOKENS:
                values.append(None if record.usage is None else getattr(record.usage, name))
            else:
                values.append(getattr(record, name))
    series: dict[str, pd.Series[Any]] = {}
    for name, values in columns.items():
        if name in _TOKENS or name in {"attempt", "repeat"}:
            series[name] = pd.Series(values, dtype="Int64")
        elif name in _NUMBERS:
            series[name] = pd.Series(values, dtype="float64")
        elif name == "started_at":
            series[name] = pd.Series(values, dtype="datetime64[us, UTC]")
        else:
            series[name] = pd.Series(values, dtype="object")
    return pd.DataFrame(series)
