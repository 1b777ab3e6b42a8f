from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.migrations import MIGRATIONS, Migration, migrate
from llmbench.ledger.store import Store
from llmbench.types import CallRecord, Usage

FIXTURE = Path(__file__).parent / "fixtures" / "v1.sql"
NEXT = MIGRATIONS[-1].version + 1
EXTRA = Migration(
    NEXT,
    "a note on each attempt",
    ("ALTER TABLE calls ADD COLUMN note TEXT", "UPDATE calls SET note = 'from ' || call_id"),
)
BROKEN = Migration(
    NEXT, "fails halfway", ("ALTER TABLE calls ADD COLUMN note TEXT", "UPDATE no_such SET x = 1")
)


@pytest.fixture
def old_ledger(tmp_path: Path) -> Path:
    """A ledger as version 1 wrote it."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIXTURE.read_text(encoding="utf-8"))
    return path


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_migrations_are_numbered_from_one() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_migrate_old_ledger_keeps_every_row(old_ledger: Path, make_call: Callable[..., CallRecord]) -> None:
    assert version_of(old_ledger) == 1
    failed = make_call(
        "a",
        request_hash="h1",
        status="error",
        error_type="RateLimitError",
        error_message="slow down",
        content=None,
    )
    answered = make_call(
        "a",
        attempt=2,
        request_hash="h1",
        content="Grüße \0 \ud83d",
        usage=Usage(10, 5, 4, 2, 1),
        cost=0.25,
        cost_basis="priced",
        run_id="r1",
    )
    with Ledger(old_ledger) as ledger:
        assert list(ledger.calls()) == [failed, answered]
        assert ledger.answers(["h1"]) == {"h1": answered}
        assert ledger.verify().sound
    assert version_of(old_ledger) == MIGRATIONS[-1].version


def test_migrate_extra_step_on_an_old_ledger(old_ledger: Path) -> None:
    store = Store(old_ledger, "process", (*MIGRATIONS, EXTRA))
    store.close()
    assert version_of(old_ledger) == NEXT
    with closing(sqlite3.connect(old_ledger)) as connection:
        assert connection.execute("SELECT note, attempt FROM calls").fetchall() == [
            ("from a", 1),
            ("from a", 2),
        ]


def test_migrate_new_file_walks_every_step(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as connection:
        assert migrate(connection, tmp_path / "new.db", (*MIGRATIONS, EXTRA)) == (0, NEXT)
        assert migrate(connection, tmp_path / "new.db", (*MIGRATIONS, EXTRA)) == (NEXT, NEXT)


def test_migrate_step_that_fails_leaves_the_step_before(old_ledger: Path) -> None:
    with pytest.raises(LedgerError, match="no such table: no_such"):
        Store(old_ledger, "process", (*MIGRATIONS, BROKEN))
    assert version_of(old_ledger) == MIGRATIONS[-1].version
    with Ledger(old_ledger) as ledger:
        assert len(list(ledger.calls())) == 2
    with closing(sqlite3.connect(old_ledger)) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info (calls)")}
    assert "note" not in columns


def test_migrate_by_many_at_once(old_ledger: Path) -> None:
    ready = threading.Barrier(8)

    def open_it(_: int) -> None:
        ready.wait()
        Store(old_ledger, "process", (*MIGRATIONS, EXTRA)).close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_it, range(8)))
    assert version_of(old_ledger) == NEXT


def test_ledger_newer_than_the_program_is_refused_untouched(old_ledger: Path) -> None:
    Store(old_ledger, "process", (*MIGRATIONS, EXTRA)).close()
    before = old_ledger.read_bytes()
    with pytest.raises(
        LedgerError, match=rf"has schema version {NEXT} and this llmbench knows .* upgrade llmbench"
    ):
        Ledger(old_ledger)
    assert old_ledger.read_bytes() == before
    assert [path.name for path in old_ledger.parent.iterdir()] == ["old.db"]
