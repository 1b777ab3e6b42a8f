"""The project: its configuration, its prices, its ledger."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

from llmbench.catalog import price_book
from llmbench.catalog.project_prices import FILE_NAME, project_prices
from llmbench.config import CONFIG_NAME, ProjectConfig, find_root, load_config
from llmbench.doctor.diagnosis import Check
from llmbench.errors import ConfigError, LedgerError, LLMBenchError
from llmbench.ledger.location import is_database, ledger_path
from llmbench.ledger.migrations import MIGRATIONS, schema_version
from llmbench.ledger.store import explain

__all__ = ["configuration", "ledger", "prices"]

_OLD_DAYS = 60
_LOCK_SECONDS = 2.0


def configuration() -> tuple[ProjectConfig | None, Check]:
    """The project's configuration, or None where llmbench.toml cannot be read."""
    try:
        config = load_config()
    except ConfigError as error:
        return None, Check(CONFIG_NAME, "problem", str(error))
    if not (config.root / CONFIG_NAME).is_file():
        return config, Check(
            CONFIG_NAME, "ok", "There is none: vendors with a key and `local` can be called."
        )
    count = len(config.endpoints)
    return config, Check(CONFIG_NAME, "ok", f"Read, {count} endpoint{'' if count == 1 else 's'}.")


def prices(today: date) -> Iterator[Check]:
    """Whether the price lists can be read, and how old they are."""
    own = (find_root() / FILE_NAME).is_file()
    try:
        project_prices()
    except ConfigError as error:
        yield Check(FILE_NAME, "problem", str(error))
        return
    try:
        book = price_book("current")
        age = (today - date.fromisoformat(book.as_of)).days
    except (LLMBenchError, ValueError) as error:
        yield Check("prices", "problem", str(error))
        return
    if own:
        yield Check(FILE_NAME, "ok", "Read.")
    if age > _OLD_DAYS:
        text = (
            f"The price list is of {book.as_of}, {age} days old; upgrade llmbench, or put newer prices "
            f"into {FILE_NAME}."
        )
        yield Check("prices", "warning", text)
    else:
        yield Check("prices", "ok", f"The price list is of {book.as_of}.")


def ledger(config: ProjectConfig | None, *, offline: bool = False) -> Check:
    """Whether calls can be recorded. Nothing is written: a file is locked and unlocked again, a
    database is only read, and not `offline`.
    """
    if config is None and not os.environ.get("LLMBENCH_LEDGER"):
        return Check("ledger", "warning", f"Not checked: {CONFIG_NAME}, which may name it, cannot be read.")
    try:
        url = config.ledger_url if config else os.environ["LLMBENCH_LEDGER"]
        if is_database(url):
            return _database(url, offline=offline)
        path = ledger_path(url)
        return _existing(path) if path.exists() else _to_be_made(path)
    except LedgerError as error:
        return Check("ledger", "problem", str(error))
    except OSError as error:
        return Check("ledger", "problem", f"The ledger cannot be looked at ({error.strerror}).")


def _database(url: str, *, offline: bool) -> Check:
    try:
        from llmbench.ledger.postgres import look
    except ImportError:
        return Check(
            "ledger", "problem", "It is in PostgreSQL: run pip install 'llmbench[postgres]' to open it."
        )
    if offline:
        return Check("ledger", "ok", "It is in PostgreSQL; not asked (--offline).")
    found = look(url)
    if not found.writable:
        return Check(
            "ledger",
            "problem",
            "Its user may not write, so no call can be recorded: grant it the schema and its tables.",
        )
    return _of_version(found.version, found.calls)


def _existing(path: Path) -> Check:
    known = MIGRATIONS[-1].version
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return Check(
            "ledger",
            "problem",
            "It is read-only, so no call can be recorded: make the file and its folder writable.",
        )
    _writable(path.parent)
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS, isolation_level=None)) as opened:
            version = schema_version(opened, path, known)
            opened.execute("BEGIN IMMEDIATE")
            count = opened.execute("SELECT count(*) FROM calls").fetchone()[0] if version else 0
            opened.execute("ROLLBACK")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return Check("ledger", "warning", "Another program is writing to it just now: try again.")
        raise explain(error, path) from error
    return _of_version(version, count)


def _of_version(version: int, count: int) -> Check:
    known = MIGRATIONS[-1].version
    if version < known:
        text = f"{count:,} calls, schema {version}: the next command brings it to {known}."
        return Check("ledger", "warning" if version else "ok", text)
    return Check("ledger", "ok", f"{count:,} calls, schema {version}, writable.")


def _to_be_made(path: Path) -> Check:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    _writable(folder)
    return Check("ledger", "ok", "Not there yet; its folder can be written.")


def _writable(folder: Path) -> None:
    """Raise LedgerError unless a file, gone at once, can be made in `folder`."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LedgerError(
            f"The folder of the ledger cannot be written ({error.strerror}): make it writable, or name "
            "another by LLMBENCH_LEDGER or llmbench.toml."
        ) from error
