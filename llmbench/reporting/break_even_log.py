"""A workload read from the ledger, or from a file of past messages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.economics import MeasuredWorkload, workload_of_log
from llmbench.errors import UsageError
from llmbench.numbers import finite

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LEDGER", "read_log"]

LEDGER = "ledger"
"""The log that is no file: the calls of the project's ledger."""
_COLUMNS = {
    "time": "started_at",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
}
"""As the ledger names them; a file may have others."""

_COUNTS = frozenset({"num_model_requests", "requests", "request_count", "num_requests", "calls", "messages"})
"""How usage exports name the requests of a row, which then is a bucket of time and no message."""


def read_log(source: str, columns: Mapping[str, Any], root: Path) -> MeasuredWorkload:
    """The workload that `source` tells: `LEDGER`, or a CSV, XLSX, JSONL or parquet file relative to `root`.

    `columns` says how the file names time, input_tokens, output_tokens and cached_tokens where it is
    otherwise than the ledger does. Raises UsageError naming the file and column that cannot be read.
    """
    names = _COLUMNS | dict(columns)
    if set(names) - set(_COLUMNS):
        unknown = ", ".join(sorted(set(names) - set(_COLUMNS)))
        raise UsageError(f"Parameter 'log_columns' has {unknown}; it takes {', '.join(_COLUMNS)}.")
    frame = _ledger() if source == LEDGER else _file(root / Path(source).expanduser())
    for what in ("time", "input_tokens", "output_tokens"):
        if names[what] not in frame:
            raise UsageError(
                f"The log {Path(source).name} has no column {names[what]!r} ({what}); name it in "
                f"log_columns. It has: "
                f"{', '.join(map(str, frame.columns))}."
            )
    if source != LEDGER:
        _refuse_buckets(frame, names, source)
    cached = names["cached_tokens"]
    return workload_of_log(
        _times(frame, names["time"], source),
        _numbers(frame, names["input_tokens"], source),
        _numbers(frame, names["output_tokens"], source),
        _numbers(frame, cached, source) if cached in frame else None,
    )


def _refuse_buckets(frame: pd.DataFrame, names: Mapping[str, str], source: str) -> None:
    """Raise UsageError for a vendor's usage export: read as a log, each bucket would be one huge message."""
    import pandas as pd

    column = next((str(name) for name in frame.columns if str(name).lower() in _COUNTS), None)
    if column is None:
        return
    counts: Any = pd.to_numeric(frame[column], errors="coerce")
    total = float(counts.sum())
    if not (counts > 1).any() or not math.isfinite(total):
        return
    read, written = (
        sum(value or 0.0 for value in _numbers(frame, names[what], source)) / total
        for what in ("input_tokens", "output_tokens")
    )
    raise UsageError(
        f"The log {Path(source).name} has {total:,.0f} messages in {len(frame):,} rows (column {column!r}): "
        "it is a usage export, and a log has a row for each message. Give the numbers instead of the log: "
        f"messages_per_month as the export's days have them, input_tokens {read:.4g} and output_tokens "
        f"{written:.4g}."
    )


def _ledger() -> pd.DataFrame:
    """Answered calls of the project's ledger: a retry is no message."""
    from llmbench.config import load_config
    from llmbench.ledger import Ledger

    with Ledger(load_config().ledger_url) as ledger:
        frame = ledger.to_pandas()
    return frame[frame["status"] == "ok"]


def _file(path: Path) -> pd.DataFrame:
    import pandas as pd

    readers: dict[str, Any] = {
        ".csv": _csv,
        ".xlsx": _workbook,
        ".jsonl": _json_lines,
        ".parquet": pd.read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"The log {path.name} must be {', '.join(readers)}, or the word {LEDGER}.")
    if path.is_dir():
        raise UsageError(f"The log {path.name} is a folder; give the path of one file in it.")
    try:
        if not path.stat().st_size:
            raise UsageError(f"The log {path.name} is empty; put a row for each message under its header.")
        frame: pd.DataFrame = reader(path)
    except (OSError, ValueError, TypeError, LookupError, RuntimeError, OverflowError) as error:
        # The last four of parquet files, and of JSON that is nested without end.
        # What the system says of a file names it by its whole path.
        said = (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")
        raise UsageError(f"The log {path.name} cannot be read: {said}.") from error
    return frame


def _csv(path: Path) -> pd.DataFrame:
    """As spreadsheets save it: in UTF-8 or UTF-16, with commas, semicolons or tabs."""
    import pandas as pd

    from llmbench.matrix.readers import decoded, sniffed_delimiter

    text = decoded(path, path.read_bytes(), [])
    return pd.read_csv(StringIO(text), sep=sniffed_delimiter(text))


def _workbook(path: Path) -> pd.DataFrame:
    import pandas as pd

    from llmbench.matrix.readers import read_table

    table = read_table(path, path.read_bytes())
    return pd.DataFrame([row.cells for row in table.rows], columns=table.columns)


def _json_lines(path: Path) -> pd.DataFrame:
    import pandas as pd

    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("each line must be a JSON object {...}")
    return pd.DataFrame(rows)


def _times(frame: pd.DataFrame, name: str, source: str) -> list[Any]:
    column: Any = frame[name]
    try:
        parsed = _instants(column, source)
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(
            f"The times of the log {Path(source).name} cannot be read: {str(error).rstrip('.')}; write them "
            "as in 2025-01-31T09:30:00+00:00."
        ) from error
    if parsed.isna().any():
        raise UsageError(f"{int(parsed.isna().sum())} messages of the log {Path(source).name} have no time.")
    return list(parsed)


def _instants(column: Any, source: str) -> Any:
    """The times of a column. Raises UsageError where some have a time zone and some none, and what pandas
    raises for what is no time.
    """
    import pandas as pd

    texts = column.dtype == object or pd.api.types.is_string_dtype(column)
    # Never guessed: 03.04.2025 would be of March, and 13.04.2025 below it of April.
    form = "ISO8601" if texts else None
    try:
        return pd.to_datetime(column, format=form)
    except ValueError:
        # Offsets differ before and after a change to summer time; what is no time is refused again here.
        parsed = pd.to_datetime(column, format=form, utc=True)
    # As instants, a time without a zone would be taken for UTC.
    naive = sum(pd.Timestamp(value).tzinfo is None for value in column[parsed.notna()])
    if naive:
        raise UsageError(
            f"{naive:,} of {len(column):,} times of the log {Path(source).name} have no time zone and the "
            "others have one; add theirs, such as +00:00."
        )
    return parsed


def _numbers(frame: pd.DataFrame, name: str, source: str) -> list[float | None]:
    import pandas as pd

    try:
        values: Any = pd.to_numeric(frame[name], errors="coerce")
    except OverflowError as error:  # of an integer that no float can hold
        raise UsageError(
            f"The column {name!r} of the log {Path(source).name} has a number that cannot be read: {error}."
        ) from error
    _refuse_texts(frame[name], values, source)
    return [finite(value) for value in values.tolist()]


def _refuse_texts(column: Any, values: Any, source: str) -> None:
    """Raise UsageError for cells that hold something and no number: left out, they would bend every mean."""
    bad = column[values.isna() & column.notna() & (column.astype(str).str.strip() != "")]
    if len(bad):
        rows = "1 row" if len(bad) == 1 else f"{len(bad):,} rows"
        raise UsageError(
            f"Column {column.name!r} of the log {Path(source).name} holds {str(bad.iloc[0])[:40]!r} in row "
            f"{column.index.get_loc(bad.index[0]) + 1:,}, which is no number ({rows}); write it as in 1234; "
            "an unknown one is an empty cell."
        )
