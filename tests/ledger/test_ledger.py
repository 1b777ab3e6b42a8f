from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import llmbench.ledger
from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.types import CallRecord, Recorder, Usage


def test_ledger_is_a_recorder(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    recorder: Recorder = ledger
    asyncio.run(recorder.record(make_call("a")))
    assert ledger.spend().calls == 1


def test_ledger_public_names() -> None:
    assert set(llmbench.ledger.__all__) == {"Ledger", "SpendTotals", "Verification"}
    assert all(hasattr(llmbench.ledger, name) for name in llmbench.ledger.__all__)


def test_ledger_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='durability is \'disk\' and must be "process" or "power"'):
        Ledger(tmp_path / "ledger.db", durability="disk")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_ledger_shows_path_and_rows(tmp_path: Path, make_call: Callable[..., CallRecord]) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger(path)
    assert repr(ledger) == f"Ledger({str(path)!r}, 0 rows)"
    asyncio.run(ledger.record(make_call("a")))
    assert repr(ledger) == f"Ledger({str(path)!r}, 1 row)"
    ledger.close()
    assert repr(ledger) == f"Ledger({str(path)!r}, closed)"


def test_ledger_two_on_one_place_see_each_other(
    ledger: Ledger, ledger_url: str, make_call: Callable[..., CallRecord]
) -> None:
    with Ledger(ledger_url) as other:
        asyncio.run(other.record(make_call("a")))
        asyncio.run(ledger.record(make_call("b")))
        assert [call.call_id for call in other.calls()] == ["a", "b"]
    asyncio.run(ledger.record(make_call("c")))
    assert len(list(ledger.calls())) == 3


def test_ledger_opened_by_a_relative_path_outlives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_call: Callable[..., CallRecord]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger("ledger.db") as ledger:
        asyncio.run(ledger.record(make_call("a")))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        asyncio.run(ledger.record(make_call("b")))
        assert len(list(ledger.calls())) == 2
        assert repr(ledger) == "Ledger('ledger.db', 2 rows)"


def test_to_pandas_of_a_ledger(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    calls = [
        make_call("a", usage=Usage(10, 5, reasoning_tokens=2), cost=0.25, cost_basis="priced", run_id="r1"),
        make_call("b", status="error", content=None),
    ]
    for call in calls:
        asyncio.run(ledger.record(call))
    frame = ledger.to_pandas()
    assert list(frame["call_id"]) == ["a", "b"]
    assert frame["started_at"].tolist() == [call.started_at for call in calls]
    assert frame["cost"].isna().tolist() == [False, True]
    assert frame["input_tokens"].isna().tolist() == [False, True]
    assert frame.loc[0, ["input_tokens", "output_tokens", "reasoning_tokens"]].tolist() == [10, 5, 2]
    assert "messages" not in frame
    assert ledger.to_pandas("r1", messages=True)["messages"].tolist() == [calls[0].messages]
    assert len(ledger.to_pandas(status="error")) == 1


def test_to_pandas_empty_has_the_same_types(ledger: Ledger, make_call: Callable[..., CallRecord]) -> None:
    empty = ledger.to_pandas(messages=True)
    asyncio.run(ledger.record(make_call("a")))
    full = ledger.to_pandas(messages=True)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert str(full.dtypes["started_at"]) == "datetime64[us, UTC]"
    assert str(full.dtypes["output_tokens"]) == "Int64"
