"""Results without what must not leave: columns of the items, and what repeats them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.text import as_text, nearest

if TYPE_CHECKING:
    from llmbench.matrix.results import MatrixResults

__all__ = ["ANSWERS", "REDACTED", "check_columns", "redacted", "refuse_filter"]

REDACTED = "[redacted]"
ANSWERS = "answer"
"""Stands for all answers, and for the column of that name where the items have one."""
_ROLES = {"id": "id", "item": "id", "expected": "expected", "category": "category", "cluster": "cluster"}
"""What may be named beside columns: what the column of that role holds, whatever the column's name."""
_FILTER = re.compile(r"\(those with .*\)", re.DOTALL)
_SHORTEST = 4
"""Characters of a value from which on it is also looked for inside of other texts."""
_SAID = ("answer", "note", "error", "expected")


def check_columns(data: Dataset, columns: Sequence[str]) -> None:
    """Raise UsageError for a name that can not be redacted."""
    known = dict.fromkeys([*data.columns, *_ROLES, ANSWERS])
    for name in columns:
        if name not in known:
            raise UsageError(
                f"redact_columns names {name!r}, which is no column; they are {', '.join(known)}."
                f"{nearest(str(name), known)}"
            )


def refuse_filter(
    columns: Sequence[Any],
    where: Mapping[str, Any],
    roles: Mapping[str, str | None],
    answers: Sequence[str] = (),
) -> None:
    """Raise UsageError where the items are filtered by a column that is to be out of sight: the filter's
    values would stand in the report's parameters and in the executed notebook.

    `roles` are the columns by role, `answers` those of past answers.

    >>> refuse_filter(["email"], {"team": "a"}, {})
    >>> refuse_filter(["email"], {"email": ["a@example.org"]}, {})
    Traceback (most recent call last):
        ...
    llmbench.errors.UsageError: where filters by 'email', which redact_columns puts out of sight, and the \
report would show the values of the filter: write the rows that are wanted to a file of their own, and give \
that file without where.
    """
    hidden = {*columns} | {roles.get(role) for name, role in _ROLES.items() if name in columns}
    hidden |= {*answers} if ANSWERS in columns else set()
    for column in where:
        if column in hidden:
            raise UsageError(
                f"where filters by {column!r}, which redact_columns puts out of sight, and the report would "
                "show the values of the filter: write the rows that are wanted to a file of their own, and "
                "give that file without where."
            )


def redacted(results: MatrixResults, columns: Sequence[str]) -> MatrixResults:
    """`results` with the values of `columns` put out of sight in the items, and in answers, notes and errors
    of the same item where they are repeated (whole, or from 4 characters on as a part; case and blanks do
    not matter). Scores and costs stay.

    A model may repeat a value in other words: `columns` may name "answer", which puts all answers and notes
    out of sight, and a column of that name (not the columns that past answers came from: name those too).
    "item" or "id", "expected", "category" and "cluster" stand for the columns that have these roles. Names
    of items become numbers, categories and clusters too; of a filter by a hidden column, the data set's
    notes keep that there was one. Raises UsageError for a name that is no column.
    """
    if not columns:
        return results
    data = results.dataset
    check_columns(data, columns)
    hidden = set(columns)
    whole = ANSWERS in hidden
    roles = {role for role, name in data.roles.items() if name in hidden}
    roles |= {role for name, role in _ROLES.items() if name in hidden}
    hidden |= {name for role in roles if (name := data.roles.get(role)) is not None}
    patterns = {item.id: _pattern(item, hidden, roles) for item in data.rows}
    items = _items(data, hidden, roles, patterns)
    answers = results.answers.copy()
    of_item = answers["item_id"].map(patterns)
    for name in _SAID:
        answers[name] = [
            _masked(value, pattern, whole=whole and name in {"answer", "note"})
            for value, pattern in zip(answers[name], of_item, strict=True)
        ]
    new = {old.id: item for old, item in zip(data.rows, items, strict=True)}
    for column, attribute in (("expected", "expected"), ("category", "category"), ("cluster", "cluster")):
        if attribute in roles:
            answers[column] = [getattr(new[name], attribute) for name in answers["item_id"]]
    answers["item_id"] = [new[name].id for name in answers["item_id"]]
    for name in ("category", "cluster", *_SAID):
        answers[name] = answers[name].astype(object)
    judging = results.judging
    if judging is not None:
        table = judging.table.copy()
        table["reason"] = [
            _masked(value, patterns.get(item), whole=whole)
            for value, item in zip(table["reason"], table["item_id"], strict=True)
        ]
        table["item_id"] = [new[name].id for name in table["item_id"]]
        judging = replace(judging, table=table)
    dataset = replace(data, rows=items, notes=tuple(_note(note, hidden) for note in data.notes))
    return replace(results, answers=answers, dataset=dataset, judging=judging)


