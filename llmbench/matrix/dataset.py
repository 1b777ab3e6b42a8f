"""The items that every model answers, checked before any call is made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llmbench.errors import DatasetError
from llmbench.matrix.checks import whole_number
from llmbench.matrix.hub import PREFIX, is_loaded, read_hub, read_loaded
from llmbench.matrix.personal_data import COLUMN, said_personal
from llmbench.matrix.readers import Row, Table, read_table
from llmbench.matrix.selection import in_turn, matching, repeated, sampled
from llmbench.matrix.text import as_text, nearest

__all__ = ["Dataset", "Item", "can_be_written"]

PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `fields` holds every column of its row; a missing cell is None."""

    id: str
    fields: Mapping[str, Any]
    expected: Any
    """The right answer: text, a number, a list of accepted ones; None where the file has none."""
    category: str | None
    cluster: str | None
    line: int
    """Line (JSONL, CSV) or row (XLSX, parquet) in the file, from 1."""


@dataclass(frozen=True, slots=True)
class Dataset:
    r"""Items of one file, in its order.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "items.csv"
    ...     _ = path.write_text("Frage;Antwort\n2+2?;4\n3+3?;6\n", encoding="utf-8")
    ...     data = Dataset.load(path, prompt_column="Frage", expected_column="Antwort")
    >>> [(item.id, item.expected) for item in data.rows]
    [('line-2', '4'), ('line-3', '6')]
    >>> data.notes
    ("items.csv: the delimiter was taken to be ';'", "items.csv has no column 'id': items are named by line")
    """

    path: Path
    """The file; of a data set of the hub, its name."""
    sha256: str
    """Of the file's bytes, or of the rows of a data set of the hub."""
    rows: tuple[Item, ...]
    columns: tuple[str, ...]
    prompt_column: str | None = None
    notes: tuple[str, ...] = ()
    """What was assumed about the file."""
    roles: Mapping[str, str | None] = field(default_factory=dict)
    """Which column served as id, prompt, expected, category and cluster; None for no column."""
    personal_data: bool = False
    """Whether some item says that it holds personal data: see `llmbench.matrix.personal_data`."""
    of_hub: bool = False
    """Whether it came from Hugging Face `datasets`, so that there is no file."""

    @classmethod
    def load(
        cls,
        path: str | Path | Any,
        *,
        id_column: str | None = "id",
        prompt_column: str | None = "prompt",
        expected_column: str | None = "expected",
        category_column: str | None = "category",
        cluster_column: str | None = "cluster",
        answer_column: str | Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        sample: int | None = None,
        seed: int = 20250123,
        limit: int | None = None,
        delimiter: str | None = None,
        sheet: str | None = None,
        personal_data: bool = False,
    ) -> Dataset:
        """Read a JSONL, CSV, XLSX or parquet file, or a data set of Hugging Face `datasets`: by its name
        in the hub, "hf:owner/name@revision:config:split", or one that is loaded already.

        A column under its default name may be absent: without `id` items are named by line
        ("line-7"), without `expected` nothing can be graded, without `category` and `cluster`
        there are none.
        A column named by the caller must exist, and so must `prompt_column`. None is for no column, though
        there be one of that name; for `prompt_column` it says that the prompt templates name their
        columns themselves. `answer_column` names columns of past
        answers (see RecordedModel), only to have them checked here. Items of one cluster (one
        customer, one document) are not independent, and intervals are widened for it. `where`,
        `sample` and `limit`, in this order, as the methods of these names. `personal_data` says
        that the items hold some, as a column of that name does item by item; then only endpoints
        marked for it are sent any.

        Raises DatasetError naming file and line of up to 20 bad rows at once.
        """
        of_hub = is_loaded(path) or str(path).startswith(PREFIX)
        if of_hub:
            name, table, sha256 = read_loaded(path) if is_loaded(path) else read_hub(str(path))
            path = Path(name)
        else:
            path = Path(path)
            content = _content(path)
            sha256 = hashlib.sha256(content).hexdigest()
            table = read_table(path, content, delimiter=delimiter, sheet=sheet)
        roles = _roles(
            path,
            table,
            defaults={
                "id": id_column,
                "expected": expected_column,
                "category": category_column,
                "cluster": cluster_column,
            },
            required={"prompt": prompt_column},
            answers=[answer_column] if isinstance(answer_column, str) else list(answer_column or ()),
        )
        rows = _items(table, roles)
        if table.problems:
            raise DatasetError(_describe(path, table.problems))
        if not rows:
            raise DatasetError(f"{path.name} has no rows; put at least one item under its header.")
        said = [said_personal(r.cells.get(COLUMN), where=f"{path.name}:{r.line}") for r in table.rows]
        if id_column is not None and roles["id"] is None:
            table.notes.append(f"{path.name} has no column {id_column!r}: items are named by line")
        data = cls(
            path=path,
            sha256=sha256,
            rows=tuple(rows),
            columns=tuple(table.columns),
            prompt_column=prompt_column,
            notes=tuple(table.notes),
            roles=MappingProxyType(roles),
            personal_data=any(said) or personal_data,
            of_hub=of_hub,
        )
        data = data.where(where) if where else data
        data = data if sample is None else data.sample(sample, seed)
        data = data if limit is None else data.limit(limit)
        twice = repeated(data.rows, roles["id"])
        return data if twice is None else replace(data, notes=(*data.notes, f"{path.name}: {twice}"))

    def where(self, columns: Mapping[str, Any]) -> Dataset:
        """The items whose columns hold what is said: {column: a value, or a list of which one}.

        Values are compared as text; None is an empty cell. Raises DatasetError for a column that is not
        there, and where no item is left.
        """
        for column in columns:
            self.require_column(column, "Name the right one in where=.")
        told = ", ".join(f"{column} {value!r}" for column, value in columns.items())
        return self._of(matching(self.path.name, self.rows, columns), f"those with {told}")

    def sample(self, n: int, seed: int = 20250123) -> Dataset:
        """At most `n` items drawn at random, in the order of the file: their mean estimates that of all.
        `sample(50)` contains `sample(20)` of the same seed.
        """
        whole_number("sample", n)
        return self._of(sampled(self.rows, n, seed), f"a random sample of {n}, seed {seed}")

    def limit(self, n: int) -> Dataset:
        """At most `n` items: categories in turn, each in file order, so that every category is
        kept as evenly as it can be. Deterministic, and `limit(50)` contains `limit(20)`.
        """
        whole_number("limit", n)
        return self._of(in_turn(self.rows, n), f"limit {n}, categories in turn")

    def _of(self, kept: Sequence[Item], why: str) -> Dataset:
        note = f"{len(kept)} of {len(self.rows)} items are used ({why})"
        return replace(self, rows=tuple(kept), notes=(*self.notes, note))

    def require_column(self, column: str, why: str) -> None:
        """Raise DatasetError, with the columns there are, unless `column` is one of them."""
        if column not in self.columns:
            raise DatasetError(f"{_no_column(self.path, self.columns, column)} {why}")

    def refuse(self, problems: Iterable[tuple[int, str]]) -> None:
        """Raise DatasetError naming the lines in `problems`, if there are any."""
        found = list(problems)
        if found:
            raise DatasetError(_describe(self.path, found))

    @property
    def clustered(self) -> bool:
        """Whether some cluster has more than one item."""
        names = [item.cluster for item in self.rows if item.cluster is not None]
        return len(set(names)) < len(names)

    def __len__(self) -> int:
        return len(self.rows)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        siblings = sorted(p.name for p in path.parent.glob("*.*")) if path.parent.is_dir() else []
        hint = nearest(path.name, siblings)
        raise DatasetError(f"There is no file {path}.{hint} Give the path of the data set.") from error
    except IsADirectoryError as error:
        raise DatasetError(f"{path} is a folder; give the path of one file in it.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error


def _no_column(path: Path, columns: Sequence[str], column: str) -> str:
    there = ", ".join(columns) or "none"
    return f"{path.name} has no column {column!r}; its columns are: {there}.{nearest(column, columns)}"


_DEFAULTS = {"id": "id", "expected": "expected", "category": "category", "cluster": "cluster"}


def _roles(
    path: Path,
    table: Table,
    *,
    defaults: Mapping[str, str | None],
    required: Mapping[str, str | None],
    answers: Sequence[str],
) -> dict[str, str | None]:
    if not table.columns and table.problems:
        raise DatasetError(_describe(path, table.problems))
    missing = [
        (column, f"{role}_column")
        for role, column in [*required.items(), *defaults.items(), *(("answer", name) for name in answers)]
        if column is not None
        and column not in table.columns
        and not (role in _DEFAULTS and column == _DEFAULTS[role])
    ]
    if missing:
        column, parameter = missing[0]
        raise DatasetError(f"{_no_column(path, table.columns, column)} Name the right one in {parameter}=.")
    roles: dict[str, str | None] = dict(required)
    roles |= {role: column if column in table.columns else None for role, column in defaults.items()}
    return roles


def _items(table: Table, roles: Mapping[str, str | None]) -> list[Item]:
    """Items of the good rows; what is wrong with the others goes into `table.problems`."""
    seen: dict[str, int] = {}
    items: list[Item] = []

    def of(row: Row, role: str) -> Any:
        column = roles[role]
        return None if column is None else row.cells.get(column)

    for row in table.rows:
        raw_id, category, cluster = of(row, "id"), of(row, "category"), of(row, "cluster")
        name = f"line-{row.line}" if roles["id"] is None else as_text(raw_id if raw_id is not None else "")
        if not name:
            table.problems.append((row.line, f"has no {roles['id']!r}"))
        elif name in seen:
            table.problems.append((row.line, f"repeats the id {name!r} of line {seen[name]}"))
        seen.setdefault(name, row.line)
        if roles["prompt"] is not None and of(row, "prompt") is None:
            table.problems.append((row.line, f"has an empty {roles['prompt']!r}"))
        unwritable = [column for column, cell in row.cells.items() if not can_be_written(cell)]
        if unwritable:
            table.problems.append((row.line, f"holds half of a surrogate pair in {unwritable[0]!r}"))
        items.append(
            Item(
                id=name,
                fields=MappingProxyType(row.cells),
                expected=of(row, "expected"),
                category=None if category is None else as_text(category),
                cluster=None if cluster is None else as_text(cluster),
                line=row.line,
            )
        )
    return items


def can_be_written(value: Any) -> bool:
    """Whether UTF-8 can carry the text in `value`; JSON can spell text that it cannot."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    elif isinstance(value, list):
        return all(can_be_written(part) for part in value)
    elif isinstance(value, dict):
        return all(can_be_written(part) for pair in value.items() for part in pair)
    return True


def _describe(path: Path, problems: Iterable[tuple[int, str]]) -> str:
    found = sorted(problems, key=lambda problem: problem[0])
    shown = [f"{path.name}:{line} {what}" for line, what in found[:PROBLEMS_SHOWN]]
    more = len(found) - len(shown)
    tail = f"\n... and {more} more." if more else "\nCorrect these rows; no call was made."
    return f"{path.name} has {len(found)} bad row{'s' if len(found) > 1 else ''}:\n" + "\n".join(shown) + tail
