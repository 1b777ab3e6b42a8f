"""The questions of an evaluation set, wherever they come from."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.reading import open_training, prompt_of, rows, turns

__all__ = ["EvaluationItem", "evaluation_items"]


class EvaluationItem(NamedTuple):
    """One question."""

    name: str
    """By which the report names it: its id, or its line."""
    text: str


def evaluation_items(given: Any, column: str) -> list[EvaluationItem]:
    """The questions of `given`: the path of a JSONL or CSV file, a data set of `llmbench.matrix`, a table of
    pandas, or rows that are texts or have `column`.

    A row of messages asks what its first user says. Raises DatasetError for a file that cannot be read or
    lacks the column, and UsageError for rows that do.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        found = list(_of_csv(path, column) if path.suffix.lower() == ".csv" else _of_lines(path, column))
        if not found:
            raise DatasetError(f"{path.name} has no questions; an evaluation set has at least one.")
        return found
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        given = given.to_dict("records")
    elif hasattr(given, "rows") and hasattr(given, "prompt_column"):
        column = given.prompt_column or column
        given = [{"id": item.id, **item.fields} for item in given.rows]
    if not isinstance(given, Iterable):
        raise UsageError(f"evaluation is a path, a data set or rows; it is a {type(given).__name__}.")
    found = [_item(row, number, column) for number, row in enumerate(given, start=1)]
    if not found:
        raise UsageError("evaluation holds no questions; give at least one, or leave it out.")
    return found


def _of_lines(path: Path, column: str) -> Iterator[EvaluationItem]:
    with open_training(path, "evaluation set") as content:
        for row in rows(content):
            if row.row is None or row.problem is not None:
                what = row.problem.text if row.problem else "cannot be read"
                raise DatasetError(f"{path.name}:{row.line.number} {what}.")
            text = _text(row.row, column)
            if text is None:
                raise DatasetError(
                    f"{path.name}:{row.line.number} has no {column!r} and no messages; name the column of "
                    "the questions in evaluation_column=."
                )
            yield EvaluationItem(str(row.row.get("id", f"line {row.line.number}")), text)


def _of_csv(path: Path, column: str) -> Iterator[EvaluationItem]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as content:
            table = csv.DictReader(content)
            if column not in (table.fieldnames or ()):
                there = ", ".join(table.fieldnames or ()) or "none"
                raise DatasetError(
                    f"{path.name} has no column {column!r}; its columns are {there}. Name the right one in "
                    "evaluation_column=."
                )
            for row in table:
                yield EvaluationItem(row.get("id") or f"line {table.line_num}", row[column] or "")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name} is not UTF-8; save it as UTF-8.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    except csv.Error as error:
        raise DatasetError(f"{path.name} cannot be read as CSV: {error}.") from error


def _item(row: Any, number: int, column: str) -> EvaluationItem:
    if isinstance(row, str):
        return EvaluationItem(f"item {number}", row)
    text = _text(row, column) if isinstance(row, Mapping) else None
    if text is None:
        raise UsageError(
            f"Row {number} of evaluation has no text under {column!r}; name the column in evaluation_column=."
        )
    return EvaluationItem(str(row.get("id", f"item {number}")), text)


def _text(row: Mapping[str, Any], column: str) -> str | None:
    if isinstance(row.get(column), str):
        return str(row[column])
    if isinstance(row.get("messages"), list):
        return prompt_of(turns(row, "chat")) or None
    return None