def _note(note: str, hidden: set[str]) -> str:
    """A note of the data set without the values of a filter (see `Dataset.where`) by a hidden column."""
    found = _FILTER.search(note)
    if found is None or not any(name in found[0] for name in hidden):
        return note
    return _FILTER.sub(lambda _: f"(those with {REDACTED})", note)


def _items(
    data: Dataset,
    hidden: set[str],
    roles: set[str],
    patterns: Mapping[str, re.Pattern[str] | None],
) -> tuple[Item, ...]:
    numbers: dict[str, dict[str, int]] = {role: {} for role in roles}

    def number(role: str, value: str | None) -> str | None:
        """One name for each value, so that what belongs together still does."""
        if value is None or role not in roles:
            return value
        return f"{role} {numbers[role].setdefault(value, len(numbers[role]) + 1)}"

    return tuple(
        Item(
            id=number("id", item.id) or item.id,
            fields={
                name: REDACTED if name in hidden and value is not None else _inside(value, patterns[item.id])
                for name, value in item.fields.items()
            },
            expected=(
                REDACTED
                if "expected" in roles and item.expected is not None
                else _inside(item.expected, patterns[item.id])
            ),
            category=number("category", item.category),
            cluster=number("cluster", item.cluster),
            line=item.line,
        )
        for item in data.rows
    )


def _pattern(item: Item, hidden: set[str], roles: set[str]) -> re.Pattern[str] | None:
    """What finds the hidden values of an item in a text."""
    values = {text.strip() for name in hidden for text in _texts(item.fields.get(name))}
    values |= {text.strip() for role in roles for text in _texts(getattr(item, role, None))}
    values.discard("")
    if not values:
        return None
    spaced = {value: r"\s+".join(map(re.escape, value.split())) for value in values}
    whole = [rf"\A\s*{spaced[value]}\s*\Z" for value in values if len(value) < _SHORTEST]
    parts = [spaced[value] for value in sorted(values, key=len, reverse=True) if len(value) >= _SHORTEST]
    return re.compile("|".join([*parts, *whole]), re.IGNORECASE)


def _texts(value: Any) -> Iterator[str]:
    """Of a cell: its text, and those of a list or dict one by one."""
    if value is None:
        return
    yield as_text(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for part in inner:
        yield from _texts(part)


def _inside(value: Any, pattern: re.Pattern[str] | None) -> Any:
    """The same value with every text in it masked."""
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(REDACTED, value)
    if isinstance(value, dict):
        return {_inside(name, pattern): _inside(part, pattern) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_inside(part, pattern) for part in value]
    return REDACTED if value is not None and pattern.fullmatch(as_text(value)) else value


def _masked(value: Any, pattern: re.Pattern[str] | None, *, whole: bool) -> Any:
    if not isinstance(value, str) or not value:
        return value if isinstance(value, str) else None
    if whole:
        return REDACTED
    return value if pattern is None else pattern.sub(REDACTED, value)
