"""Rows out of JSONL, CSV, XLSX and parquet files, each with its place in the file.

A reader gives what the file says and collects what is wrong with it; what the columns mean is
`llmbench.matrix.dataset`'s. Missing is None: an empty or blank cell, a JSON null, a NaN.
"""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from llmbench.errors import DatasetError

if TYPE_CHECKING:
    from openpyxl import Workbook

__all__ = [
    "Row",
    "Table",
    "cell_value",
    "column_names",
    "csv_rows",
    "decoded",
    "odd_width",
    "read_table",
    "sniffed_delimiter",
]

_DELIMITERS = (",", ";", "\t", "|")
_LARGEST_CELL = 1 << 26
"""Characters; Python's own limit of 131,072 refuses long documents."""
_LARGEST_BOOK = 1 << 30
"""Bytes of an XLSX file once it is unpacked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it is (line of a text file, row of a sheet or table, from 1) and its cells."""

    line: int
    cells: dict[str, Any]


@dataclass(slots=True)
class Table:
    """What a file holds."""

    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    """(line, what is wrong there)."""
    notes: list[str] = field(default_factory=list)
    """What was assumed about the file and should be shown: delimiter, encoding, sheet."""


def read_table(
    path: Path, content: bytes, *, delimiter: str | None = None, sheet: str | None = None
) -> Table:
    """Read `content`, the bytes of `path`, in the format that its name says.

    `delimiter` is for CSV and found from the file when None; `sheet` is for XLSX, the first when
    None. Raises DatasetError where the file as a whole cannot be read; bad rows are `.problems`.
    """
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        return _read_jsonl(path, content)
    if suffix in {".csv", ".tsv", ".txt"}:
        return _read_csv(path, content, "\t" if suffix == ".tsv" and delimiter is None else delimiter)
    if suffix in {".xlsx", ".xlsm"}:
        return _read_xlsx(path, content, sheet)
    if suffix in {".parquet", ".pq"}:
        return _read_parquet(path, content)
    raise DatasetError(
        f"{path.name} has a name ending in {suffix or 'nothing'!r}; a data set is a .jsonl, .csv, .tsv, "
        ".xlsx or .parquet file: rename or convert it."
    )


def _read_jsonl(path: Path, content: bytes) -> Table:
    table = Table()
    text = decoded(path, content, table.notes, fallback=None)
    columns: dict[str, None] = {}
    # split("\n"), because splitlines() also breaks at U+2028, which JSON allows inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            table.problems.append((number, f"is not JSON ({error.msg} at column {error.colno})"))
            continue
        except (RecursionError, ValueError) as error:
            table.problems.append((number, f"cannot be read as JSON ({type(error).__name__}: {error})"[:200]))
            continue
        if not isinstance(record, dict):
            table.problems.append((number, f"is a JSON {_json_word(record)}, and must be an object {{...}}"))
            continue
        columns.update(dict.fromkeys(record))
        table.rows.append(Row(number, {key: cell_value(value) for key, value in record.items()}))
    table.columns = list(columns)
    return table


