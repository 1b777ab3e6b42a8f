"""Parts of others' JSON, each of the kind that it must be: what is not is told by file and record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.errors import DatasetError

__all__ = ["as_number", "as_record", "number_of", "part_of", "records_of"]

_WORDS = {list: "an array", str: "a text", bool: "true or false", int: "a number", float: "a number"}


def as_record(path: Path, where: str, value: Any) -> dict[str, Any]:
    """`value`, which must be a JSON object. Raises DatasetError.

    >>> as_record(Path("a.json"), "sample 1", [])
    Traceback (most recent call last):
        ...
    llmbench.errors.DatasetError: a.json: sample 1 is an array, and must be an object {...}.
    """
    if not isinstance(value, dict):
        word = _WORDS.get(type(value), "null")
        raise DatasetError(f"{path.name}: {where} is {word}, and must be an object {{...}}.")
    return value


def part_of(path: Path, where: str, record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object `name` of a record; empty where there is none. Raises DatasetError."""
    value = record.get(name)
    return {} if value is None else as_record(path, f"{name} of {where}", value)


def records_of(path: Path, where: str, record: Mapping[str, Any], name: str) -> list[Any]:
    """The list `name` of a record; empty where there is none. Raises DatasetError."""
    value = record.get(name)
    if value is not None and not isinstance(value, list):
        word = "an object" if isinstance(value, dict) else _WORDS.get(type(value), "null")
        raise DatasetError(f"{path.name}: {name} of {where} is {word}, and must be an array [...].")
    return value or []


def number_of(path: Path, where: str, record: Mapping[str, Any], name: str) -> float | None:
    """The number `name` of a record; None where there is none. Raises DatasetError."""
    return as_number(path, f"{name} of {where}", record.get(name))


def as_number(path: Path, where: str, value: Any) -> float | None:
    """`value` as a number, None where it is null. Raises DatasetError.

    >>> as_number(Path("a.json"), "score of sample 1", "0.5")
    0.5
    """
    if value is None:
        return None
    if isinstance(value, int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise DatasetError(f"{path.name}: {where} is {value!r:.60}, and must be a number.")
