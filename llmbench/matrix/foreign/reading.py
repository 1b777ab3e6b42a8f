"""Files of results found, told apart by what is in them, and read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.matrix.foreign.inspect_logs import is_inspect_log, read_inspect_eval, read_inspect_json
from llmbench.matrix.foreign.lm_eval import is_lm_eval_sample, read_lm_eval
from llmbench.matrix.foreign.promptfoo import is_promptfoo, read_promptfoo
from llmbench.matrix.foreign.rows import SCHEMA, ResultRows, checked, same_everywhere
from llmbench.matrix.foreign.tables import read_result_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reading", "ResultFiles", "read_results"]

_ENDINGS = (".eval", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".xlsx", ".parquet", ".pq")
_FIRST_LINE = 1 << 24
"""Bytes of a JSONL file's first line that are looked at to tell what it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How files of results are to be read; see `Matrix.from_results`."""

    columns: Mapping[str, str]
    wide: bool
    ignore: tuple[str, ...]
    score: str | None
    score_scale: tuple[float, float]
    tie: float | None
    model: str | None
    category: str

    def __post_init__(self) -> None:
        unknown = [name for name in self.columns if name not in SCHEMA]
        if unknown:
            raise UsageError(f"columns names {', '.join(unknown)}; the names are {', '.join(SCHEMA)}.")
        low, high = self.score_scale
        if not low < high:
            raise UsageError(f"score_scale is (worst, best), such as (0, 1); it is {self.score_scale!r}.")


@dataclass(frozen=True, slots=True, eq=False)
class ResultFiles:
    """What files of results hold together."""

    paths: tuple[Path, ...]
    sha256: str
    """Of the bytes of all, in order."""
    frame: pd.DataFrame
    """Columns of SCHEMA, `line` and `file` (place in `paths`); scores from 0 to 1."""
    notes: tuple[str, ...]


def read_results(path: str | Path | Sequence[str | Path], how: Reading) -> ResultFiles:
    """Read one file or several: a path, a folder, a pattern such as "logs/*.eval", or a list of these.

    Raises DatasetError by file and line.
    """
    import pandas as pd

    paths = _files(path)
    digest = hashlib.sha256()
    parts: list[tuple[ResultRows, pd.DataFrame]] = []
    for number, file in enumerate(paths):
        content = _bytes(file)
        digest.update(content)
        try:
            rows = _read(file, content, how)
            del content
            parts.append((rows, checked(rows, how.score_scale, how.tie).assign(file=number)))
        except UnicodeEncodeError as error:  # JSON can say it in an escape, and no table can hold it
            raise DatasetError(
                f"{file.name} holds half a character, {error.object[error.start]!r}; take it out."
            ) from error
    tasks = {rows.task for rows, _ in parts if rows.task}
    for rows, frame in parts:
        if len(tasks) > 1:  # items of different tasks may have the same name
            frame["item"] = rows.task + "/" + frame["item"]
            frame["category"] = frame["category"].where(frame["category"].notna(), rows.task)
        same_everywhere(rows.path, frame)
    frames = [frame for _, frame in parts]
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    notes = tuple(note for rows, _ in parts for note in rows.notes)
    return ResultFiles(tuple(paths), digest.hexdigest(), whole, notes)


def _files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    given = [path] if isinstance(path, str | Path) else list(path)
    found: dict[Path, None] = {}
    for one in given:
        place = Path(one).expanduser()
        if place.is_dir():
            inside = sorted(p for p in place.rglob("*") if p.suffix.lower() in _ENDINGS and p.is_file())
            # The harness's summary and Inspect's listing lie beside the samples.
            beside = [p for p in inside if not p.name.startswith("results_") and p.name != "logs.json"]
            found.update(dict.fromkeys(beside))
        elif place.exists():
            found[place] = None
        else:
            # A pattern may be absolute, which Path.glob is not for.
            root = Path(place.anchor)
            found.update(dict.fromkeys(sorted(root.glob(str(place.relative_to(root))))))
    if not found:
        raise DatasetError(
            f"No results at {', '.join(map(str, given)) or 'an empty list'}; give a file, a folder or a "
            f"pattern of {', '.join(_ENDINGS)} files."
        )
    return list(found)


def _bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror}).") from error
    if not content:
        raise DatasetError(f"{path.name} is empty; it holds no results.")
    return content


def _read(path: Path, content: bytes, how: Reading) -> ResultRows:
    ending = path.suffix.lower()
    if ending == ".eval":
        return read_inspect_eval(path, content, score=how.score, category=how.category)
    if ending == ".json":
        document = _json(path, content)
        if is_inspect_log(document):
            return read_inspect_json(path, document, score=how.score, category=how.category)
        if is_promptfoo(document):
            return read_promptfoo(path, document, score=how.score, category=how.category)
        raise DatasetError(
            f"{path.name} is neither a log of Inspect nor results of promptfoo; write other results as a "
            f"CSV, JSONL or parquet table of the columns {', '.join(SCHEMA)}."
        )
    if ending in {".jsonl", ".ndjson"} and _is_lm_eval(content):
        samples = list(_lines(path, content))
        return read_lm_eval(path, samples, score=how.score, model=how.model, category=how.category)
    rows = read_result_table(path, content, columns=how.columns, wide=how.wide, ignore=how.ignore)
    if how.model is not None:
        rows.frame = rows.frame.assign(model=how.model)
    return rows


def _json(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} is no JSON ({error}).") from error


def _is_lm_eval(content: bytes) -> bool:
    try:
        return is_lm_eval_sample(
            json.loads(content[: content.find(b"\n") if b"\n" in content[:_FIRST_LINE] else None])
        )
    except (ValueError, RecursionError):
        return False


def _lines(path: Path, content: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path.name}:{number} is no JSON ({error}).") from error
        if not is_lm_eval_sample(sample):
            raise DatasetError(
                f"{path.name}:{number} is no sample of lm-evaluation-harness like those before."
            )
        yield number, sample
