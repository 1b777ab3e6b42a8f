"""The rows that say how an experiment was run: a changed one is noticed, and an honest one never."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.migrations import MIGRATIONS
from llmbench.ledger.row_sums import SUMMED, row_is_whole, row_sum
from llmbench.ledger.salvage import salvage
from llmbench.ledger.soundness import CHECKED_TABLES
from llmbench.ledger.store import Store
from tests.ledger.conftest import make_call_of

AT = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = 4096
# Of outcomes not: a call's id (these have none), and when one was recorded, which is not part of its name.
CHECKED_COLUMNS = {
    table: [each for each in columns if each not in ("call_id", "recorded_at")]
    for table, columns in CHECKED_TABLES.items()
}
COLUMNS = [(table, column) for table, columns in CHECKED_COLUMNS.items() for column in columns]


def assign(ledger: Ledger, unit: str, experiment: str = "x", **changes: Any) -> None:
    given: dict[str, Any] = {"epoch": 1, "arm": "a/m", "probability": 0.9, "assigned_at": AT}
    asyncio.run(ledger.record_assignment(experiment, unit, **{**given, **changes}))


def look(ledger: Ledger, number: int, experiment: str = "x", **changes: Any) -> None:
    given: dict[str, Any] = {
        "cut_off": AT + timedelta(days=number),
        "units": 100 * number,
        "information": number / 4,
        "parameters": {"margin": 0.9},
        "comparisons": [{"treatment": "b/m", "ratio": 0.98}],
        "seen_at": AT + timedelta(days=number, hours=9),
    }
    assert ledger.record_look(experiment, number, **{**given, **changes})


def fill(ledger: Ledger) -> None:
    ledger.open_epoch("x", {"a/m": 0.9, "b/m": 0.1}, AT)
    ledger.open_epoch("x", {"a/m": 0.5, "b/m": 0.5}, AT + timedelta(days=1))
    assign(ledger, "u1", attributes={"mailbox": "sales@example.org", "size": 40})
    assign(ledger, "u2")
    assign(ledger, "half \ud83d of an emoji", probability=1)
    look(ledger, 1)
    look(ledger, 2)
    for i in range(3):
        ledger.record_outcome(unit_id=f"u{i}", replied=i > 0, value=5.0 * i, at=AT, metadata={"n": i})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "ledger.db"
    with Ledger(path) as ledger:
        fill(ledger)
    return path


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Path:
    return shutil.copyfile(filled, tmp_path / "copy.db")


def rows_of(path: Path, table: str, *columns: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1").fetchall()


def change(path: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, values)
        connection.commit()


def problems_of(path: Path) -> tuple[str, ...]:
    with Ledger(path) as ledger:
        return ledger.verify().problems


def flipped(value: Any) -> Any:
    """The value with one bit changed; of JSON the bit leaves it JSON."""
    if isinstance(value, float):
        (number,) = struct.unpack(">q", struct.pack(">d", value))
        return struct.unpack(">d", struct.pack(">q", number ^ 1))[0]
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    at = next(i for i in range(len(value) - 1, -1, -1) if value[i].isalnum())
    return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]


def test_all_columns_are_covered_but_the_number_of_the_row(filled: Path) -> None:
    for table, columns in SUMMED.items():
        with closing(sqlite3.connect(filled)) as connection:
            there = {row[1] for row in connection.execute(f"PRAGMA table_info ({table})")}
        assert there == {"id", "checksum", *columns}


def test_honest_rows_are_sound_in_every_database(ledger: Ledger) -> None:
    fill(ledger)
    assert ledger.verify().problems == ()
    with ledger._store.reading() as connection:
        for table, columns in SUMMED.items():
            rows = connection.execute(f"SELECT checksum, {', '.join(columns)} FROM {table}").fetchall()
            assert rows
            for checksum, *values in rows:
                assert checksum == row_sum(table, values)


@pytest.mark.parametrize("table", CHECKED_TABLES)
def test_a_changed_value_is_noticed_in_every_database(ledger: Ledger, table: str) -> None:
    fill(ledger)
    for column in CHECKED_COLUMNS[table]:
        with ledger._store.writing() as connection:
            (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE id = 1").fetchone()
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = 1", [flipped(value)])
            (problem,) = ledger.verify().problems
            assert problem == (
                f"Row 1 of the ledger's table `{table}` is not as it was recorded (its checksum differs): "
                "bring it back from a backup."
            )
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE id = 1", [value])
    assert ledger.verify().problems == ()


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_changed_row_is_not_salvaged(copy: Path, tmp_path: Path, table: str, column: str) -> None:
    before = rows_of(copy, table, "*")
    change(
        copy,
        f"UPDATE {table} SET {column} = ? WHERE id = 1",
        flipped(rows_of(copy, table, "id", column)[0][1]),
    )
    damaged = rows_of(copy, table, "*")
    assert damaged != before
    found = salvage(copy, tmp_path / "new.db")
    assert len(found.lost) == 1
    assert f"Row 1 of table `{table}`" in found.lost[0]
    assert "checksum differs" in found.lost[0]
    assert found.kept[table] == len(before) - 1
    assert rows_of(found.path, table, "*") == [row for row in before if row[0] != 1]
    assert problems_of(found.path) == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("replied", 3),  # true as well, and not what is ever written
        ("unit_id", b"u1"),  # one bit of SQLite's header makes bytes of a text, which no unit then equals
        ("unit_id", b"\xff\xfe"),
        ("unit_id", None),
        ("value", "five"),
        ("value", b"5"),
        ("happened_at", 7),
        ("digest", "x"),
    ],
)
def test_an_outcome_of_other_types_is_noticed(copy: Path, tmp_path: Path, column: str, value: Any) -> None:
    change(copy, f"UPDATE outcomes SET {column} = ? WHERE id = 2", value)
    assert any("table `outcomes`" in each for each in problems_of(copy))
    assert salvage(copy, tmp_path / "new.db").kept["outcomes"] == 2


@pytest.mark.parametrize("moment", ["1999-01-01T00:00:00.000000+00:00", "9999", b"\xff", 7])
def test_nothing_hangs_on_when_an_outcome_was_recorded(copy: Path, moment: Any) -> None:
    """Its digest does not cover that: were it ever read, it would need a checksum of its own."""

    def told() -> list[str]:
        with Ledger(copy) as ledger:
            found = [ledger.outcomes(), ledger.outcomes(until=AT, window_days=14), ledger.spend_by("unit")]
            return [*map(repr, found), repr(ledger.prune(AT + timedelta(days=1), dry_run=True))]

    with Ledger(copy) as ledger:
        sent = make_call_of("c", unit_id="u1", started_at=AT - timedelta(days=1))
        asyncio.run(ledger.record(sent))
    before = told()
    assert "replied=1" in before[0]
    change(copy, "UPDATE outcomes SET recorded_at = ?", moment)
    assert told() == before
    assert problems_of(copy) == ()


@pytest.mark.parametrize("value", [-0.0, 0, 0.0, 5, 5.5, 2**53 + 1, 10**20, 1e300, None])
def test_an_outcome_of_any_value_is_sound(ledger: Ledger, value: float | None) -> None:
    for _ in range(2):
        ledger.record_outcome(unit_id="u", replied=True, value=value, at=AT)
    assert ledger.verify().problems == ()


def test_values_of_numpy_are_kept_as_numbers(ledger: Ledger) -> None:
    assign(ledger, "u", epoch=np.int64(2), probability=np.float32(0.5))
    look(ledger, 1, units=np.int64(7), information=np.float32(0.25))
    found = ledger.assigned("x", "u")
    assert found is not None
    assert (found.epoch, found.probability) == (2, 0.5)
    (seen,) = ledger.looks("x")
    assert (seen.number, seen.units, seen.information) == (1, 7, 0.25)
    assert ledger.verify().problems == ()


_TEXTS = st.text(st.characters(exclude_categories=()), min_size=1, max_size=12)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with Ledger(tmp_path_factory.mktemp("shared") / "ledger.db") as opened:
        yield opened


@settings(max_examples=60, deadline=None)
@given(
    experiment=_TEXTS,
    unit=_TEXTS,
    arm=_TEXTS,
    probability=st.floats(0, 1, exclude_min=True) | st.just(1),
    attributes=st.dictionaries(_TEXTS.map("a {}".format), _TEXTS | st.integers() | st.booleans(), max_size=3),
    more=st.dictionaries(_TEXTS.map("b {}".format), _TEXTS, max_size=2),
    information=_NUMBERS,
    parameters=st.dictionaries(_TEXTS, _NUMBERS | _TEXTS | st.none(), max_size=3),
)
def test_no_honest_row_is_taken_for_a_damaged_one(
    shared: Ledger,
    experiment: str,
    unit: str,
    arm: str,
    probability: float,
    attributes: dict[str, Any],
    more: dict[str, Any],
    information: float,
    parameters: dict[str, Any],
) -> None:
    shared.open_epoch(experiment, {arm: 1, "b": probability}, AT)
    assign(shared, unit, experiment, arm=arm, probability=probability, attributes=attributes)
    if not any(shared.looks(experiment)):
        look(shared, 1, experiment, information=information, parameters=parameters, comparisons=[parameters])
    if (found := shared.assigned(experiment, unit)) is not None and not more.keys() & found.attributes.keys():
        shared.describe_units(experiment, {unit: more})
    assert shared.verify().problems == ()


@settings(max_examples=80)
@given(data=st.data(), table=st.sampled_from(list(SUMMED)))
def test_a_sum_is_of_its_values_alone(data: st.DataObject, table: str) -> None:
    size = len(SUMMED[table])
    value = st.none() | st.text() | st.binary() | st.integers() | st.floats(allow_nan=False)
    row = data.draw(st.lists(value, min_size=size, max_size=size))
    assert row_is_whole(table, row, row_sum(table, row))
    assert row_is_whole(table, row, None)
    at = data.draw(st.integers(0, size - 1))
    other = [*row[:at], data.draw(value), *row[at + 1 :]]
    # 1 and "1" are the same to it, and not to a column, whose type is checked beside it.
    alike = str(other[at]) == str(row[at]) or (other[at] == row[at] == 0)
    assert alike or row_sum(table, other) != row_sum(table, row)
    assert all(row_sum(name, row) != row_sum(table, row) for name in SUMMED if name != table)


def test_what_is_added_to_a_sound_row_is_part_of_its_sum(ledger: Ledger) -> None:
    fill(ledger)
    assert ledger.describe_units("x", {"u1": {"industry": "steel"}, "u2": {"industry": "glass"}}) == 2
    found = ledger.assigned("x", "u1")
    assert found is not None
    assert found.attributes == {"industry": "steel", "mailbox": "sales@example.org", "size": "40"}
    assert ledger.verify().problems == ()


def test_what_is_added_to_a_damaged_row_does_not_make_it_whole(ledger: Ledger) -> None:
    fill(ledger)
    with ledger._store.writing() as connection, connection.transaction():
        connection.execute("UPDATE assignments SET probability = 0.1 WHERE id = 1")
    ledger.describe_units("x", {"u1": {"industry": "steel"}})
    (problem,) = ledger.verify().problems
    assert "Row 1 of the ledger's table `assignments`" in problem


def test_rows_that_go_take_their_sums_along(ledger: Ledger) -> None:
    fill(ledger)
    ledger.prune(unit_id="u1")
    assert ledger.verify().problems == ()


def test_a_text_that_is_none_hides_no_other_table(copy: Path) -> None:
    change(copy, "UPDATE epochs SET weights = CAST(x'7bff7d' AS TEXT) WHERE id = 1")
    change(copy, "UPDATE looks SET units = 99 WHERE id = 2")
    found = problems_of(copy)
    assert any("is damaged" in each for each in found)
    assert any("Row 2 of the ledger's table `looks`" in each for each in found)


def test_what_keeps_the_file_from_being_read_is_told_once(copy: Path) -> None:
    with Ledger(copy) as ledger:
        copy.unlink()
        assert len(ledger.verify().problems) == 1


@pytest.mark.parametrize("table", ["epochs", "assignments"])
def test_rows_out_of_order_are_read_once(copy: Path, table: str) -> None:
    content = bytearray(copy.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()
    page = memoryview(content)[(root - 1) * PAGE : root * PAGE]
    (first,) = struct.unpack(">H", page[8:10])  # its cell: the length of the row, then its number
    at = first + 1 + (page[first] > 127)
    assert page[at] == 1
    page[at] = 100
    page.release()
    copy.write_bytes(content)
    with Ledger(copy) as ledger:
        assert any("out of order" in each for each in ledger.verify().problems)
        with suppress(LedgerError):  # refused, or each once
            assert len(list(ledger.assignments("x"))) <= 3


_OLD_ROWS = {
    "epochs": "('x', 1, '{\"a/m\": 1.0}', '2026-11-01T00:00:00.000000Z')",
    "assignments": "('x', 'u1', 1, 'a/m', 1.0, '2026-11-01T00:00:00.000000Z', NULL)",
    "looks": "('x', 1, '2026-11-02T00:00:00.000000Z', 9, 0.25, '[]', '2026-11-02T00:00:00.000000Z')",
    "frozen_plans": "('x', '{\"margin\": 0.9}', '2026-11-02T00:00:00.000000Z')",
}


@pytest.fixture
def of_version_7(tmp_path: Path) -> Path:
    """A ledger as an llmbench of version 7 left it."""
    path = tmp_path / "old.db"
    Store(path, "process", MIGRATIONS[:7]).close()
    for table, row in _OLD_ROWS.items():
        change(path, f"INSERT INTO {table} ({', '.join(SUMMED[table])}) VALUES {row}")
    return path


def test_a_ledger_of_version_7_walks_up_and_works(of_version_7: Path, tmp_path: Path) -> None:
    with Ledger(of_version_7) as ledger:
        assert ledger.verify()[1:] == (MIGRATIONS[-1].version, 0, ())
        assert ledger.open_epoch("x", {"a/m": 1.0}, AT) == 1
        assert ledger.open_epoch("x", {"a/m": 0.5, "b/m": 0.5}, AT) == 2
        assign(ledger, "u2", epoch=2)
        look(ledger, 2)
        assert ledger.describe_units("x", {"u1": {"size": 40}, "u2": {"size": 50}}) == 2
        assert [each.attributes for each in ledger.assignments("x")] == [{"size": "40"}, {"size": "50"}]
        assert ledger.frozen_plan("x") == {"margin": 0.9}
        assert ledger.verify().sound
    for table in SUMMED:
        known = [row[1] is not None for row in rows_of(of_version_7, table, "id", "checksum")]
        assert known == ([False] if table == "frozen_plans" else [False, True])
    found = salvage(of_version_7, tmp_path / "new.db")
    assert found.lost == ()
    for table in SUMMED:
        assert rows_of(found.path, table, "*") == rows_of(of_version_7, table, "*")


def test_a_ledger_of_version_7_is_salvaged_as_it_is(of_version_7: Path, tmp_path: Path) -> None:
    found = salvage(of_version_7, tmp_path / "new.db")
    assert found.lost == ()
    for table, columns in SUMMED.items():
        kept = rows_of(found.path, table, "id", *columns, "checksum")
        assert kept == [(*row, None) for row in rows_of(of_version_7, table, "id", *columns)]


@pytest.mark.parametrize("version", [2, 4])
def test_a_ledger_from_before_attributes_is_salvaged(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.db"
    Store(path, "process", MIGRATIONS[:version]).close()
    change(path, f"INSERT INTO epochs ({', '.join(SUMMED['epochs'])}) VALUES {_OLD_ROWS['epochs']}")
    columns = ", ".join(SUMMED["assignments"][:-1])
    row = _OLD_ROWS["assignments"].replace(", NULL", "")
    change(path, f"INSERT INTO assignments ({columns}) VALUES {row}")
    found = salvage(path, tmp_path / "new.db")
    assert found.lost == ()
    assert (found.kept["epochs"], found.kept["assignments"]) == (1, 1)


@pytest.mark.parametrize("seed", range(60))
def test_a_bit_on_the_disk_is_noticed_and_nothing_changed_is_salvaged(
    filled: Path, copy: Path, tmp_path: Path, seed: int
) -> None:
    content = bytearray(copy.read_bytes())
    drawn = random.Random(seed)
    # In the rows themselves: in the last bytes of the first page of a table.
    table = drawn.choice(list(CHECKED_TABLES))
    with closing(sqlite3.connect(filled)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()
    start = (root - 1) * PAGE
    first = struct.unpack(">H", content[start + 5 : start + 7])[0]
    content[start + drawn.randrange(first, PAGE)] ^= 1 << drawn.randrange(8)
    copy.write_bytes(content)
    found = salvage(copy, tmp_path / "new.db")
    lost = 0
    for name, columns in CHECKED_COLUMNS.items():
        before, after = rows_of(filled, name, *columns), rows_of(found.path, name, *columns)
        assert set(after) <= set(before)
        lost += len(before) - len(after)
    assert len(found.lost) >= lost
    assert problems_of(found.path) == ()
    if lost:
        with suppress(LedgerError):  # not even opened
            assert problems_of(copy)
