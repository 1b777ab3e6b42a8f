from __future__ import annotations

import asyncio
import json
import math
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import LedgerError
from llmbench.ledger import Ledger
from llmbench.ledger.lines import line_of, record_of
from llmbench.types import CallRecord, Usage

FULL: dict[str, Any] = {
    "request_hash": "h",
    "backend": "vllm",
    "params": {"temperature": 0.1, "stop": ["\n"], "seed": None},
    "repeat": 2,
    "started_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "latency_ms": 1 / 3,
    "content": "Grüße \0 \u2028 \ud83d \U0001f600",
    "finish_reason": "stop",
    "usage": Usage(10, 5, 4, 2, 1),
    "queue_ms": 0.1,
    "load_ms": 0.2,
    "prefill_ms": 0.3,
    "decode_ms": 0.4,
    "time_to_first_token_ms": 0.5,
    "cost": 1e-7,
    "cost_basis": "priced",
    "price_book": "current",
    "price_as_of": "2026-01-01",
    "served_model": "m-2026",
    "fingerprint": "fp",
    "run_id": "r1",
    "metadata": {"id": "x", "deep": [{"a": None}]},
}


@pytest.fixture
def three(make_call: Callable[..., CallRecord]) -> list[CallRecord]:
    return [
        make_call("a", **FULL),
        make_call("b", status="error", error_type="E", error_message="m", content=None),
        make_call("c", usage=Usage(0, 0)),
    ]


@pytest.fixture
def exported(tmp_path: Path, three: list[CallRecord]) -> Path:
    with Ledger(tmp_path / "source.db") as ledger:
        for call in three:
            asyncio.run(ledger.record(call))
        assert ledger.export(tmp_path / "new" / "calls.jsonl") == 3
    return tmp_path / "new" / "calls.jsonl"


def test_lines_round_trip(ledger: Ledger, exported: Path, three: list[CallRecord]) -> None:
    assert ledger.import_lines(exported) == 3
    assert list(ledger.calls()) == three
    ledger.export(exported.parent / "again.jsonl")
    assert (exported.parent / "again.jsonl").read_bytes() == exported.read_bytes()


def test_lines_are_json_of_what_is_known(exported: Path) -> None:
    lines = exported.read_text(encoding="utf-8").split("\n")
    assert lines[-1] == ""
    first, second = json.loads(lines[0]), json.loads(lines[1])
    assert first["usage"] == {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_tokens": 4,
        "cache_write_tokens": 2,
        "reasoning_tokens": 1,
    }
    assert first["started_at"] == "2026-01-02T03:04:05.678901Z"
    assert "usage" not in second
    assert "cost" not in second
    assert list(exported.parent.iterdir()) == [exported]


def test_line_of_latency_not_known(make_call: Callable[..., CallRecord]) -> None:
    line = line_of(make_call(latency_ms=math.nan))
    assert "latency_ms" not in json.loads(line)
    assert math.isnan(record_of(line).latency_ms)


def test_export_selects(tmp_path: Path, exported: Path, ledger: Ledger) -> None:
    ledger.import_lines(exported)
    assert ledger.export(tmp_path / "x.jsonl", run_id="r1") == 1
    assert ledger.export(tmp_path / "x.jsonl", status="error") == 1
    assert ledger.export(tmp_path / "x.jsonl", since=datetime(2026, 1, 3, tzinfo=UTC)) == 0
    assert (tmp_path / "x.jsonl").read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs file modes")
def test_export_has_the_mode_of_any_file(exported: Path) -> None:
    (exported.parent / "any").touch()
    assert stat.S_IMODE(exported.stat().st_mode) == stat.S_IMODE((exported.parent / "any").stat().st_mode)


def test_export_that_fails_leaves_the_file_before(ledger: Ledger, exported: Path) -> None:
    ledger.import_lines(exported)
    before = exported.read_bytes()
    with ledger._store.writing() as connection:
        connection.execute("UPDATE calls SET metadata = '{' WHERE call_id = 'b'")
    with pytest.raises(LedgerError, match=r"Row 2 .* is damaged"):
        ledger.export(exported)
    assert exported.read_bytes() == before
    assert list(exported.parent.iterdir()) == [exported]


