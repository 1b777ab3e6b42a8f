from __future__ import annotations

import dataclasses
import math
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbench.errors import LedgerError
from llmbench.ledger.insertion import insert
from llmbench.ledger.migrations import migrate
from llmbench.ledger.rows import SELECT_RECORD, decode, encode
from llmbench.ledger.store import SqliteConnection
from llmbench.types import CallRecord, Usage

any_text = st.text(st.characters(exclude_categories=()), max_size=30)
optional_text = st.none() | any_text
milliseconds = st.floats(0, 1e12)
optional_milliseconds = st.none() | milliseconds
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)
usages = st.builds(
    lambda cached, written, uncached, reasoning, visible: Usage(
        cached + written + uncached, reasoning + visible, cached, written, reasoning
    ),
    *[st.integers(0, 2**60)] * 5,
)
records = st.builds(
    CallRecord,
    call_id=any_text,
    attempt=st.integers(1, 9),
    request_hash=any_text,
    endpoint=any_text,
    provider=any_text,
    backend=optional_text,
    model=any_text,
    messages=st.lists(st.fixed_dictionaries({"role": any_text, "content": any_text}), max_size=3),
    params=st.dictionaries(any_text, json_values, max_size=3),
    repeat=st.integers(0, 99),
    started_at=st.datetimes(
        min_value=datetime.fromisoformat("0002-01-01"),
        max_value=datetime.fromisoformat("9998-01-01"),
        timezones=st.just(UTC),
    ),
    latency_ms=milliseconds,
    wall_ms=milliseconds,
    status=st.sampled_from(["ok", "error", "cancelled"]),
    error_type=optional_text,
    error_message=optional_text,
    content=optional_text,
    finish_reason=optional_text,
    usage=st.none() | usages,
    queue_ms=optional_milliseconds,
    load_ms=optional_milliseconds,
    prefill_ms=optional_milliseconds,
    decode_ms=optional_milliseconds,
    time_to_first_token_ms=optional_milliseconds,
    cost=st.none() | st.floats(0, 1e6),
    cost_basis=st.sampled_from(["priced", "reported", "self-hosted", "recorded", "unknown"]),
    price_book=optional_text,
    price_as_of=optional_text,
    served_model=optional_text,
    fingerprint=optional_text,
    run_id=optional_text,
    metadata=st.dictionaries(any_text, json_values, max_size=3),
)


def stored_and_read(record: CallRecord) -> CallRecord:
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=SqliteConnection)
    try:
        migrate(connection, Path("memory"))
        insert(connection, [encode(record)])
        row = connection.execute(
            f"SELECT {SELECT_RECORD} FROM calls JOIN requests ON requests.id = calls.request_id"
        ).fetchone()
        return decode(row)
    finally:
        connection.close()


def joined(value: Any) -> Any:
    """`value` with halves of a character side by side made into the character."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if isinstance(value, dict):
        return {joined(key): joined(item) for key, item in value.items()}
    return [joined(item) for item in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(records)
def test_row_round_trip_of_every_field(record: CallRecord) -> None:
    read = stored_and_read(record)
    for field in dataclasses.fields(CallRecord):
        assert getattr(read, field.name) == joined(getattr(record, field.name)), field.name


@pytest.mark.parametrize(
    "text",
    ["", "\0", "a\0b", "\ud83d", "x\udce9y", "\ude00\ud83d", "\U0001f600", "\r\n", "'\";--", "z" * 5_000_000],
)
def test_row_keeps_text_as_it_is(make_call: Callable[..., CallRecord], text: str) -> None:
    record = make_call(content=text, messages=[{"role": "user", "content": text}], metadata={text: text})
    assert stored_and_read(record) == record


def test_row_joins_halves_of_a_character(make_call: Callable[..., CallRecord]) -> None:
    assert stored_and_read(make_call(content="\ud83d" + "\ude00")).content == "\U0001f600"


def test_row_keeps_the_instant_of_another_time_zone(make_call: Callable[..., CallRecord]) -> None:
    local = datetime(2026, 3, 1, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    read = stored_and_read(make_call(started_at=local))
    assert read.started_at == local
    assert read.started_at.utcoffset() == timedelta(0)


def test_row_number_that_is_not_finite_is_not_known(make_call: Callable[..., CallRecord]) -> None:
    read = stored_and_read(make_call(latency_ms=math.nan, cost=math.nan, metadata={"score": math.inf}))
    assert math.isnan(read.latency_ms)
    assert read.cost is None
    assert read.metadata == {"score": None}


def test_row_takes_numpy_numbers(make_call: Callable[..., CallRecord]) -> None:
    import numpy as np

    read = stored_and_read(make_call(latency_ms=np.float32(1.5), repeat=np.int64(3), cost=np.float64(0.1)))
    assert (read.latency_ms, read.repeat, read.cost) == (1.5, 3, 0.1)


def test_row_metadata_that_json_has_no_word_for_is_kept_as_text(make_call: Callable[..., CallRecord]) -> None:
    metadata = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "raw": b"\x00",
        "tags": {"b", "a"},
        "pair": (1, 2),
        5: {(1, 2): "odd key"},
    }
    assert stored_and_read(make_call(metadata=metadata)).metadata == {
        "at": "2026-01-02T00:00:00+00:00",
        "raw": "b'\\x00'",
        "tags": ["a", "b"],
        "pair": [1, 2],
        "5": {"(1, 2)": "odd key"},
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "done"}, "status is 'done' and must be one of ok, error, cancelled"),
        ({"cost_basis": "guess"}, "cost_basis is 'guess'"),
        ({"started_at": datetime(2026, 1, 2)}, "has no time zone"),  # noqa: DTZ001
        ({"repeat": 1.5}, "float"),
        ({"attempt": 2**63}, "more than 64 bits"),
        ({"content": 5}, "int"),
    ],
)
def test_row_refuses_what_cannot_be_meant(
    make_call: Callable[..., CallRecord], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(LedgerError, match=r"Attempt .* of call 'c1' cannot be recorded") as raised:
        encode(make_call(**changes))
    assert reason in str(raised.value)


def test_row_refuses_a_circle(make_call: Callable[..., CallRecord]) -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    with pytest.raises(LedgerError, match="cannot be recorded"):
        encode(make_call(metadata=circle))


def test_row_request_is_the_same_whatever_the_order_of_parameters(
    make_call: Callable[..., CallRecord],
) -> None:
    one = encode(make_call(params={"temperature": 0, "max_tokens": 16}))
    other = encode(make_call(params={"max_tokens": 16, "temperature": 0}))
    assert one.request == other.request


def test_row_request_differs_in_every_field(make_call: Callable[..., CallRecord]) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"request_hash": "h"},
        {"endpoint": "e"},
        {"provider": "p"},
        {"backend": "None"},
        {"model": "n"},
        {"messages": []},
        {"params": {}},
        {"repeat": 1},
        {"endpoint": "fakefake", "provider": ""},
    ]
    assert len({encode(make_call(**each)).request[0] for each in changes}) == len(changes)


def test_row_that_is_damaged_is_named(make_call: Callable[..., CallRecord]) -> None:
    rows = encode(make_call())
    row = [7, *rows.request[1:], *rows.call]
    row[-1] = "{not json"
    with pytest.raises(LedgerError, match="Row 7 of the ledger's table `calls` is damaged"):
        decode(row)
