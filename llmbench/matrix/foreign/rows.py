"""Result rows as every reader gives them, checked: one row an answer, whatever wrote the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError
from llmbench.matrix.dataset import can_be_written

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "NUMBERS",
    "SCHEMA",
    "ResultRows",
    "checked",
    "column_text",
    "first_known",
    "is_simulated",
    "newest_answer",
    "refuse",
    "same_everywhere",
]

SCHEMA = {
    "item": "names the item; the same item has the same name for every model",
    "model": "who answered",
    "score": "a number on the scale; empty where there is none",
    "prompt": "name of the prompt, where there are several",
    "repeat": "number of the draw, from 0, where items were asked more than once",
    "answer": "what was answered",
    "question": "what was asked",
    "expected": "the right answer",
    "category": "kind of item",
    "cluster": "items that belong together, such as those of one customer",
    "cost_usd": "USD of this answer",
    "latency_ms": "milliseconds to the whole answer",
    "input_tokens": "tokens of this call",
    "output_tokens": "tokens of this answer",
    "cached_tokens": "tokens of the input that came from a cache",
    "reasoning_tokens": "tokens of the output that were not shown",
    "finish_reason": "stop, length or content_filter",
    "error": "why there is no answer",
    "note": "what the grader said",
    "answered_at": "when, as an ISO instant with its time zone",
    "simulated": "true where nobody answered: every report of it says so",
}
"""The columns of a table of results, of which the first three are needed."""

NUMBERS = ("cost_usd", "latency_ms", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_NEEDED = ("item", "model")
_NAMES = ("item", "model", "prompt", "category", "cluster")
_TEXTS = (*_NAMES, "answer", "question", "expected", "finish_reason", "error", "note", "answered_at")
_OF_THE_ITEM = ("category", "cluster")
_NESTED = (list, dict, tuple)
_NO_NUMBER = frozenset({"", "nan", "null", "none", "na", "n/a"})
_YES = frozenset({"true", "1", "1.0", "yes"})
_SHOWN = 10
_MOST_DRAWS = 2.0**53


@dataclass(slots=True)
class ResultRows:
    """What one file holds."""

    path: Path
    frame: pd.DataFrame
    """Some columns of SCHEMA, and `line`: where in the file the row is, from 1."""
    notes: list[str] = field(default_factory=list)
    """What was assumed about the file."""
    task: str = ""
    """What was evaluated, where the file says so."""


def refuse(path: Path, problems: Iterable[tuple[int, str]]) -> None:
    """Raise DatasetError with the first of `problems` (line, what is wrong there), if there are any."""
    found = list(problems)
    if found:
        shown = " ".join(f"{path.name}:{line}: {what}" for line, what in found[:_SHOWN])
        more = f" And {len(found) - _SHOWN:,} more." if len(found) > _SHOWN else ""
        raise DatasetError(f"{shown}{more}")


def checked(rows: ResultRows, scale: tuple[float, float], tie: float | None) -> pd.DataFrame:
    """The frame with every column of SCHEMA, numbers as numbers, and scores from 0 to 1 (NaN is none).

    Raises DatasetError by line for a row without item or model, a score that is no number or off the
    scale, a number below 0, and a row that has both an error and a score.
    """
    import numpy as np
    import pandas as pd

    frame, path = rows.frame.reset_index(drop=True), rows.path
    _check_texts(path, frame)
    low, high = scale
    score = _numbers(path, frame, "score")
    off = (score < low) | (score > high) | np.isinf(score)
    if tie is not None:
        tied = score == tie
        off &= ~tied
    if off.any():
        where = f"off the scale from {low:g} to {high:g}; say score_scale=(worst, best)."
        found = zip(frame["line"][off], score[off], strict=True)
        refuse(path, [(line, f"the score {value:g} is {where}") for line, value in found])
    frame["score"] = (score - low) / (high - low)
    if tie is not None:
        frame.loc[tied, "score"] = 0.5
    for name in NUMBERS:
        values = _numbers(path, frame, name) if name in frame else pd.Series(np.nan, index=frame.index)
        _refuse_where(
            path, frame, (values < 0) | np.isinf(values), f"has a {name} below 0 or without an end."
        )
        frame[name] = values
    repeat = _numbers(path, frame, "repeat") if "repeat" in frame else pd.Series(0.0, index=frame.index)
    wrong = ~((repeat >= 0) & (repeat < _MOST_DRAWS) & (repeat == np.floor(repeat)))
    _refuse_where(path, frame, wrong, "repeat must be a whole number from 0.")
    frame["repeat"] = repeat.astype(np.int64)
    for name in SCHEMA:
        if name not in frame:
            frame[name] = None
    failed = frame["error"].notna()
    both = failed & frame["score"].notna()
    _refuse_where(path, frame, both, "has both an error and a score; leave one of them empty.")
    frame.loc[failed, "answer"] = None
    return frame


def same_everywhere(path: Path, frame: pd.DataFrame) -> None:
    """Raise DatasetError for an item that is of two categories, or of two clusters."""
    import pandas as pd

    codes, items = pd.factorize(frame["item"])
    for name in _OF_THE_ITEM:
        given = frame[name].to_numpy(dtype=object)
        first = first_known(given, codes, len(items))[codes]
        other = ~pd.isna(given) & (given != first)
        if other.any():
            place = int(other.argmax())
            raise DatasetError(
                f"{path.name}:{frame['line'][place]}: item {frame['item'][place]!r} has the {name} "
                f"{given[place]!r} here and {first[place]!r} before; an item has one {name}."
            )


def newest_answer(path: Path, frame: pd.DataFrame) -> str | None:
    """The latest `answered_at` as an ISO instant (UTC); None where none is told.

    Raises DatasetError by line for one that is no instant or has no time zone.
    """
    newest: datetime | None = None
    for value in frame["answered_at"].dropna().unique():
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            what = f"answered_at is {value!r:.60}; write an ISO instant with its zone: 2025-03-28T09:00:00Z."
            _refuse_where(path, frame, frame["answered_at"] == value, what)
        elif newest is None or instant > newest:
            newest = instant
    return newest.astimezone(UTC).isoformat(timespec="seconds") if newest is not None else None


def is_simulated(frame: pd.DataFrame) -> bool:
    """Whether a row says that nobody answered."""
    return any(str(value).strip().casefold() in _YES for value in frame["simulated"].dropna().unique())


def first_known(values: NDArray[np.object_], codes: NDArray[np.intp], count: int) -> NDArray[np.object_]:
    """Of each of `count` codes the first of `values` that is there; None where none is."""
    import numpy as np
    import pandas as pd

    found = np.full(count, None, dtype=object)
    there = np.flatnonzero(~pd.isna(values))[::-1]
    found[codes[there]] = values[there]  # the last one put down is the first one in the file
    return found


def _numbers(path: Path, frame: pd.DataFrame, name: str) -> pd.Series[float]:
    """A column as numbers; NaN where empty. Raises DatasetError for what is none."""
    import numpy as np
    import pandas as pd

    if name not in frame:
        return pd.Series(np.nan, index=frame.index)
    given = frame[name]
    if given.dtype == bool:
        return given.astype(float)
    try:
        found = pd.to_numeric(given, errors="coerce").astype(float)
    except (TypeError, ValueError, OverflowError):  # lists, or more digits than a float has room for
        found = given.map(_float).astype(float)
    doubtful = found.isna() & given.notna()
    if doubtful.any():
        bad = [
            (line, f"{name} is {value!r:.60}, which is no number.")
            for line, value in zip(frame["line"][doubtful], given[doubtful], strict=True)
            if str(value).strip().casefold() not in _NO_NUMBER
        ]
        refuse(path, bad)
    return found


def _check_texts(path: Path, frame: pd.DataFrame) -> None:
    """Make texts of what is to be one. Raises DatasetError by line for names that are none, or not there."""
    for name in _TEXTS:
        if name in frame:
            frame[name] = _texts(path, frame, name)
    for name in _NAMES:
        if name in frame:
            strange = [value for value in frame[name].unique() if not can_be_written(value)]
            if strange:
                _refuse_where(
                    path,
                    frame,
                    frame[name].isin(strange),
                    f"its {name} is no Unicode text; name it otherwise.",
                )
    for name in _NEEDED:
        _refuse_where(path, frame, frame[name].isna(), f"has no {name}; every row needs one.")


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
    except OverflowError:
        return float("inf")


def _texts(path: Path, frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A column as texts, None where empty. Raises DatasetError for names that are lists or objects."""
    import pandas as pd

    given = frame[name]
    values, empty = given.to_numpy(dtype=object), given.isna().to_numpy()
    if pd.api.types.infer_dtype(values, skipna=True) == "string":
        values = values.copy()
        values[empty] = None
        return pd.Series(values, dtype=object, index=frame.index)
    found: list[str | None] = []
    nested: list[tuple[int, str]] = []
    for place, (value, nothing) in enumerate(zip(values, empty, strict=True)):
        if isinstance(value, str) or nothing:
            found.append(None if nothing else value)
            continue
        plain = value.tolist() if hasattr(value, "tolist") else value
        inside = isinstance(plain, _NESTED)
        if inside and name in _NAMES:
            nested.append((int(frame["line"][place]), f"its {name} is a list or an object; write a text."))
        found.append(json.dumps(plain, ensure_ascii=False, default=str) if inside else str(plain))
    refuse(path, nested)
    # As objects: Arrow's strings, which pandas infers, cannot hold half of a surrogate pair.
    return pd.Series(found, dtype=object, index=frame.index)


def _refuse_where(path: Path, frame: pd.DataFrame, wrong: pd.Series[bool], what: str) -> None:
    if wrong.any():
        refuse(path, [(int(line), what) for line in frame["line"][wrong]])


def need_columns(path: Path, columns: Sequence[Any], needed: Sequence[str], hint: str) -> None:
    """Raise DatasetError where a needed column is not there."""
    lacking = [name for name in needed if name not in columns]
    if lacking:
        raise DatasetError(
            f"{path.name} has no column {', '.join(lacking)}; it has {column_text(columns)}. {hint}"
        )


def column_text(columns: Sequence[Any]) -> str:
    """The names that a file has, but for the line that readers add; the first ones of very many."""
    names = [str(name) for name in columns if name != "line"]
    more = len(names) - _SHOWN
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:_SHOWN])} and {more} more"
