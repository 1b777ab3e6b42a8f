"""What is whole in a damaged ledger, copied into a new one."""

from __future__ import annotations

import glob
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.errors import LedgerError, UsageError
from llmbench.ledger.migrations import MIGRATIONS, schema_version
from llmbench.ledger.rows import REQUEST_COLUMNS
from llmbench.ledger.soundness import (
    CHECKED_TABLES,
    SELECT_CHECKED,
    body_is_whole,
    is_as_recorded,
    problem_of,
)
from llmbench.ledger.store import Store
from llmbench.ledger.wal import unread_commits

__all__ = ["Salvaged", "salvage"]

_TABLES = (
    "requests", "calls", "epochs", "assignments", "outcomes", "batches", "looks", "frozen_plans",
    "tuning_jobs",
)  # fmt: skip
_WIDEST_GAP = 1_000_000
"""Numbers of rows that are tried one by one where no index tells which there were."""
_CLASSES: Mapping[str, tuple[type, ...]] = {
    "INTEGER": (int,),
    "REAL": (float, int),
    "TEXT": (str, bytes),
    "BLOB": (bytes,),
}
_NAMED_BY_SUM = {"requests", "outcomes"}
"""Their name is the checksum of their values."""
_JSON = {
    "metadata", "route", "params", "messages", "weights", "attributes", "comparisons", "parameters",
    "request_hashes", "ordered", "quoted", "files",
}  # fmt: skip


class Salvaged(NamedTuple):
    """What came of it."""

    path: Path
    """The new ledger."""
    kept: Mapping[str, int]
    """Rows copied, by table."""
    lost: tuple[str, ...]
    """Sentences: each row that was there and is not whole, and what cannot be told."""


def salvage(path: str | Path, new: str | Path) -> Salvaged:
    """Copy every whole row of the ledger file at `path` into a new one at `new`; `path` is not changed.

    Whole is a row that SQLite can still reach, whose values are of the types of their columns, which
    agrees with the index of its names, and whose checksum is that of its values. (Batches and fine-tuning
    jobs have none; nor have calls recorded before schema version 7 or changed since by `prune`, and epochs,
    assignments, looks and frozen plans of before version 8.) Nothing is put in the place of what is lost.
    Rows that were deleted are not brought back.

    Raises UsageError where `new` is there already, LedgerError where not even the list of tables can
    be read.
    """
    old, target = Path(path), Path(new)
    if target.exists():
        raise UsageError(f"{target} is there already: name a new file for what is whole.")
    if not old.is_file():
        raise LedgerError(f"There is no ledger {old} to be read: give the path of a ledger's file.")
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f".{glob.escape(target.name)}.*"):  # copies by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            # SQLite tidies what it opens; the damaged files stay as they are.
            copy = Path(folder, "damaged.db")
            shutil.copyfile(old, copy)
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{old}-wal", f"{copy}-wal")
            part.unlink(missing_ok=True)
            try:
                kept, lost = _copy(copy, part, old)
                part.replace(target)
            finally:
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{part}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(
            f"What is whole of {old} cannot be copied to {target} ({error.strerror or error}): check the "
            "folder and its disk; the ledger was not changed."
        ) from error
    return Salvaged(target, kept, tuple(lost))


def _copy(copy: Path, part: Path, old: Path) -> tuple[dict[str, int], list[str]]:
    lost: list[str] = []
    kept: dict[str, int] = {}
    with closing(sqlite3.connect(copy, isolation_level=None)) as source:
        source.text_factory = _text
        try:
            if not schema_version(source, old, MIGRATIONS[-1].version):
                raise LedgerError(f"{old} holds no ledger: give the path of a ledger's file.")
            unread = unread_commits(Path(f"{copy}-wal"), source)
        except sqlite3.Error as error:
            raise LedgerError(
                f"Not even the list of tables of {old} can be read ({error}): import its last export into a "
                "new ledger."
            ) from error
        if unread:
            lost.append(f"The last {unread:,} commits of its WAL are damaged: what they recorded is lost.")
        store = Store(part, "power")
        try:
            with store.writing() as sink, sink.transaction():
                for table in _TABLES:
                    kept[table] = _copy_table(source, sink, table, lost)
        finally:
            store.close()
    return kept, lost


