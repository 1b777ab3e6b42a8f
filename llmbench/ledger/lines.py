"""A ledger as text: one attempt a line, JSON, in UTF-8.

What is not known is left out of a line. Reading is strict: a line that is not exactly what `write`
can produce is refused, because a ledger is evidence.
"""

from __future__ import annotations

import codecs
import dataclasses
import json
import math
import reprlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import LedgerError, UsageError
from llmbench.ledger.export_file import export_file
from llmbench.ledger.insertion import insert
from llmbench.ledger.rows import TableRows, encode, instant_text
from llmbench.numbers import finite
from llmbench.types import CallRecord, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llmbench.ledger.connections import Connection, LedgerStore

__all__ = ["line_of", "read_into", "record_of", "write"]

_NUMBER = (int, float)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "call_id": str, "attempt": int, "request_hash": str, "endpoint": str, "provider": str, "backend": str,
    "model": str, "messages": list, "params": dict, "repeat": int, "started_at": str, "latency_ms": _NUMBER,
    "wall_ms": _NUMBER, "status": str, "error_type": str, "error_message": str, "content": str,
    "finish_reason": str, "usage": dict, "queue_ms": _NUMBER, "load_ms": _NUMBER, "prefill_ms": _NUMBER,
    "decode_ms": _NUMBER, "time_to_first_token_ms": _NUMBER, "cost": _NUMBER, "cost_basis": str,
    "price_book": str, "price_as_of": str, "served_model": str, "fingerprint": str, "run_id": str,
    "unit_id": str, "experiment_id": str, "arm": str, "route": dict, "metadata": dict,
}  # fmt: skip
_REQUIRED = (
    "call_id", "attempt", "request_hash", "endpoint", "provider", "model", "messages", "params", "repeat",
    "started_at", "status", "cost_basis",
)  # fmt: skip
_USAGE_FIELDS = tuple(field.name for field in dataclasses.fields(Usage))
_GROUP = 1024


def line_of(call: CallRecord) -> str:
    """One attempt as a line of JSON, without the line's end."""
    values: dict[str, Any] = {}
    for name in _TYPES:
        value = getattr(call, name)
        if name == "started_at":
            value = instant_text(value)
        elif name == "usage" and value is not None:
            value = {field: getattr(value, field) for field in _USAGE_FIELDS if getattr(value, field)}
        known = value is not None and not (isinstance(value, float) and math.isnan(value))
        if known and not (name == "metadata" and not value):
            values[name] = value
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def record_of(line: str) -> CallRecord:
    """The attempt of one line. Raises UsageError or ValueError saying what is wrong with it."""
    values = json.loads(line, object_pairs_hook=_without_repeated_names, parse_constant=_refuse_constant)
    if not isinstance(values, dict):
        raise UsageError("it is not a JSON object")
    for name, value in values.items():
        if name not in _TYPES:
            raise UsageError(f"it has a field {name!r}, which this llmbench does not know")
        if value is not None and (not isinstance(value, _TYPES[name]) or isinstance(value, bool)):
            raise UsageError(f"its {name} is {reprlib.repr(value)}, which is of the wrong type")
        if isinstance(value, _NUMBER) and (finite(value) is None or value < 0):
            raise UsageError(f"its {name} is {reprlib.repr(value)}, which no {name} can be")
    values = {name: value for name, value in values.items() if value is not None}
    missing = [name for name in _REQUIRED if name not in values]
    if missing:
        raise UsageError(f"it has no {', '.join(missing)}")
    usage = values.get("usage")
    if usage is not None:
        values["usage"] = _usage(usage)
    started_at = datetime.fromisoformat(values["started_at"])
    if started_at.tzinfo is None:
        raise UsageError(f"its started_at, {values['started_at']!r}, has no time zone")
    values["started_at"] = started_at.astimezone(UTC)
    values.setdefault("backend", None)
    values.setdefault("latency_ms", math.nan)
    values.setdefault("wall_ms", math.nan)
    return CallRecord(**values)


def write(path: Path, records: Iterable[CallRecord]) -> int:
    """Write `records` to `path`, whole or not at all; returns how many."""
    count = 0
    with export_file(path) as file:
        for record in records:
            file.write(_utf8(line_of(record)) + b"\n")
            count += 1
    return count


def read_into(store: LedgerStore, path: Path) -> int:
    """Add the attempts of the file at `path`, all or none; returns how many were new."""
    added = 0
    with store.writing() as connection, connection.transaction():
        group: list[TableRows] = []
        numbers: list[int] = []
        for number, rows in _rows_of(path):
            group.append(rows)
            numbers.append(number)
            if len(group) == _GROUP:
                added += _add(connection, path, group, numbers)
                group, numbers = [], []
        added += _add(connection, path, group, numbers)
    return added


def _add(connection: Connection, path: Path, group: list[TableRows], numbers: list[int]) -> int:
    inserted = insert(connection, group)
    for position in inserted.refused:
        rows = group[position]
        raise _bad_line(
            path,
            numbers[position],
            f"the ledger holds attempt {rows.call[1]!r} of call {rows.call[0]!r} with other values",
        )
    return inserted.added


def _rows_of(path: Path) -> Iterator[tuple[int, TableRows]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode().strip()
                    if text:
                        yield number, encode(record_of(text))
                except json.JSONDecodeError as error:
                    reason = f"it is not JSON ({error.msg} at column {error.colno})"
                    raise _bad_line(path, number, reason) from error
                except (ValueError, TypeError, RecursionError, UsageError, LedgerError) as error:
                    raise _bad_line(path, number, str(error)) from error
    except OSError as error:
        raise LedgerError(f"{path} cannot be read ({error.strerror}): nothing was imported.") from error


def _bad_line(path: Path, number: int, reason: str) -> LedgerError:
    return LedgerError(
        f"{path}, line {number}: {reason.rstrip('.')}; correct or remove the line, "
        "nothing of the file was imported."
    )


def _usage(values: Mapping[str, Any]) -> Usage:
    for name, value in values.items():
        if name not in _USAGE_FIELDS:
            raise UsageError(f"its usage has a field {name!r}, which this llmbench does not know")
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"its usage.{name} is {reprlib.repr(value)}, which is of the wrong type")
    return Usage(**{"input_tokens": 0, "output_tokens": 0, **values})


def _without_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise UsageError("an object of it names a field twice")
    return values


def _refuse_constant(word: str) -> None:
    raise UsageError(f"{word} is not JSON")


def _utf8(line: str) -> bytes:
    try:
        return line.encode()
    except UnicodeEncodeError:  # half of a character: JSON can say it in escapes, UTF-8 cannot
        return json.dumps(json.loads(line), separators=(",", ":")).encode()