def _json_word(value: object) -> str:
    words = {list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return words.get(type(value), "null")


def _read_csv(path: Path, content: bytes, delimiter: str | None) -> Table:
    table = Table()
    text = decoded(path, content, table.notes)
    if delimiter is None:
        delimiter = sniffed_delimiter(text)
        if delimiter != ",":
            table.notes.append(f"{path.name}: the delimiter was taken to be {delimiter!r}")
    elif len(delimiter) != 1:
        raise DatasetError(f"delimiter must be one character; it is {delimiter!r}.")
    lines = csv_rows(text, delimiter)
    try:
        header = next(((number, cells) for number, cells in lines if any(cells)), None)
        if header is None:
            return table
        names = column_names(path, header[1])
        table.columns = [name for name in names if name]
        for number, cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                table.problems.append((number, odd_width(cells, names, delimiter)))
                continue
            table.rows.append(
                Row(number, {name: cell_value(cell) for name, cell in zip(names, cells, strict=True) if name})
            )
    except csv.Error as error:
        raise DatasetError(
            f"{path.name} cannot be read as CSV after line {table.rows[-1].line if table.rows else 1}: "
            f"{error}; look for an unclosed quote, or give delimiter=."
        ) from error
    return table


def odd_width(cells: Sequence[str], names: Sequence[str], delimiter: str) -> str:
    """What is wrong with a row of another length than the header."""
    widths = f"has {len(cells)} cells where the header has {len(names)}"
    if len(cells) == len(names) + 1 and not cells[-1].strip():
        return f"{widths} (it ends with one {delimiter!r} more: take it away, or put one after the header)"
    return f"{widths} (a cell that holds {delimiter!r} or a line break must be in double quotes)"


def csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line on which each begins. Raises csv.Error."""
    previous = csv.field_size_limit(_LARGEST_CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        begins = 1
        for cells in reader:
            yield begins, cells
            begins = reader.line_num + 1
    finally:
        csv.field_size_limit(previous)


def sniffed_delimiter(text: str) -> str:
    """The delimiter that gives the most rows of one width, among those that split the header.

    csv.Sniffer guesses letters on short files; only the four used in practice are tried here.
    """
    # 64 KiB hold dozens of rows; the last one may be cut off, so it is not judged.
    sample = text[:65536]

    def fit(delimiter: str) -> tuple[float, int]:
        widths: list[int] = []
        with suppress(csv.Error):
            widths.extend(len(cells) for _, cells in csv_rows(sample, delimiter) if any(cells))
        if len(sample) < len(text) and len(widths) > 1:
            widths.pop()
        if not widths or widths[0] < 2:
            return (0.0, 0)
        return (sum(width == widths[0] for width in widths) / len(widths), widths[0])

    return max(_DELIMITERS, key=fit)


def _read_xlsx(path: Path, content: bytes, sheet: str | None) -> Table:
    try:
        import openpyxl
    except ImportError as error:
        raise DatasetError(f"{path.name} needs openpyxl: pip install 'llmbench[notebooks]'.") from error

    table = Table()
    with warnings.catch_warnings():
        # openpyxl warns of styles and validations that it leaves out; values are all that is read here.
        warnings.simplefilter("ignore")
        try:
            _refuse_endless(path, content)
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            try:
                _read_book(path, book, sheet, table)
            finally:
                book.close()
        except DatasetError:
            raise
        except Exception as error:  # openpyxl raises whatever the damage happens to lead to
            raise DatasetError(
                f"{path.name} is not a readable XLSX file ({error}); "
                "save it again as .xlsx without a password."
            ) from error
    return table


def _refuse_endless(path: Path, content: bytes) -> None:
    """Raises DatasetError for an archive whose sheets are longer than a sheet gets; zipfile reads no member
    beyond the length that the archive says.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _LARGEST_BOOK:
        raise DatasetError(
            f"{path.name} would be {size:,} bytes once it is unpacked; that is too much for a sheet: save "
            "the rows as .csv or .parquet."
        )


def _read_book(path: Path, book: Workbook, sheet: str | None, table: Table) -> None:
    if sheet is not None and sheet not in book.sheetnames:
        raise DatasetError(f"{path.name} has no sheet {sheet!r}; it has {', '.join(book.sheetnames)}.")
    chosen: Any = book[sheet or book.sheetnames[0]]
    if sheet is None and len(book.sheetnames) > 1:
        table.notes.append(f"{path.name}: sheet {chosen.title!r} of {len(book.sheetnames)} was read")
    _read_sheet(path, chosen.iter_rows(), table)


def _read_sheet(path: Path, sheet_rows: Iterable[Iterable[Any]], table: Table) -> None:
    names: list[str] = []
    for number, cells in enumerate(sheet_rows, start=1):
        values = [cell.value for cell in cells]
        if all(cell_value(value) is None for value in values):
            continue
        if not names:
            while values and cell_value(values[-1]) is None:
                values.pop()
            names = column_names(path, ["" if cell_value(value) is None else str(value) for value in values])
            table.columns = [name for name in names if name]
            continue
        broken = [str(cell.value) for cell in cells if getattr(cell, "data_type", None) == "e"]
        if broken:
            table.problems.append((number, f"holds the spreadsheet error {', '.join(broken)}"))
            continue
        if any(cell_value(value) is not None for value in values[len(names) :]):
            table.problems.append((number, f"has a cell beyond the {len(names)} columns of the header"))
            continue
        values += [None] * (len(names) - len(values))
        table.rows.append(
            Row(number, {name: cell_value(value) for name, value in zip(names, values, strict=False) if name})
        )


def _read_parquet(path: Path, content: bytes) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DatasetError(f"{path.name} needs pyarrow: pip install 'llmbench[notebooks]'.") from error
    try:
        arrow = pq.read_table(pa.BufferReader(content))
        records = arrow.to_pylist()  # where texts that are none and dates beyond Python's are met
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DatasetError(f"{path.name} is not a readable parquet file: {error}.") from error
    rows = [
        Row(number, {name: cell_value(value) for name, value in record.items()})
        for number, record in enumerate(records, start=1)
    ]
    return Table(columns=column_names(path, arrow.column_names), rows=rows)


def column_names(path: Path, header: Sequence[str]) -> list[str]:
    """The names in a header, without blanks around them. Raises DatasetError for one that is there twice."""
    names = [name.strip() for name in header]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DatasetError(
            f"{path.name} has several columns named {', '.join(map(repr, twice))}; rename them."
        )
    return names


def decoded(path: Path, content: bytes, notes: list[str], *, fallback: str | None = "cp1252") -> str:
    """The text of a file: UTF-8, UTF-16 by its mark, else `fallback`, which is noted. Raises DatasetError."""
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"{path.name}: line {line} is not {'UTF-8' if encoding == 'utf-8-sig' else 'UTF-16'}"
        if fallback is None or encoding == "utf-16":
            raise DatasetError(f"{what}; save the file as UTF-8.") from error
    try:
        text = content.decode(fallback)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{what}, and not Windows-1252 ({fallback}) either; save it as UTF-8.") from error
    notes.append(f"{what}; the file was read as Windows-1252 ({fallback})")
    return text


def cell_value(value: Any) -> Any:
    """A cell as Python has it, with every spelling of "nothing there" as None."""
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | dict) and not value:
        return None
    return value
