"""A vendor's usage and cost exports, read from files: CSV, or the pages of its API as JSON."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.errors import DatasetError, UsageError
from llmbench.ledger.export_shapes import BUCKET, ExportRow, Place, Reader, Record, day_alone, reader_of

__all__ = ["COLUMNS", "VENDORS", "Export", "ExportRow", "read_exports"]

VENDORS = ("openai", "anthropic", "together", "generic")
COLUMNS = ("date", "model", "calls", "input", "output", "cost")
"""What `columns` can name for an export of any other shape; `date` is needed."""


class Export(NamedTuple):
    """All rows of a vendor's exports."""

    vendor: str
    rows: list[ExportRow]
    first: date | None
    """First and last day covered, days without usage included."""
    last: date | None


_Days = set[date]
_Records = Iterator[tuple[Place, Record]]


def read_exports(
    paths: Sequence[str | Path], vendor: str | None = None, columns: Mapping[str, str] | None = None
) -> Export:
    """Read a vendor's exports (CSV or JSON): usage, costs, or one file of each.

    `vendor` None tells it from the columns. `columns` maps "date", "model", "calls", "input",
    "output", "cost" to the columns of an export of any other shape (vendor "generic").

    Raises DatasetError naming the file, and the columns there are where it is of no known shape.
    """
    if vendor is not None and vendor not in VENDORS:
        raise UsageError(f"There is no export format {vendor!r}; choose one of {', '.join(VENDORS)}.")
    mapping = _checked_columns(columns, vendor)
    rows: list[ExportRow] = []
    days: _Days = set()
    vendors: dict[str, str] = {}
    seen: dict[str, str] = {}
    for path in map(Path, paths):
        text = _text(path)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest in seen:
            raise UsageError(f"{path.name} and {seen[digest]} are the same export; give it once.")
        seen[digest] = path.name
        found, read = _read(path.name, text, mapping, days)
        vendors[found] = path.name
        rows += read
    if vendor is not None and set(vendors) - {vendor}:
        other = next(found for found in vendors if found != vendor)
        raise DatasetError(
            f"{vendors[other]} is an export of {other}, not of {vendor}; give --vendor {other}, or map its "
            "columns by --columns with --vendor generic."
        )
    if len(vendors) != 1:
        raise UsageError(f"Give exports of one vendor; these are of {', '.join(sorted(vendors)) or 'none'}.")
    return Export(next(iter(vendors)), rows, min(days, default=None), max(days, default=None))


def _checked_columns(columns: Mapping[str, str] | None, vendor: str | None) -> Mapping[str, str] | None:
    if columns is None:
        if vendor == "generic":
            raise UsageError(
                "An export of no known vendor needs columns: date=..., and of "
                f"{', '.join(COLUMNS[1:])} those that it has."
            )
        return None
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown or "date" not in columns:
        wrong = f"names {unknown[0]!r}" if unknown else "lacks 'date'"
        raise UsageError(f"The map of columns {wrong}; it maps {', '.join(COLUMNS)} to columns of the file.")
    if not set(columns) & {"calls", "input", "output", "cost"}:
        raise UsageError("The map of columns names nothing to compare; add calls, input, output or cost.")
    return columns


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"The export {path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"The export {path.name} is not text in UTF-8; save it as CSV or JSON.") from error


def _read(
    file: str, text: str, mapping: Mapping[str, str] | None, days: _Days
) -> tuple[str, list[ExportRow]]:
    if text.lstrip()[:1] in {"{", "["}:
        records, reader, vendor = _json_records(file, text, mapping)
    else:
        records, reader, vendor = _csv_records(file, text, mapping)
    rows = []
    for place, record in records:
        row = reader(record, place)
        days.add(row.day)
        if any(value is not None for value in (row.calls, row.input_tokens, row.output_tokens, row.usd)):
            rows.append(row)
    return vendor, rows


def _csv_records(file: str, text: str, mapping: Mapping[str, str] | None) -> tuple[_Records, Reader, str]:
    head = text.partition("\n")[0]
    separator = max(",\t;", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
    except csv.Error as error:
        raise DatasetError(f"{file}, line 1: not a table ({error}); save it as CSV again.") from error
    reader.fieldnames = names
    read, vendor = reader_of(file, set(names), names, mapping)

    def records() -> _Records:
        try:
            for record in reader:
                place = Place(file, f"line {reader.line_num}")
                if None in record or any(value is None for value in record.values()):
                    place.refuse("the row has another number of columns than the head", "correct it")
                yield place, record
        except csv.Error as error:
            raise DatasetError(f"{file}, line {reader.line_num}: {error}; save it as CSV again.") from error

    return records(), read, vendor


def _json_records(file: str, text: str, mapping: Mapping[str, str] | None) -> tuple[_Records, Reader, str]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not JSON: {error}; fetch it again.") from error
    records = list(_flat(file, document))
    if not records:
        raise DatasetError(f"{file} holds no rows; export a period with usage.")
    if mapping is not None:
        names = list(dict.fromkeys(name for _, record in records for name in record))
        return iter(records), *reader_of(file, set(names), names, mapping)
    # By record, because usage and costs may stand in one file.
    readers = [
        (day_alone, None) if set(record) <= BUCKET else reader_of(file, set(record), list(record), None)
        for _, record in records
    ]
    vendors = {vendor for _, vendor in readers if vendor}
    if len(vendors) != 1:
        raise DatasetError(
            f"{file} holds {'exports of several vendors' if vendors else 'only days without usage'}; "
            "give the export of one vendor, of a period with usage."
        )
    of_record = {id(record): read for (_, record), (read, _) in zip(records, readers, strict=True)}
    return iter(records), lambda record, place: of_record[id(record)](record, place), vendors.pop()


def _flat(file: str, document: Any) -> _Records:
    """Buckets and pages as records: the fields of a bucket, then those of one of its results."""
    pages = document if isinstance(document, list) else [document]
    for number, page in enumerate(pages, start=1):
        where = Place(file, f"item {number}")
        if not isinstance(page, dict):
            where.refuse("not an object", "give the pages of the vendor's API, or a list of rows")
        last = number == len(pages)
        if last and (page.get("has_more") or page.get("next_cursor")):
            where.refuse("the vendor has more pages than this file", "fetch the rest and put all into a list")
        buckets = page["data"] if isinstance(page.get("data"), list) else [page]
        for bucket in buckets:
            if not isinstance(bucket, dict):
                where.refuse("a bucket that is not an object", "fetch it again")
            results = bucket.get("results", bucket.get("line_items"))
            if not isinstance(results, list):
                yield where, bucket
                continue
            outer = {key: value for key, value in bucket.items() if key not in {"results", "line_items"}}
            outer |= {"billing.currency": page["currency"]} if "currency" in page else {}
            # A bucket without results is a day without usage: it belongs to the period.
            for result in results or [{}]:
                yield where, {**outer, **_unnested(result)}


def _unnested(result: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{inner}": each for inner, each in value.items()}
        else:
            flat[key] = value
    return flat
