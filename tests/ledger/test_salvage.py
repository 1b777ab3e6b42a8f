"""A ledger with damage of every kind: what is told of it, and what is copied out of it."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbench.cli import cli
from llmbench.errors import LedgerError, UsageError
from llmbench.ledger import Ledger
from llmbench.ledger.migrations import MIGRATIONS
from llmbench.ledger.rows import CALL_COLUMNS, checksum
from llmbench.ledger.salvage import Salvaged, salvage
from llmbench.types import CallRecord, Usage

PAGE = 4096
CALLS = 400


def words(number: int) -> str:
    """As answers are, and all ASCII: a bit that flips leaves it text."""
    return " ".join(f"word{(number * 37 + k) % 9973}" for k in range(120))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.ledger.conftest import make_call_of

    path = tmp_path_factory.mktemp("sound") / "ledger.db"

    async def fill(ledger: Ledger) -> None:
        await asyncio.gather(
            *(
                ledger.record(
                    make_call_of(
                        f"c{i}",
                        messages=[{"role": "user", "content": f"question {i}"}],
                        content=words(i) + ("\ud83d" if i % 50 == 0 else ""),
                        usage=Usage(10 + i, 5),
                        cost=0.001 * i,
                        cost_basis="priced",
                        unit_id=f"u{i}",
                        started_at=datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=i),
                    )
                )
                for i in range(CALLS)
            )
        )

    with Ledger(path) as ledger:
        asyncio.run(fill(ledger))
        for i in range(60):
            ledger.record_outcome(
                unit_id=f"u{i}", replied=i % 3 == 0, value=float(i), at=datetime(2026, 2, 1, tzinfo=UTC)
            )
    return path


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound one, to be damaged."""
    return shutil.copyfile(sound, tmp_path / "damaged.db")


def originals(path: Path) -> dict[str, CallRecord]:
    with Ledger(path) as ledger:
        return {call.call_id: call for call in ledger.calls()}


def compare(sound: Path, found: Salvaged) -> set[str]:
    """Assert that the new ledger is sound and tells nothing that the old one did not; what is missing."""
    before, after = originals(sound), originals(found.path)
    for call_id, call in after.items():
        assert call == before[call_id]
    with Ledger(found.path) as ledger:
        checked = ledger.verify()
        assert checked.sound, checked.problems
        assert checked.calls == len(after) == found.kept["calls"]
    return set(before) - set(after)


def rows_told(found: Salvaged) -> set[str]:
    """The call ids that the sentences name."""
    return {
        each.split("call_id '")[1].split("'")[0]
        for each in found.lost
        if "table `calls`" in each and "call_id '" in each
    }


def test_a_sound_ledger_is_copied_whole(sound: Path, tmp_path: Path) -> None:
    before = sound.read_bytes()
    found = salvage(sound, tmp_path / "new" / "copy.db")
    assert found.lost == ()
    assert compare(sound, found) == set()
    assert found.kept["outcomes"] == 60
    assert sound.read_bytes() == before
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["copy.db"]


def test_the_wal_is_read_too(tmp_path: Path, make_call: Callable[..., CallRecord]) -> None:
    with Ledger(tmp_path / "open.db") as ledger:
        asyncio.run(ledger.record(make_call()))
        assert (tmp_path / "open.db-wal").stat().st_size
        assert salvage(tmp_path / "open.db", tmp_path / "new.db").kept["calls"] == 1


