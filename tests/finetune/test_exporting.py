from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from llmbench import FakeProvider, Ledger, ModelRouter, finetune
from llmbench.errors import DatasetError, UsageError
from llmbench.types import CallRecord

START = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def record(ledger: Ledger, call_id: str, **changes: Any) -> None:
    values: dict[str, Any] = {
        "call_id": call_id, "attempt": 1, "request_hash": f"hash of {call_id}", "endpoint": "fake",
        "provider": "fake", "backend": None, "model": "m", "params": {}, "repeat": 0, "latency_ms": 1.0,
        "wall_ms": 1.0, "status": "ok", "content": f"Answer {call_id}", "started_at": START,
        "unit_id": call_id,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"Ask {call_id}"},
        ],
    }  # fmt: skip
    asyncio.run(ledger.record(CallRecord(**{**values, **changes})))


def rows(found: finetune.Export) -> list[str]:
    lines = found.path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["messages"][-1]["content"] for line in lines]


def test_export_takes_what_was_replied_to(ledger: Ledger, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        record(ledger, name)
    ledger.record_outcome("a", at=START + timedelta(hours=1))
    ledger.record_outcome("b", replied=False, at=START + timedelta(hours=1))
    found = finetune.export(ledger, tmp_path / "train.jsonl")
    assert rows(found) == ["Answer a"]
    assert found.left_out == {"no_reply": 2}
    report = finetune.check(found.path, vendor="together")
    assert report.ok
    manifest = json.loads(found.manifest_path.read_text(encoding="utf-8"))
    assert manifest["sha256"] == found.sha256 == sha256(found.path.read_bytes()).hexdigest()
    assert manifest["calls"] == [{"line": 1, "call_id": "a", "request_hash": "hash of a"}]
    assert manifest["filters"]["replied"] is True
    assert manifest["models"] == {"fake/m": 1}
    assert str(tmp_path) not in found.manifest_path.read_text(encoding="utf-8")


def test_export_one_answer_a_unit_the_one_before_the_reply(ledger: Ledger, tmp_path: Path) -> None:
    for hour in range(4):
        record(ledger, f"c{hour}", unit_id="lead", started_at=START + timedelta(hours=hour))
    ledger.record_outcome("lead", at=START + timedelta(hours=2, minutes=30))
    found = finetune.export(ledger, tmp_path / "train.jsonl")
    assert rows(found) == ["Answer c2"]
    assert found.left_out == {"not_replied_to": 1, "same_unit": 2}


def test_export_the_answer_that_the_reply_names(ledger: Ledger, tmp_path: Path) -> None:
    for hour in range(3):
        record(ledger, f"c{hour}", unit_id="lead", started_at=START + timedelta(hours=hour))
    ledger.record_outcome(call_id="c0", at=START + timedelta(hours=9))
    assert rows(finetune.export(ledger, tmp_path / "train.jsonl")) == ["Answer c0"]


def test_export_a_reply_before_the_answer_is_none(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, "a")
    ledger.record_outcome("a", at=START - timedelta(hours=1))
    with pytest.raises(DatasetError, match="1: nobody replied to it"):
        finetune.export(ledger, tmp_path / "train.jsonl")
    assert not (tmp_path / "train.jsonl").exists()


def test_export_window(ledger: Ledger, tmp_path: Path) -> None:
    for name, days in (("a", 1), ("b", 30)):
        record(ledger, name)
        ledger.record_outcome(name, at=START + timedelta(days=days))
    assert rows(finetune.export(ledger, tmp_path / "t.jsonl", window_days=14)) == ["Answer a"]


@pytest.mark.parametrize(
    "accepted", [["a", "c"], {"a": True, "b": False, "c": True}, lambda call: call.call_id != "b"]
)
def test_export_accepted_answers(ledger: Ledger, tmp_path: Path, accepted: Any) -> None:
    for name in ("a", "b", "c"):
        record(ledger, name)
    found = finetune.export(ledger, tmp_path / "t.jsonl", accepted=accepted, replied=None)
    assert rows(found) == ["Answer a", "Answer c"]
    assert found.left_out == {"not_accepted": 1}


def test_export_one_answer_a_prompt_the_newest(ledger: Ledger, tmp_path: Path) -> None:
    for hour, text in enumerate(("Hello there", "hello, THERE!", "Other")):
        record(
            ledger,
            f"c{hour}",
            messages=[{"role": "user", "content": text}],
            started_at=START + timedelta(hours=hour),
        )
    found = finetune.export(ledger, tmp_path / "t.jsonl", accepted=lambda _: True, replied=None)
    assert rows(found) == ["Answer c1", "Answer c2"]
    assert found.left_out == {"same_prompt": 1}


def test_export_leaves_out_what_is_not_whole(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, "good")
    record(ledger, "cut", finish_reason="length")
    record(ledger, "filtered", finish_reason="content_filter")
    record(ledger, "silent", content=None, messages=[])
    record(ledger, "black", request_hash="redacted:abc", content="Dear [email]")
    record(ledger, "other", model="other")
    record(ledger, "failed", status="error", content=None)
    found = finetune.export(
        ledger, tmp_path / "t.jsonl", accepted=lambda _: True, replied=None, models=["fake/m"]
    )
    assert rows(found) == ["Answer good"]
    assert found.left_out == {"no_text": 1, "redacted": 1, "cut_off": 2, "other_model": 1}
    assert found.considered == 6
    kept = finetune.export(ledger, tmp_path / "t.jsonl", accepted=["black"], replied=None, keep_redacted=True)
    assert rows(kept) == ["Dear [email]"]


def test_export_flags_and_blackens_personal_data(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, "a", content="Write to jane@example.org.")
    record(ledger, "b")
    found = finetune.export(ledger, tmp_path / "t.jsonl", accepted=lambda _: True, replied=None)
    assert (found.personal, found.personal_lines) == ({"email": 1}, (1,))
    assert "email in 1 rows" in str(found)
    assert "<table>" in found._repr_html_()
    clean = finetune.export(
        ledger, tmp_path / "t.jsonl", accepted=lambda _: True, replied=None, redact=["email"]
    )
    assert rows(clean)[0] == "Write to [email]."
    assert clean.personal == {}


def test_export_with_a_shorter_system_message(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, "a")
    for system, roles in (("Hi.", ["system", "user", "assistant"]), ("", ["user", "assistant"])):
        found = finetune.export(ledger, tmp_path / "t.jsonl", accepted=["a"], replied=None, system=system)
        messages = json.loads(found.path.read_text(encoding="utf-8"))["messages"]
        assert [message["role"] for message in messages] == roles
        assert messages[0]["content"] in {"Hi.", "Ask a"}


def test_export_of_a_conversation_learns_its_last_answer_only(ledger: Ledger, tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2"},
    ]
    record(ledger, "a", messages=turns)
    found = finetune.export(ledger, tmp_path / "t.jsonl", accepted=["a"], replied=None)
    messages = json.loads(found.path.read_text(encoding="utf-8"))["messages"]
    assert [message.get("weight") for message in messages] == [None, 0, None, None]
    finetune.convert(found.path, tmp_path / "together.jsonl", "together")
    assert finetune.check(tmp_path / "together.jsonl", vendor="together").findings == ()


def test_export_refuses_to_guess(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Nothing says which answers are good"):
        finetune.export(ledger, tmp_path / "t.jsonl", replied=None)
    with pytest.raises(UsageError, match="replied=False"):
        finetune.export(ledger, tmp_path / "t.jsonl", replied=False)
    with pytest.raises(UsageError, match="lists, not one text"):
        finetune.export(ledger, tmp_path / "t.jsonl", accepted="a", replied=None)
    with pytest.raises(DatasetError, match="it has none"):
        finetune.export(ledger, tmp_path / "t.jsonl")


def test_export_says_what_to_do(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ledger is a Ledger, such as"):
        finetune.export(tmp_path / "calls.db", tmp_path / "out.jsonl")  # type: ignore[arg-type]
    router = ModelRouter({"fake": FakeProvider(["x"], model="m")}, ledger=ledger)
    asyncio.run(router.route([{"role": "user", "content": "a"}], provider="fake", model="m", unit_id="u"))
    ledger.record_outcome("u", replied=True)
    with pytest.raises(DatasetError, match="keeps texts with store_texts=True"):
        finetune.export(ledger, tmp_path / "out.jsonl")
