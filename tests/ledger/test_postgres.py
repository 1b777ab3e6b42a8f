from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from llmbench.errors import ConfigError, LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.migrations import MIGRATIONS, Migration
from llmbench.types import CallRecord
from tests.postgres_server import PASSWORD, USER

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

psycopg = pytest.importorskip("psycopg")

SECRET = quote(PASSWORD, safe="")
"""As it stands in a URL."""
NEXT = MIGRATIONS[-1].version + 1
EXTRA = Migration(
    NEXT, "a note", ("ALTER TABLE calls ADD COLUMN note TEXT", "UPDATE calls SET note = 'from ' || call_id")
)
BROKEN = Migration(
    NEXT, "fails halfway", ("ALTER TABLE calls ADD COLUMN note TEXT", "UPDATE no_such SET x = 1")
)


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    with Ledger(postgres_url) as opened:
        yield opened


def schema_of(url: str) -> str:
    return url.rpartition("%3D")[2]


def record(ledger: Ledger, *calls: CallRecord) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(ledger.record(call) for call in calls))

    asyncio.run(all_of_them())


def ids(ledger: Ledger) -> list[str]:
    return [call.call_id for call in ledger.calls()]


def end_connections(server: PostgresServer) -> None:
    """As an administrator would."""
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'llmbench'"
    )


def test_name_is_without_user_and_password(
    postgres: PostgresServer, postgres_url: str, ledger: Ledger
) -> None:
    assert ledger.path is None
    assert ledger.name == f"postgresql://127.0.0.1:{postgres.port}/ledger"
    assert repr(ledger) == f"Ledger({ledger.name!r}, open)"
    with Ledger(postgres_url.replace("postgresql:", "postgres:")) as other:
        assert other.name == ledger.name
    assert repr(other) == f"Ledger({ledger.name!r}, closed)"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda url: url.replace("/ledger?", "/nowhere?"), "cannot be reached"),
        (lambda url: url.replace(SECRET, "wrong-word"), "cannot be reached"),
        (lambda url: url.replace(f"{USER}:", "somebody:"), "cannot be reached"),
        (lambda url: url.replace(SECRET, "wrong-word@more"), "cannot be understood"),
        (lambda url: url.replace(SECRET, "wrong-word/more"), "cannot be understood"),
        (lambda url: url.replace(SECRET, "wrong-word?more"), "cannot be reached"),
        (lambda url: url.replace(SECRET, "wrong-word#more"), "cannot be reached"),
        (lambda url: url.replace(SECRET, "wrong-word%more"), "cannot be understood"),
        (lambda url: url + "&no_such_setting=1", "cannot be understood"),
        (lambda url: url + "x", "has no schema: create the one"),
    ],
)
def test_failures_never_show_user_and_password(
    postgres_url: str, change: Callable[[str], str], told: str
) -> None:
    with pytest.raises(LedgerError, match=told) as caught:
        Ledger(change(postgres_url))
    shown = str(caught.value) + repr(caught.value.__cause__)
    secrets = (PASSWORD, SECRET, "wrong-word", "more", "somebody", f'"{USER}"')
    assert not any(secret in shown for secret in secrets)


def test_without_psycopg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llmbench.ledger.postgres", None)
    with pytest.raises(ConfigError, match=r"pip install 'llmbench\[postgres\]'"):
        Ledger("postgresql://u:secret@127.0.0.1:1/db")


def test_psycopg_is_imported_only_for_a_database(run_python: Callable[..., str], tmp_path: Any) -> None:
    script = "import sys\nLedger(sys.argv[1]).close()\nprint('psycopg' in sys.modules)"
    assert run_python(script, tmp_path / "ledger.db") == "False\n"