def test_export_to_where_no_file_can_be(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be written"):
        ledger.export(tmp_path / "file" / "calls.jsonl")


def test_import_twice_is_one_row(ledger: Ledger, exported: Path) -> None:
    assert [ledger.import_lines(exported) for _ in range(2)] == [3, 0]
    exported.write_bytes(exported.read_bytes() * 2)
    assert ledger.import_lines(exported) == 0
    assert len(list(ledger.calls())) == 3


def test_import_of_a_file_that_repeats_itself(ledger: Ledger, exported: Path) -> None:
    exported.write_bytes(exported.read_bytes() * 2)
    assert ledger.import_lines(exported) == 3


def test_import_takes_bom_blank_lines_and_windows_ends(
    ledger: Ledger, exported: Path, three: list[CallRecord]
) -> None:
    exported.write_bytes(b"\xef\xbb\xbf" + exported.read_bytes().replace(b"\n", b"\r\n\r\n").rstrip())
    assert ledger.import_lines(exported) == 3
    assert list(ledger.calls()) == three


def test_import_takes_null_for_unknown_and_other_time_zones(
    ledger: Ledger, exported: Path, make_call: Callable[..., CallRecord]
) -> None:
    values = json.loads(line_of(make_call("a"))) | {"cost": None, "started_at": "2026-01-02T02:00:00+02:00"}
    exported.write_text(json.dumps(values), encoding="utf-8")
    ledger.import_lines(exported)
    assert list(ledger.calls()) == [make_call("a", started_at=datetime(2026, 1, 2, tzinfo=UTC))]


def test_import_adds_to_what_is_there(
    ledger: Ledger, exported: Path, make_call: Callable[..., CallRecord]
) -> None:
    asyncio.run(ledger.record(make_call("c", usage=Usage(0, 0))))
    assert ledger.import_lines(exported) == 2
    assert [call.call_id for call in ledger.calls()] == ["c", "a", "b"]


def change(**values: object) -> Callable[[str], str]:
    def changed(line: str) -> str:
        read = json.loads(line) | values
        return json.dumps({name: value for name, value in read.items() if value is not ...})

    return changed


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda line: line[:-10], "it is not JSON ("),
        (lambda line: "[]", "it is not a JSON object"),
        (lambda line: line + line, "Extra data"),
        (lambda line: '{"attempt":1,' + line[1:], "names a field twice"),
        (change(call_id=...), "it has no call_id"),
        (change(messages=..., status=None), "it has no messages, status"),
        (change(cots=1), "a field 'cots', which this llmbench does not know"),
        (change(attempt="1"), "its attempt is '1', which is of the wrong type"),
        (change(attempt=True), "its attempt is True"),
        (change(attempt=1.0), "its attempt is 1.0"),
        (change(repeat=2**70), "more than 64 bits"),
        (change(latency_ms="fast"), "its latency_ms is 'fast'"),
        (change(cost=math.inf), "Infinity is not JSON"),
        (change(content=5), "its content is 5"),
        (change(messages={}), "its messages is {}"),
        (change(status="done"), "status is 'done' and must be one of"),
        (change(cost_basis="guess"), "cost_basis is 'guess'"),
        (change(started_at="yesterday"), "yesterday"),
        (change(started_at="2026-01-02T00:00:00"), "has no time zone"),
        (change(usage={"input_tokens": -1}), "negative"),
        (change(usage={"input_tokens": 1.5}), "its usage.input_tokens is 1.5"),
        (change(usage={"tokens": 1}), "its usage has a field 'tokens'"),
        (change(usage={"input_tokens": 1, "cache_read_tokens": 2}), "More cached than input"),
        (change(call_id="a", request_hash="h2"), "the ledger holds attempt 1 of call 'a' with other values"),
        (lambda line: "\ud83d", "utf-8"),
    ],
)
def test_import_bad_line_is_named_and_nothing_imported(
    ledger: Ledger, exported: Path, spoil: Callable[[str], str], reason: str
) -> None:
    lines = exported.read_text(encoding="utf-8").split("\n")
    lines[1] = spoil(lines[1])
    exported.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    with pytest.raises(LedgerError) as raised:
        ledger.import_lines(exported)
    assert f"{exported}, line 2: " in str(raised.value)
    assert reason in str(raised.value)
    assert "nothing of the file was imported" in str(raised.value)
    assert list(ledger.calls()) == []


def test_import_that_contradicts_the_ledger_changes_nothing(
    ledger: Ledger, exported: Path, make_call: Callable[..., CallRecord]
) -> None:
    kept = make_call("c", content="what really came")
    asyncio.run(ledger.record(kept))
    with pytest.raises(LedgerError, match="line 3: the ledger holds attempt 1 of call 'c' with other values"):
        ledger.import_lines(exported)
    assert list(ledger.calls()) == [kept]


def test_import_of_thousands_of_lines_is_all_or_nothing(
    ledger: Ledger, tmp_path: Path, make_call: Callable[..., CallRecord]
) -> None:
    path = tmp_path / "many.jsonl"
    start = datetime(2026, 1, 2, tzinfo=UTC)
    lines = [line_of(make_call(f"c{i}", started_at=start + timedelta(seconds=i))) for i in range(2_500)]
    path.write_text("\n".join([*lines, "{"]), encoding="utf-8")
    with pytest.raises(LedgerError, match="line 2501"):
        ledger.import_lines(path)
    assert list(ledger.calls()) == []
    path.write_text("\n".join(lines), encoding="utf-8")
    assert ledger.import_lines(path) == 2_500


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_import_of_what_cannot_be_read(ledger: Ledger, tmp_path: Path, name: str) -> None:
    with pytest.raises(LedgerError, match=r"cannot be read .* nothing was imported"):
        ledger.import_lines(tmp_path / name)
