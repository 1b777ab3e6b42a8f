"""A ledger as a table for other programs: CSV or parquet, a page of attempts at a time.

Both are for reading elsewhere; what is to come back into a ledger is exported as JSON lines.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.ledger.export_file import export_file
from llmbench.ledger.frames import NUMBERS, WHOLE, columns_of, values_of
from llmbench.ledger.rows import instant_text
from llmbench.spreadsheet import formula_safe, frame_csv

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.types import CallRecord

__all__ = ["frame_to_csv", "write_table"]

_ROWS_A_PAGE = 10_000


def write_table(path: Path, records: Iterable[CallRecord], *, messages: bool = False) -> int:
    """Write `records` to `path`, .csv or .parquet, whole or not at all; returns how many.

    The columns are those of `Ledger.to_pandas`; what is not known is empty, lists and objects are JSON,
    half characters become a question mark. A text of a CSV that a spreadsheet would run has ' in front.

    Raises UsageError for another suffix and LedgerError where the file cannot be written.
    """
    write = {".csv": _write_csv, ".parquet": _write_parquet}.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"{path.name} must end in .csv or .parquet, which says its form.")
    with export_file(path) as file:
        return write(file, records, columns_of(messages=messages))


def frame_to_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a small table, safe to open in a spreadsheet. Raises LedgerError where it cannot be written."""
    with export_file(path) as file:
        file.write(frame_csv(frame).encode("utf-8", "backslashreplace"))


def _write_csv(file: IO[bytes], records: Iterable[CallRecord], columns: tuple[str, ...]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    count = 0
    for record in records:
        plain = (_plain(value) for value in values_of(record, columns))
        writer.writerow(
            instant_text(value) if isinstance(value, datetime) else formula_safe(value) for value in plain
        )
        count += 1
    text.detach()  # flushes, and leaves the file open to its owner
    return count


def _write_parquet(file: IO[bytes], records: Iterable[CallRecord], columns: tuple[str, ...]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = dict.fromkeys(columns, pa.string())
    kinds |= {name: pa.int64() for name in WHOLE} | {name: pa.float64() for name in NUMBERS}
    kinds["started_at"] = pa.timestamp("us", tz="UTC")
    schema = pa.schema([(name, kinds[name]) for name in columns])
    count = 0
    with pq.ParquetWriter(file, schema) as writer:
        for page in _pages(records):
            rows = [[_plain(value) for value in values_of(record, columns)] for record in page]
            arrays = [
                pa.array(values, kind)
                for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(page)
    return count


def _pages(records: Iterable[CallRecord]) -> Iterator[list[CallRecord]]:
    waiting = iter(records)
    while page := list(islice(waiting, _ROWS_A_PAGE)):
        yield page


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, int | datetime):
        return value
    return _plain(json.dumps(value, ensure_ascii=False, default=str))
