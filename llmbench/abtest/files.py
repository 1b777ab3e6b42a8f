"""Files of outcomes as tables of DuckDB, and the line on which one goes wrong."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from llmbench.abtest.sql_text import literal
from llmbench.errors import DatasetError

__all__ = ["file_select", "is_file", "is_select_file", "line_of", "named_files", "select_of_file", "shown"]

_CSV = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")
_DELIMITERS = (",", ";", "\t", "|")


def shown(name: str | Sequence[str]) -> str:
    """A file as messages and reports name it: no absolute path."""
    if not isinstance(name, str):
        return f"{shown(name[0])} and {len(name) - 1} more" if len(name) > 1 else shown(name[0])
    return Path(name).name if Path(name).expanduser().is_absolute() else name


def is_file(where: object) -> bool:
    """Whether `where` names files, and not a table or a SELECT."""
    if isinstance(where, list | tuple):
        return bool(where) and all(is_file(each) for each in where)
    if not isinstance(where, str | Path):
        return False
    text = str(where)
    return (
        "\n" not in text
        and not is_select_file(text)
        and bool(re.search(r"\.[A-Za-z]{1,8}(\.gz)?$", text))
        and (_kind(text) is not None or Path(text).is_file())
    )


def is_select_file(where: object) -> bool:
    """Whether `where` names a file that holds a SELECT (.sql)."""
    return isinstance(where, str | Path) and bool(re.fullmatch(r"(?i)\S[^\n]*\.sql", str(where).strip()))


def select_of_file(where: str | Path) -> str:
    """What a .sql file says, without the comments before it. Raises DatasetError."""
    path = Path(str(where).strip()).expanduser()
    if not path.is_file():
        raise DatasetError(
            f"there is no file {shown(str(where))}; correct the path (it is taken from the current folder)."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{shown(str(where))} cannot be read ({error.__class__.__name__}).") from error
    return re.sub(r"\A(\s+|--[^\n]*(\n|\Z)|/\*.*?\*/)*", "", text, flags=re.DOTALL).strip()


def _kind(name: str) -> str | None:
    plain = name.lower().removesuffix(".gz")
    return "csv" if plain.endswith(_CSV) else "parquet" if plain.endswith(_PARQUET) else None


def named_files(where: str | Path | Sequence[str]) -> list[str]:
    """The files that are there, in order. Raises DatasetError."""
    found: list[str] = []
    for name in [where] if isinstance(where, str | Path) else where:
        text = str(Path(name).expanduser())
        if Path(text).is_file():
            found.append(text)
            continue
        matches = sorted(each for each in glob.iglob(text, recursive=True) if Path(each).is_file())  # noqa: PTH207
        if not matches:
            what = "no file fits" if glob.has_magic(text) else "there is no file"
            raise DatasetError(
                f"{what} {shown(str(name))}; correct the path (it is taken from the current folder)."
            )
        found += matches
    return found


def file_select(where: str | Path | Sequence[str]) -> str:
    """The SELECT of all rows. All cells of a CSV file are text, so that no id loses its zeros.

    Raises DatasetError for files that are missing or of another kind.
    """
    files = named_files(where)
    kinds = {_kind(name) for name in files}
    if kinds == {"parquet"}:
        return f"SELECT * FROM read_parquet({_list(files)}, union_by_name = {len(files) > 1})"
    if kinds != {"csv"}:
        bad = next((name for name in files if _kind(name) is None), files[0])
        raise DatasetError(
            f"{shown(bad)} cannot be read here: outcomes are .csv, .tsv or .parquet files, all of one kind; "
            "convert it."
        )
    headers = {name: _header(name) for name in files}
    delimiter, columns = headers[files[0]]
    for name, (_, others) in headers.items():
        if others != columns:
            raise DatasetError(
                f"{shown(name)} has other columns than {shown(files[0])}: {', '.join(others)} instead of "
                f"{', '.join(columns)}."
            )
    typed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"SELECT * FROM read_csv({_list(files)}, auto_detect = false, header = true, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', columns = {{{typed}}}, "
        "strict_mode = true, null_padding = false, max_line_size = 67108864)"
    )


def _list(files: Sequence[str]) -> str:
    return f"[{', '.join(literal(name) for name in files)}]"


def _open(name: str) -> io.TextIOWrapper:
    raw = gzip.open(name, "rb") if name.lower().endswith(".gz") else Path(name).open("rb")  # noqa: SIM115 - the caller closes
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _header(name: str) -> tuple[str, list[str]]:
    """Delimiter and names of the columns."""
    try:
        with _open(name) as lines:
            sample = [line for _, line in zip(range(50), lines, strict=False)]
    except UnicodeDecodeError as error:
        raise DatasetError(f"{shown(name)} is not UTF-8 ({error.reason}); save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:  # the last two of a .gz that is cut off or damaged
        said = (isinstance(error, OSError) and error.strerror) or error
        raise DatasetError(f"{shown(name)} cannot be read: {said}.") from error
    if not sample or not sample[0].strip():
        raise DatasetError(f"{shown(name)} has no header in line 1; its first line must name the columns.")
    delimiter = max(_DELIMITERS, key=lambda each: _fit(sample, each))
    try:
        columns = next(csv.reader(sample, delimiter=delimiter))
    except csv.Error as error:
        raise DatasetError(f"{shown(name)} has a line 1 that names no columns: {error}.") from error
    for place, column in enumerate(columns, start=1):
        if not column.strip():
            raise DatasetError(f"{shown(name)} has no name for column {place} in line 1; give it one.")
    folded = [column.casefold() for column in columns]
    for column in columns:
        if folded.count(column.casefold()) > 1:
            raise DatasetError(f"{shown(name)} has the column {column!r} twice in line 1; rename one.")
    return delimiter, columns


def _fit(sample: Sequence[str], delimiter: str) -> tuple[float, int]:
    widths: list[int] = []
    with suppress(csv.Error):
        widths.extend(len(row) for row in csv.reader(sample, delimiter=delimiter) if row)
    if not widths:
        return (0.0, 0)
    return (sum(width == widths[0] for width in widths) / len(widths) * (widths[0] > 1), widths[0])


def line_of(where: object, column: str, value: str) -> str:
    """' (line 17 of leads.csv)' for the first cell of a CSV file that holds `value`, or an empty text."""
    if not is_file(where):
        return ""
    for name in named_files(where):  # type: ignore[arg-type]
        if _kind(name) == "csv":
            for line, row in _rows(name):
                if row.get(column) == value:
                    return f" (line {line} of {shown(name)})"
    return ""


def _rows(name: str) -> Iterator[tuple[int, dict[str, str]]]:
    delimiter, columns = _header(name)
    with _open(name) as lines, suppress(csv.Error, UnicodeDecodeError, OSError, EOFError, zlib.error):
        reader = csv.reader(lines, delimiter=delimiter)
        next(reader)
        begins = reader.line_num + 1
        for row in reader:
            yield begins, dict(zip(columns, row, strict=False))
            begins = reader.line_num + 1