def _copy_table(source: sqlite3.Connection, sink: Any, table: str, lost: list[str]) -> int:
    theirs = {row[1] for row in source.execute(f"PRAGMA table_info ({table})")}
    types = {row[1]: (row[2], row[3]) for row in sink.execute(f"PRAGMA table_info ({table})")}
    columns = [name for name in types if name in theirs]
    if not columns:
        return 0  # of a schema version from before this table
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    names, complete = _names(source, table)
    unique = _unique_columns(source, table)
    found: dict[int, str | None] = {}
    for row in _reachable(source, table, columns, names, complete=complete):
        values = dict(zip(columns, row, strict=True))
        problem = _problem(table, values, types)
        if problem is None and table not in _NAMED_BY_SUM and values.get("checksum") is None:
            own = tuple(values[name] for name in unique)
            if own != names.get(values["id"], None if complete else own):
                problem = "its index does not have it by that name"
        if problem is None:
            try:
                sink.execute(insert, list(row))
                if table == "calls":
                    problem = _call_problem(sink, values["id"])
                    if problem is not None:
                        sink.execute("DELETE FROM calls WHERE id = ?", [values["id"]])
            except sqlite3.IntegrityError as error:
                problem = str(error)
        found[values["id"]] = problem
    for id_ in sorted({*names, *(number for number, why in found.items() if why is not None)}):
        why = found.get(id_, "its page is damaged")
        if why is not None:
            called = f" ({_named(unique, names[id_])})" if id_ in names else ""
            lost.append(f"Row {id_} of table `{table}`{called} is lost: {why.rstrip('.')}.")
    if not complete:
        lost.append(f"Perhaps more of table `{table}` is lost: the index that would tell is damaged too.")
    return sum(why is None for why in found.values())


def _call_problem(sink: Any, id_: int) -> str | None:
    row = sink.execute(
        f"SELECT {SELECT_CHECKED} FROM calls JOIN requests ON requests.id = calls.request_id "  # noqa: S608
        "WHERE calls.id = ?",
        [id_],
    ).fetchone()
    if row is None:
        return "its request is lost"
    return None if problem_of(row) is None else "it is not as it was recorded"


def _problem(table: str, values: Mapping[str, Any], types: Mapping[str, tuple[str, int]]) -> str | None:
    """Why a row is not whole, as far as it can be told of the row alone."""
    for name, value in values.items():
        kind, needed = types[name]
        if value is None:
            if needed:
                return f"it has no {name}"
        elif not isinstance(value, _CLASSES[kind]):
            return f"its {name} is no {kind}"
        elif name in _JSON:
            text = value.decode(errors="surrogatepass") if isinstance(value, bytes) else str(value)
            try:
                json.loads(text)
            except (ValueError, RecursionError):
                return f"its {name} is no JSON"
    if table == "requests" and not body_is_whole(
        [values[name] for name in REQUEST_COLUMNS[1:]], values["body_digest"]
    ):
        return "it is not as it was recorded (its checksum differs)"
    if table in CHECKED_TABLES and not is_as_recorded(table, values):
        return "it is not as it was recorded (its checksum differs)"
    return None


def _unique_columns(source: sqlite3.Connection, table: str) -> list[str]:
    return [row[2] for row in source.execute(f"PRAGMA index_info (sqlite_autoindex_{table}_1)")]


def _names(source: sqlite3.Connection, table: str) -> tuple[dict[int, tuple[Any, ...]], bool]:
    """What the table's first index has: {id: the values of its columns}, and whether all of it was read."""
    columns = ", ".join(_unique_columns(source, table))
    found: dict[int, tuple[Any, ...]] = {}
    for direction in ("ASC", "DESC"):
        try:
            for id_, *values in source.execute(
                f"SELECT id, {columns} FROM {table} INDEXED BY sqlite_autoindex_{table}_1 "  # noqa: S608
                f"ORDER BY {columns.replace(',', f' {direction},')} {direction}"
            ):
                if isinstance(id_, int) and not any(isinstance(value, _NotText) for value in values):
                    found.setdefault(id_, tuple(values))
        except sqlite3.Error:
            continue
        return found, direction == "ASC"
    return found, False


def _reachable(
    source: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    names: Iterable[int],
    *,
    complete: bool,
) -> Iterator[Sequence[Any]]:
    """Each row that SQLite can reach, once: from below and from above as far as it goes, and what lies
    between one by one.
    """
    select = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - names of our own schema
    seen: set[int] = set()
    at = columns.index("id")
    ends: list[int | None] = [None, None]
    for side, direction in enumerate(("ASC", "DESC")):
        with suppress(sqlite3.Error):
            for row in source.execute(f"{select} ORDER BY id {direction}"):
                if row[at] in seen:
                    break  # met what came from below, or goes in a circle
                seen.add(row[at])
                ends[side] = row[at]
                yield row
            else:
                if side == 0:
                    return
    low, high = ends[0] or 0, ends[1]
    between = {number for number in names if number not in seen}
    if not complete:
        between |= set(range(low + 1, min(high or 0, low + _WIDEST_GAP)))
    for number in sorted(between - seen):
        with suppress(sqlite3.Error):
            row = source.execute(f"{select} WHERE id = ?", [number]).fetchone()
            if row is not None and row[at] == number:
                yield row


class _NotText:
    """Stands for a text whose bytes are none."""


def _text(stored: bytes) -> str | _NotText:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return _NotText()


def _named(columns: Sequence[str], values: Sequence[Any]) -> str:
    return ", ".join(
        f"{name} {value.hex() if isinstance(value, bytes) else value!r}"
        for name, value in zip(columns, values, strict=True)
    )
