from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.types import CallRecord

posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="needs fork, user ids or unlinking open files"
)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///ledger.db",
        "mysql://host/db",
        "postgresql+psycopg2://u:secret@host/db",
        Path("postgresql://u:secret@host/db"),
        ":memory:",
        "",
    ],
)
def test_ledger_path_that_is_no_path_is_refused(url: str | Path) -> None:
    with pytest.raises(LedgerError, match="is not the path of a ledger file") as caught:
        Ledger(url)
    assert "secret" not in str(caught.value)


def test_ledger_path_none_is_the_projects_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", str(tmp_path / "named.db"))
    with Ledger() as ledger:
        assert ledger.path == tmp_path / "named.db"


@pytest.mark.parametrize("name", ["plain.db", "a b%20c?mode=ro#x.db", "дом/été.db", "new/deeper/ledger.db"])
def test_open_creates_folder_and_file(
    tmp_path: Path, make_call: Callable[..., CallRecord], name: str
) -> None:
    for _ in range(2):
        with Ledger(tmp_path / name) as ledger:
            asyncio.run(ledger.record(make_call()))
    assert (tmp_path / name).is_file()


def test_open_empty_file_is_a_new_ledger(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with Ledger(tmp_path / "empty.db") as ledger:
        assert ledger.verify().sound


@pytest.mark.parametrize("content", [b"id,prompt\n1,Hi\n", b"S", b"SQLite format 2\0" + bytes(2000)])
def test_open_file_that_is_not_sqlite_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"is not a ledger .* it was not changed"):
        Ledger(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_open_damaged_sqlite_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    content = b"SQLite format 3\0" + b"\xff" * 5000
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged or no ledger"):
        Ledger(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (x)", "PRAGMA user_version = 1"])
def test_open_database_of_another_program_is_refused_untouched(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="SQLite file of another program"):
        Ledger(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_open_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be read"):
        Ledger(tmp_path)


def test_open_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LedgerError, match=r"give (another path|the path of a readable file)"):
        Ledger(tmp_path / "file" / "ledger.db")


def test_open_refused_ledger_leaves_no_connection(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="schema version 99"):
        Ledger(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    Ledger(path).close()


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability_is_sqlites_synchronous(tmp_path: Path, durability: str, synchronous: int) -> None:
    with Ledger(tmp_path / "ledger.db", durability=durability) as ledger:  # type: ignore[arg-type]
        assert ledger._store.connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert ledger._store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with ledger._store.writing() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)


def test_open_waits_for_another_that_is_creating_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        # SQLite refuses the switch to WAL beside this at once, whatever the busy timeout.
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        release.start()
        with Ledger(path) as ledger:
            assert ledger.verify().sound
        release.join()


READ_ONLY = """
import asyncio, os, sys
from pathlib import Path
from llmbench.errors import LedgerError

folder = Path(sys.argv[1])
path = folder / "ledger.db"
with Ledger(path) as ledger:
    asyncio.run(ledger.record(make_call("c3")))
    ledger.export(folder / "c3.jsonl")
path.unlink()
with Ledger(path) as ledger:
    asyncio.run(ledger.record(make_call()))
path.chmod(0o444)
folder.chmod(0o555)
if os.geteuid() == 0:  # to whom permissions mean nothing
    os.setuid(65534)
with Ledger(path) as ledger:
    try:
        asyncio.run(ledger.record(make_call("c2")))
    except LedgerError as error:
        print(error)
    try:
        ledger.import_lines(folder / "c3.jsonl")
    except LedgerError as error:
        print(error)
    print([call.call_id for call in ledger.calls()], ledger.verify().sound, sorted(os.listdir(folder)))
"""


@posix_only
def test_read_only_ledger_can_be_read(run_python: Callable[..., str]) -> None:
    # Not tmp_path, whose parents nobody but its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        recording, importing, reading = run_python(READ_ONLY, folder).splitlines()
        Path(folder).chmod(0o755)
    assert "is read-only: make the file and its folder writable, or give another path" in recording
    assert "is read-only" in importing
    assert reading == "['c1'] True ['c3.jsonl', 'ledger.db']"


@posix_only
@pytest.mark.parametrize("victim", ["ledger.db", "ledger.db-wal"])
def test_deleted_file_is_noticed(
    file_ledger: Ledger, make_call: Callable[..., CallRecord], victim: str
) -> None:
    asyncio.run(file_ledger.record(make_call("before")))
    (file_ledger.path.parent / victim).unlink()
    for use in (
        lambda: asyncio.run(file_ledger.record(make_call("after"))),
        lambda: asyncio.run(file_ledger.record(make_call("again"))),
        lambda: file_ledger.answers(["hash of before"]),
    ):
        with pytest.raises(LedgerError, match="was deleted or replaced while open"):
            use()


@posix_only
def test_replaced_file_is_noticed(
    file_ledger: Ledger, make_call: Callable[..., CallRecord], tmp_path: Path
) -> None:
    Ledger(tmp_path / "other.db").close()
    (tmp_path / "other.db").replace(file_ledger.path)
    with pytest.raises(LedgerError, match="was deleted or replaced while open"):
        asyncio.run(file_ledger.record(make_call()))


FORK = """
import asyncio, gc, os, sys
from llmbench.errors import LedgerError

ledger = Ledger(sys.argv[1])
asyncio.run(ledger.record(make_call("parent")))
ledger._writer._lock.acquire()  # as if another thread were recording at the moment of the fork
child = os.fork()
if child == 0:
    for use in (
        lambda: asyncio.run(ledger.record(make_call("child"))),
        lambda: ledger.answers(["x"]),
        lambda: Ledger(sys.argv[1]),
    ):
        try:
            use()
        except LedgerError as error:
            print("refused:", error)
    print(repr(ledger))
    ledger.close()
    del ledger
    gc.collect()
    sys.exit(0)  # with exit handlers
ledger._writer._lock.release()
_, status = os.waitpid(child, 0)
assert status == 0
asyncio.run(ledger.record(make_call("parent again")))
ledger.close()
if os.fork() == 0:  # nothing is open now
    with Ledger(sys.argv[1]) as ledger:
        asyncio.run(ledger.record(make_call("later child")))
    sys.exit(0)
assert os.wait()[1] == 0
with Ledger(sys.argv[1]) as ledger:
    print(sorted(call.call_id for call in ledger.calls()), ledger.verify().problems)
"""


@posix_only
def test_fork_child_is_refused_and_parent_goes_on(tmp_path: Path, run_python: Callable[..., str]) -> None:
    lines = run_python(FORK, tmp_path / "ledger.db").splitlines()
    assert len([line for line in lines if line.startswith("refused:") and "'spawn'" in line]) == 3
    assert lines[-1] == "['later child', 'parent', 'parent again'] ()"