def test_texts_come_back_exactly(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    texts = [
        "",
        "\0",
        "\x1a",
        "\x1a0000",
        "a\0b\ud83d\x1a",
        "\udcff",
        "%s ? '' %",
        "\U0001f600",
        "x" * 3_000_000,
    ]
    calls = [
        make_call(f"c{i}", content=text, run_id=f"{text[:9]}r", metadata={"m": text[:9]})
        for i, text in enumerate(texts)
    ]
    record(ledger, *calls)
    record(ledger, *calls)
    assert {call.call_id: call for call in ledger.calls()} == {call.call_id: call for call in calls}
    for call in calls:
        assert call in list(ledger.calls(run_id=call.run_id))
    assert ledger.verify().sound


def test_a_value_too_long_fails_alone(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    async def all_of_them() -> list[BaseException | None]:
        calls = [make_call("a"), make_call("b" * 1_000_000), make_call("c")]
        # Random, or it would be compressed to fit into an index.
        calls[1] = make_call("".join(chr(0x4E00 + i * 7919 % 20000) for i in range(9000)))
        return await asyncio.gather(*(ledger.record(call) for call in calls), return_exceptions=True)

    first, long, last = asyncio.run(all_of_them())
    assert (first, last) == (None, None)
    assert isinstance(long, LedgerError)
    assert "cannot hold a value this long" in str(long)
    assert ids(ledger) == ["a", "c"]


def test_commits_wait_for_the_disk(postgres: PostgresServer, postgres_url: str) -> None:
    for setting, kept in (("off", "on"), ("remote_write", "remote_write")):
        postgres.execute(f"ALTER ROLE {USER} SET synchronous_commit = '{setting}'")
        try:
            with Ledger(postgres_url, durability="power") as ledger:
                assert ledger._store.connection.execute("SHOW synchronous_commit").fetchone() == (kept,)
        finally:
            postgres.execute(f"ALTER ROLE {USER} RESET synchronous_commit")


# The schema


def test_tables_of_another_program_are_refused_untouched(postgres: PostgresServer, postgres_url: str) -> None:
    schema = schema_of(postgres_url)
    postgres.execute(f"CREATE TABLE {schema}.calls (x TEXT)")
    with pytest.raises(LedgerError, match=r"holds tables of another program \(calls\).*nothing was changed"):
        Ledger(postgres_url)
    tables = postgres.execute(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")
    assert tables == [("calls",)]


def test_tables_of_other_names_are_no_matter(postgres: PostgresServer, postgres_url: str) -> None:
    postgres.execute(f"CREATE TABLE {schema_of(postgres_url)}.customers (x TEXT)")
    with Ledger(postgres_url) as ledger:
        assert ledger.verify().sound


def test_a_database_that_is_not_in_utf8_is_refused(postgres: PostgresServer) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0")
    with pytest.raises(LedgerError, match="is in LATIN1, which cannot hold every text"):
        Ledger(postgres.url(database="latin"))


def test_migrations_by_many_at_once_then_a_newer_one(
    postgres_url: str, make_call: Callable[..., CallRecord]
) -> None:
    from llmbench.ledger.postgres import PostgresStore

    ready = threading.Barrier(6)

    def open_it(_: int) -> None:
        ready.wait()
        PostgresStore(postgres_url).close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_it, range(6)))
    with Ledger(postgres_url) as ledger:
        record(ledger, make_call("a"))
        assert ledger.verify().schema_version == MIGRATIONS[-1].version
    with pytest.raises(LedgerError, match="no_such"):
        PostgresStore(postgres_url, (*MIGRATIONS, BROKEN))
    with Ledger(postgres_url) as ledger:
        assert ids(ledger) == ["a"]
    store = PostgresStore(postgres_url, (*MIGRATIONS, EXTRA))
    assert store.connection.execute("SELECT note FROM calls").fetchall() == [("from a",)]
    store.close()
    with pytest.raises(
        LedgerError, match=rf"has schema version {NEXT} and this llmbench knows .* upgrade llmbench"
    ):
        Ledger(postgres_url)


def test_a_user_that_may_only_read_can_read(
    postgres: PostgresServer, postgres_url: str, make_call: Callable[..., CallRecord]
) -> None:
    schema = schema_of(postgres_url)
    with Ledger(postgres_url) as ledger:
        record(ledger, make_call("a"))
    for statement in (
        "CREATE ROLE reader LOGIN PASSWORD 'reads-only'",
        f"GRANT USAGE ON SCHEMA {schema} TO reader",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader",
    ):
        postgres.execute(statement)
    url = postgres_url.replace(f"{USER}:{SECRET}", "reader:reads-only")
    try:
        with Ledger(url) as ledger:
            assert ids(ledger) == ["a"]
            assert ledger.verify().sound
            with pytest.raises(LedgerError, match="may not be used like this: grant the user"):
                record(ledger, make_call("b"))
    finally:
        postgres.execute("DROP OWNED BY reader")
        postgres.execute("DROP ROLE reader")


# A server that comes and goes


def test_broken_connections_are_opened_again(
    postgres: PostgresServer, ledger: Ledger, make_call: Callable[..., CallRecord]
) -> None:
    for name in "abc":
        record(ledger, make_call(name))
        assert name in ids(ledger)
        end_connections(postgres)
    assert ids(ledger) == ["a", "b", "c"]


def test_a_commit_whose_answer_was_lost_is_not_doubled(
    ledger: Ledger, make_call: Callable[..., CallRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmbench.ledger.postgres import PostgresConnection

    whole = PostgresConnection.transaction
    lost: list[str] = []

    @contextmanager
    def lose_the_answer(self: PostgresConnection) -> Iterator[None]:
        with whole(self):
            yield
        if not lost:
            lost.append("the answer")
            self.close()
            raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(PostgresConnection, "transaction", lose_the_answer)
    record(ledger, make_call("a"), make_call("b"))
    assert lost == ["the answer"]
    assert ids(ledger) == ["a", "b"]


def test_a_server_that_stays_away_is_named_and_later_records_are_served(
    postgres: PostgresServer,
    ledger: Ledger,
    make_call: Callable[..., CallRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record(ledger, make_call("a"))
    with monkeypatch.context() as patch:
        patch.setattr("llmbench.ledger.postgres.PATIENCE_S", 0.1)
        patch.setitem(ledger._store._address.parameters, "port", "1")
        end_connections(postgres)
        for use in (lambda: record(ledger, make_call("b")), ledger.spend):
            with pytest.raises(LedgerError, match="cannot be reached") as caught:
                use()
            assert ledger.name in str(caught.value)
            assert PASSWORD not in str(caught.value)
    record(ledger, make_call("c"))
    assert ids(ledger) == ["a", "c"]


def test_the_same_requests_from_many_at_once_do_not_block_each_other(
    postgres_url: str, make_call: Callable[..., CallRecord]
) -> None:
    bodies = [f"h{i}" for i in range(60)]

    def write(name: int) -> None:
        order = bodies if name % 2 else bodies[::-1]
        with Ledger(postgres_url) as ledger:
            record(ledger, *(make_call(f"{name} {each}", request_hash=each) for each in order))
            record(ledger, *(make_call(f"shared {each}", request_hash=each) for each in order))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    with Ledger(postgres_url) as ledger:
        assert ledger.spend().calls == 5 * len(bodies)
        with ledger._store.reading() as connection:
            assert connection.execute("SELECT count(*) FROM requests").fetchone() == (len(bodies),)


FORK = """
import asyncio, os, sys
from llmbench.errors import LedgerError

ledger = Ledger(sys.argv[1])
asyncio.run(ledger.record(make_call("parent")))
if os.fork() == 0:
    for use in (lambda: asyncio.run(ledger.record(make_call("x"))), ledger.spend):
        try:
            use()
        except LedgerError as error:
            print("refused:", "forked" in str(error), flush=True)
    with Ledger(sys.argv[1]) as own:
        asyncio.run(own.record(make_call("child")))
    ledger.close()
    sys.exit(0)
assert os.wait()[1] == 0
asyncio.run(ledger.record(make_call("parent again")))
print([call.call_id for call in ledger.calls()])
ledger.close()
"""


def test_fork_child_is_refused_and_opens_its_own(postgres_url: str, run_python: Callable[..., str]) -> None:
    *refused, last = run_python(FORK, postgres_url).splitlines()
    assert refused == ["refused: True"] * 2
    assert last == "['parent', 'child', 'parent again']"
