"""Results as a table: CSV, JSONL, XLSX or parquet, one row an answer or one column a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError
from llmbench.matrix.foreign.rows import SCHEMA, ResultRows, column_text, need_columns, refuse
from llmbench.matrix.readers import (
    column_names,
    csv_rows,
    decoded,
    odd_width,
    read_table,
    sniffed_delimiter,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_result_table"]

_HINT = 'Name them with columns={"item": "...", "model": "..."}; one column a model is wide=True.'
_OF_THE_ITEM = ("item", "question", "expected", "category", "cluster")
_KEPT = 100_000
"""Values remembered at a time."""


def read_result_table(
    path: Path,
    content: bytes,
    *,
    columns: Mapping[str, str],
    wide: bool = False,
    ignore: Sequence[str] = (),
) -> ResultRows:
    """Rows of a table whose columns are those of SCHEMA, or are named by `columns` ({ours: the file's}).

    Wide: a row is an item, and every column that neither `columns` nor SCHEMA nor `ignore` names is a
    model's scores. Raises DatasetError.
    """
    notes: list[str] = []
    table = _frame(path, content, notes)
    own = [str(name) for name in table.columns if name != "line"]
    strange = [name for name in (*columns.values(), *ignore) if name not in own]
    if strange:
        raise DatasetError(f"{path.name} has no column {', '.join(strange)}; it has {column_text(own)}.")
    table = table.drop(columns=list(ignore)).rename(
        columns={theirs: ours for ours, theirs in columns.items()}
    )
    if wide:
        table = _long(path, table)
    need_columns(path, list(table.columns), ("item", "model", "score"), _HINT)
    known = [name for name in table.columns if name in SCHEMA or name == "line"]
    left = [str(name) for name in table.columns if name not in known]
    if left:
        notes.append(f"{path.name}: columns {', '.join(left)} were not used")
    return ResultRows(path, table[known], notes)


def _frame(path: Path, content: bytes, notes: list[str]) -> pd.DataFrame:
    """Cells as text (CSV) or as they are; None where empty; with `line`."""
    import numpy as np
    import pandas as pd

    if path.suffix.lower() in {".csv", ".tsv"}:
        frame = _csv_frame(path, content, notes)
    elif path.suffix.lower() in {".parquet", ".pq"}:
        try:
            frame = pd.read_parquet(io.BytesIO(content))
        except (ValueError, OSError, TypeError, LookupError, RuntimeError, OverflowError) as error:
            # Each of pyarrow's exceptions is one of these, too.
            raise DatasetError(f"{path.name} cannot be read as parquet: {error}.") from error
        frame = frame.reset_index(drop=True).set_axis(
            column_names(path, [str(name) for name in frame.columns]), axis=1
        )
        frame = frame.assign(line=np.arange(1, len(frame) + 1))
    else:
        table = read_table(path, content)
        refuse(path, table.problems)
        notes += table.notes
        frame = pd.DataFrame([row.cells for row in table.rows], columns=table.columns, dtype=object)
        return frame.assign(line=[row.line for row in table.rows])
    if frame.empty:
        raise DatasetError(f"{path.name} has no rows; put at least one result under its header.")
    return frame


def _csv_frame(path: Path, content: bytes, notes: list[str]) -> pd.DataFrame:
    """Not by pandas, which moves the columns along where rows have one cell more than the header, and fills
    up those that have fewer.
    """
    import pandas as pd

    text = decoded(path, content, notes)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else sniffed_delimiter(text)
    rows = csv_rows(text, delimiter)
    names: list[str] = []
    lines: list[int] = []
    columns: list[list[str | None]] = []
    problems: list[tuple[int, str]] = []
    # A value that is there again is kept once: a million rows have few models, categories and scores.
    kept: dict[str, str | None] = {}
    try:
        header = next((cells for _, cells in rows if any(map(str.strip, cells))), [])
        names = column_names(path, header)
        columns = [[] for _ in names]
        for number, cells in rows:
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != len(names):
                problems.append((number, f"{odd_width(cells, names, delimiter)}."))
                continue
            lines.append(number)
            for column, cell in zip(columns, cells, strict=True):
                column.append(kept.setdefault(cell, cell if cell.strip() else None))
            if len(kept) > _KEPT:
                kept.clear()
    except csv.Error as error:
        raise DatasetError(
            f"{path.name} cannot be read as a table after line {lines[-1] if lines else 1}: {error}; look "
            "for an unclosed quote."
        ) from error
    refuse(path, problems)
    found = {
        name: pd.Series(column, dtype=object) for name, column in zip(names, columns, strict=True) if name
    }
    return pd.DataFrame({**found, "line": pd.Series(lines, dtype="int64")})


def _long(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """One row a score, model by model."""
    need_columns(path, list(table.columns), ("item",), 'Name it with columns={"item": "..."}.')
    kept = [name for name in (*_OF_THE_ITEM, "line") if name in table.columns]
    models = [name for name in table.columns if name not in kept]
    if not models:
        raise DatasetError(
            f"{path.name} has no column besides those of the item; a model is a column of scores."
        )
    found: Any = table.melt(id_vars=kept, value_vars=models, var_name="model", value_name="score")
    return found  # type: ignore[no-any-return]
