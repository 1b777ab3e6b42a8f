"""Where the query runs: DuckDB in this process, PostgreSQL, Spark, or what Ibis connects to.

An engine says which columns a SELECT has and gives the rows of a statement; it never writes. The
user's own SELECTs are in the engine's dialect and put in as they are, the generated ones are translated.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from llmbench.abtest.dialects import translate
from llmbench.abtest.files import file_select, is_file, is_select_file, select_of_file, shown
from llmbench.errors import ConfigError, DatasetError, UsageError

__all__ = ["DuckEngine", "Engine", "Stage", "Statement", "duck_kind", "select_text"]

Row = Sequence[Any]
_TABLE_PART = r"(\"[^\"]+\"|`[^`]+`|[\w$-]+)"
_TABLE = re.compile(rf"{_TABLE_PART}(\.{_TABLE_PART}){{0,3}}")


class Stage(NamedTuple):
    """One named step of a statement, in DuckDB's dialect."""

    name: str
    body: str
    kept: bool = False
    """Computed once, because several steps read it."""


class Statement(NamedTuple):
    """Steps, and the SELECTs that read them: one result, of all their rows."""

    stages: Sequence[Stage]
    selects: Sequence[str]

    @property
    def select(self) -> str:
        """All in one, so that all are of one moment of the data."""
        return "\nUNION ALL ".join(self.selects)


class Engine(ABC):
    """One open connection; `with` closes what was opened for it."""

    dialect = "duckdb"
    knows_materialized = False
    has_bits = False
    """Whether the dialect has bit_or and bit_count, for the short way past duplicates."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close what was opened."""

    @abstractmethod
    def _rows(self, sql: str) -> list[Any]: ...

    @abstractmethod
    def _columns(self, select: str) -> dict[str, str]: ...

    def add_source(self, role: str, where: Any) -> dict[str, str]:
        """Make `where` readable as `src_{role}`; the columns, by name, with their kinds."""
        select = self._select_of(role, _written(role, where))
        self._sources[f"src_{role}"] = select
        columns = self._columns(select)
        if not columns:
            raise DatasetError(f"{role} has no columns.")
        return columns

    def _select_of(self, role: str, where: Any) -> str:
        if is_file(where):
            raise UsageError(
                f"{role} is a file ({shown(str(where))}), and the connection is a database: all "
                "tables of one "
                "source are in one place; load the file into the database, or export the others."
            )
        return select_text(role, where)

    def fetch(self, statement: Statement) -> list[Any]:
        """The rows of a statement, translated."""
        return self._rows(self.text(statement))

    def text(self, statement: Statement) -> str:
        """The statement in the engine's dialect, with the sources that it reads."""
        bodies = [(each, translate(each.body, self.dialect)) for each in statement.stages]
        select = translate(statement.select, self.dialect)
        every = " ".join([*(body for _, body in bodies), select])
        steps = [
            f"{name} AS {'NOT MATERIALIZED ' if self.knows_materialized else ''}(\n{body}\n)"
            for name, body in self._sources.items()
            if re.search(rf"\b{name}\b", every)
        ]
        for stage, body in bodies:
            how = f"{'' if stage.kept else 'NOT '}MATERIALIZED " if self.knows_materialized else ""
            steps.append(f"{stage.name} AS {how}(\n{body}\n)")
        return f"WITH {', '.join(steps)}\n{select}" if steps else select


def _written(role: str, where: Any) -> Any:
    """The SELECT that a .sql file holds; anything else as it is."""
    if not is_select_file(where):
        return where
    text = select_of_file(where)
    if not re.match(r"(?i)(select|with|from)\b", text):
        raise DatasetError(f"{shown(str(where))} holds no SELECT; write one statement that reads {role}.")
    return text


def select_text(role: str, where: Any) -> str:
    """The SELECT of a table's name, or the SELECT itself. Raises UsageError."""
    if not isinstance(where, str) or not where.strip():
        told = repr(where) if isinstance(where, str | list) else f"a {type(where).__name__}"
        raise UsageError(f"{role} must be a file, a table's name or a SELECT here; it is {told[:200]}.")
    text = where.strip().rstrip(";").strip()
    if re.match(r"(?is)(select|with|from)\b", text):
        if ";" in re.sub(r"'[^']*'|\"[^\"]*\"|--[^\n]*", "", text):
            raise UsageError(f"{role} is more than one statement; give one SELECT.")
        return text + "\n" if "--" in text else text
    if _TABLE.fullmatch(text):
        return f"SELECT * FROM {text}"
    raise UsageError(
        f"{role} is {where!r}, which is neither a .csv or .parquet file, a table's name, nor a SELECT."
    )