@pytest.mark.parametrize("seed", range(12))
def test_bytes_that_flip_are_noticed_and_only_whole_rows_copied(
    sound: Path, damaged: Path, tmp_path: Path, seed: int
) -> None:
    drawn = random.Random(seed)
    content = bytearray(damaged.read_bytes())
    # Not the first page, without which SQLite opens nothing.
    page = drawn.randrange(1, len(content) // PAGE)
    for _ in range(1 + seed % 4):
        at = page * PAGE + drawn.randrange(PAGE)
        content[at] ^= 1 << drawn.randrange(8)
    damaged.write_bytes(content)
    found = salvage(damaged, tmp_path / "new.db")
    missing = compare(sound, found)
    assert missing <= rows_told(found) or "index that would tell" in " ".join(found.lost)
    assert len(missing) <= CALLS // 2 or any("index" in each for each in found.lost)


@pytest.mark.parametrize("seed", range(12))
def test_a_page_of_garbage_is_noticed_and_the_rest_copied(
    sound: Path, damaged: Path, tmp_path: Path, seed: int
) -> None:
    drawn = random.Random(seed)
    content = bytearray(damaged.read_bytes())
    page = drawn.randrange(1, len(content) // PAGE)
    content[page * PAGE : (page + 1) * PAGE] = drawn.randbytes(PAGE)
    damaged.write_bytes(content)
    with Ledger(damaged) as ledger:
        assert not ledger.verify().sound
    found = salvage(damaged, tmp_path / "new.db")
    missing = compare(sound, found)
    assert missing <= rows_told(found) or "index that would tell" in " ".join(found.lost)
    if missing:
        assert found.lost


@pytest.mark.parametrize("column", ["content", "cost", "endpoint", "messages"])
def test_a_value_that_changed_is_noticed(sound: Path, damaged: Path, tmp_path: Path, column: str) -> None:
    content = bytearray(damaged.read_bytes())
    wanted = {
        "content": b"word4440 word4441",
        "messages": b'"question 120"',
        "endpoint": b"fakefake",
        "cost": b"",
    }[column]
    if column == "cost":
        with closing(sqlite3.connect(damaged)) as connection:
            connection.execute("UPDATE calls SET cost = 0.5 WHERE call_id = 'c120'")
            connection.commit()
    else:
        at = content.index(wanted) + 3
        content[at] ^= 1
        damaged.write_bytes(content)
    with Ledger(damaged) as ledger:
        checked = ledger.verify()
    assert len(checked.problems) == 1
    assert "its checksum differs" in checked.problems[0]
    missing = compare(sound, salvage(damaged, tmp_path / "new.db"))
    assert len(missing) == 1


def test_an_answer_that_is_tied_to_another_request_is_noticed(
    sound: Path, damaged: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(damaged)) as connection:
        connection.execute(
            "UPDATE calls SET request_id = (SELECT request_id FROM calls WHERE call_id = 'c121') "
            "WHERE call_id = 'c120'"
        )
        connection.commit()
    with Ledger(damaged) as ledger:
        checked = ledger.verify()
    assert len(checked.problems) == 1
    assert "its checksum differs" in checked.problems[0]
    assert compare(sound, salvage(damaged, tmp_path / "new.db")) == {"c120"}


def test_a_checksum_of_before_it_told_the_request_is_still_one(sound: Path, damaged: Path) -> None:
    with closing(sqlite3.connect(damaged)) as connection:
        names = ", ".join(CALL_COLUMNS)
        rows = connection.execute(f"SELECT id, {names} FROM calls").fetchall()
        older = [(checksum(row[1:], None), row[0]) for row in rows]
        connection.executemany("UPDATE calls SET checksum = ? WHERE id = ?", older)
        connection.commit()
    with Ledger(damaged) as ledger:
        assert ledger.verify().sound


def test_without_the_page_of_the_schema_it_says_so(damaged: Path, tmp_path: Path) -> None:
    content = bytearray(damaged.read_bytes())
    content[100:PAGE] = b"\xa5" * (PAGE - 100)
    damaged.write_bytes(content)
    with pytest.raises(LedgerError, match=r"Not even the list of tables .* import its last export"):
        salvage(damaged, tmp_path / "new.db")
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.db"]


def test_copies_that_a_kill_left_are_removed(damaged: Path, tmp_path: Path) -> None:
    left = tmp_path / ".new.db.abcdef12"
    left.mkdir()
    shutil.copyfile(damaged, left / "damaged.db")
    salvage(damaged, tmp_path / "new.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.db", "new.db"]


def test_what_is_there_is_not_overwritten(damaged: Path, tmp_path: Path) -> None:
    (tmp_path / "new.db").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        salvage(damaged, tmp_path / "new.db")
    with pytest.raises(LedgerError, match="There is no ledger"):
        salvage(tmp_path / "gone.db", tmp_path / "newer.db")


def test_a_ledger_of_an_older_version(tmp_path: Path) -> None:
    fixture = Path(__file__).parent / "fixtures" / "v1.sql"
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(fixture.read_text(encoding="utf-8"))
    found = salvage(tmp_path / "old.db", tmp_path / "new.db")
    assert found.lost == ()
    with Ledger(tmp_path / "new.db") as new, Ledger(tmp_path / "old.db") as old:
        assert list(new.calls()) == list(old.calls())
        assert new.verify().schema_version == MIGRATIONS[-1].version


def test_a_damaged_wal_is_noticed(tmp_path: Path, make_call: Callable[..., CallRecord]) -> None:
    path, copy = tmp_path / "open.db", tmp_path / "copy.db"
    with Ledger(path) as ledger:
        for i in range(30):
            asyncio.run(ledger.record(make_call(f"c{i}")))
        shutil.copyfile(path, copy)  # as a kill leaves them
        wal = bytearray(Path(f"{path}-wal").read_bytes())
    wal[len(wal) // 2] ^= 1
    Path(f"{copy}-wal").write_bytes(wal)
    found = salvage(copy, tmp_path / "new.db")
    assert any("commits of its WAL are damaged" in each for each in found.lost)
    assert 0 < found.kept["calls"] < 30
    with Ledger(copy) as ledger:
        checked = ledger.verify()
    assert checked.calls == found.kept["calls"]
    assert "commits of its WAL are damaged" in checked.problems[0]


def test_the_command(sound: Path, damaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", str(damaged))
    done = CliRunner().invoke(cli, ["ledger", "verify", "--salvage", str(tmp_path / "a.db")])
    assert done.exit_code == 0, done.output
    assert "400 attempts copied into" in done.output
    assert "nothing was lost" in done.output
    content = bytearray(damaged.read_bytes())
    content[content.index(b"word4440 word4441")] ^= 1
    damaged.write_bytes(content)
    done = CliRunner().invoke(cli, ["ledger", "verify", "--salvage", str(tmp_path / "b.db")])
    assert done.exit_code == 1
    assert (
        "Row 120 of table `calls` (call_id 'c119', attempt 1) is lost: it is not as it was recorded."
        in done.stderr
    )
    assert "399 attempts copied" in done.output


def test_a_database_has_backups_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", "postgresql://u:secret@host/db")
    done = CliRunner().invoke(cli, ["ledger", "verify", "--salvage", str(tmp_path / "a.db")])
    assert isinstance(done.exception, UsageError)
    assert "the server's own backups" in str(done.exception)


def test_no_table_of_the_schema_is_left_behind(sound: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(sound)) as source:
        tables = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(salvage(sound, tmp_path / "new.db").kept) == tables