class DuckEngine(Engine):
    """DuckDB in this process: files, frames, or the tables of a .duckdb file, which is only read."""

    knows_materialized = True
    has_bits = True

    def __init__(self, database: str | Path | None = None, connection: Any = None) -> None:
        super().__init__()
        try:
            import duckdb
        except ImportError as error:
            raise ConfigError("Reading outcomes needs duckdb: pip install 'llmbench[notebooks]'.") from error
        self._duckdb = duckdb
        self._frames: list[str] = []
        self._has_tables = database is not None or connection is not None
        if connection is not None:
            self._connection = connection.cursor()
        elif database is None:
            self._connection = duckdb.connect(":memory:")
        else:
            self._connection = _opened(duckdb, Path(database))
        self._connection.execute("SET TimeZone = 'UTC'")
        if connection is None:
            self._connection.execute("SET preserve_insertion_order = false")

    def close(self) -> None:
        """Close the cursor, and let go of the frames."""
        for name in self._frames:
            self._connection.unregister(name)
        self._connection.close()

    def _select_of(self, role: str, where: Any) -> str:
        if is_file(where):
            return file_select(where)
        if hasattr(where, "columns") and hasattr(where, "iloc"):  # a pandas frame
            name = f"frame_{role}"
            self._connection.register(name, where)
            self._frames.append(name)
            return f"SELECT * FROM {name}"
        select = select_text(role, where)
        if not self._has_tables and not re.match(r"(?i)(select|with|from)\b", select.strip()):
            raise UsageError(f"{role} is {where!r}: a table needs a connection.")
        return select

    def _rows(self, sql: str) -> list[Any]:
        try:
            return list(self._connection.execute(sql).fetchall())
        except self._duckdb.Error as error:
            raise _told(error) from error

    def _columns(self, select: str) -> dict[str, str]:
        return {row[0]: duck_kind(str(row[1])) for row in self._rows(f"DESCRIBE {select}")}


def _opened(duckdb: Any, path: Path) -> Any:
    if not path.is_file():
        raise DatasetError(f"There is no database {shown(str(path))}; correct the path in connection.")
    try:
        return duckdb.connect(str(path), read_only=True)
    except duckdb.Error as error:
        raise DatasetError(
            f"{shown(str(path))} cannot be opened as a DuckDB database ({_first_line(error)}); close "
            "the program "
            "that writes it, or correct the path."
        ) from error


def _told(error: Exception) -> DatasetError:
    """DuckDB's failure in one sentence, with the line of a file where it says one."""
    text = str(error)
    line = re.search(r"(?:CSV Error on |\b)Line:? ?(\d+)", text)
    name = re.search(
        r"file: ?(\S+)|[\"']([^\"']+\.(?:csv|tsv|txt|parquet|pq)(?:\.gz)?)[\"']", text, re.IGNORECASE
    )
    file = shown((name.group(1) or name.group(2)).strip("\"'")) if name else "The source"
    what = _first_line(error)
    reason = next(
        (
            part.strip()
            for part in text.splitlines()
            if part.strip().startswith(("Expected", "Value", "Invalid unicode"))
        ),
        re.sub(r"/\S*/", "", what.split(": ", 1)[-1]),
    )
    where = f" at line {line.group(1)}" if line else ""
    return DatasetError(f"{file} cannot be read{where}: {reason.rstrip('.')}; correct it there.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def duck_kind(name: str) -> str:
    """The kind of a type of DuckDB."""
    upper = name.upper()
    if upper.startswith("TIMESTAMP"):
        return "timestamptz" if "TIME ZONE" in upper or upper == "TIMESTAMPTZ" else "timestamp"
    if upper.startswith(("VARCHAR", "ENUM")):
        return "text"
    if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", upper):
        return "int"
    if upper.startswith(("DOUBLE", "FLOAT", "DECIMAL")):
        return "number"
    return {"BOOLEAN": "bool", "DATE": "date"}.get(upper, "other")
