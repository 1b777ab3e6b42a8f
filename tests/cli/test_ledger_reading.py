from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from llmbench.cli import cli
from llmbench.errors import LLMBenchError
from llmbench.ledger import Ledger
from llmbench.types import CallRecord, Message, Usage

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.db"
    monkeypatch.setenv("LLMBENCH_LEDGER", str(path))
    monkeypatch.chdir(tmp_path)

    def make(call_id: str, **changes: object) -> CallRecord:
        values = {
            "attempt": 1, "request_hash": call_id, "endpoint": "mixtral", "provider": "mixtral",
            "backend": "together", "model": "mixtral-8x7b",
            "messages": [Message(role="user", content=f"question {call_id}")], "params": {}, "repeat": 0,
            "started_at": START, "latency_ms": 650.0, "wall_ms": 650.0, "status": "ok",
            "content": f"answer {call_id}", "usage": Usage(500, 200), "cost": 0.25, "cost_basis": "priced",
        } | changes  # fmt: skip
        return CallRecord(call_id=call_id, **values)  # type: ignore[arg-type]

    async def fill(ledger: Ledger) -> None:
        route = {
            "chosen": "mixtral/mixtral-8x7b",
            "rule": "short",
            "reason": "2 characters",
            "candidates": [],
        }
        failed = {
            "status": "error",
            "error_type": "RateLimitError",
            "error_message": "slow down",
            "cost": 0.0,
        }
        await ledger.record(make("a", route=route, usage=None, content=None, **failed))
        await ledger.record(make("a", attempt=2, endpoint="openai", model="gpt-4o", cost=1.5, route=route))
        await ledger.record(make("b", unit_id="lead 7", content="=HYPERLINK(1)", served_model="@x"))
        later = START + timedelta(days=1)
        await ledger.record(make("c", cost=None, cost_basis="unknown", started_at=later, run_id="r1"))

    with Ledger(path) as ledger:
        asyncio.run(fill(ledger))
    return path


def run(*words: str, text: str | None = None) -> Result:
    done = CliRunner().invoke(cli, ["ledger", *words], input=text)
    if isinstance(done.exception, LLMBenchError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def test_show_lists_the_newest_first(filled: Path) -> None:
    lines = run("show").output.splitlines()
    assert [line.split()[0] for line in lines if line[:2] in {"a ", "b ", "c "}] == ["c", "b", "a", "a"]
    assert "question" not in "".join(lines)


def test_show_of_one_call_says_why(filled: Path) -> None:
    output = run("show", "a").output
    assert "Route: mixtral/mixtral-8x7b by short: 2 characters" in output
    assert "RateLimitError" in output
    assert "$1.50" in output


def test_show_selects(filled: Path) -> None:
    assert "openai/gpt-4o" in run("show", "--model", "gpt-4o").output
    assert "openai/gpt-4o" in run("show", "--model", "openai/gpt-4o").output
    only = run("show", "--unit", "lead 7", "--texts").output
    assert "question b" in only
    assert "question c" not in only
    with pytest.raises(LLMBenchError, match="no such calls"):
        run("show", "--run", "nothing")


def test_spend_counts_the_unpriced_apart(filled: Path) -> None:
    assert "4 attempts: 3 answered, 1 failed, 0 cancelled; $1.75, 3 of 4" in run("spend").output
    data = json.loads(run("spend", "--by", "day", "--json").output)
    assert data["day"]["2026-11-01"]["usd"] == 1.75
    assert data["day"]["2026-11-02"] == {
        "calls": 1, "ok": 1, "failed": 0, "cancelled": 0, "priced": 0, "unpriced": 1, "usd": None,
    }  # fmt: skip


@pytest.mark.parametrize("by", ["day", "model", "endpoint", "run", "experiment", "unit"])
def test_spend_by_adds_up(filled: Path, by: str) -> None:
    data = json.loads(run("spend", "--by", by, "--json").output)
    assert sum(part["calls"] for part in data[by].values()) == data["total"]["calls"] == 4
    assert by in run("spend", "--by", by).output


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_export_by_suffix(filled: Path, suffix: str) -> None:
    assert "4 attempts" in run("export", f"out/calls.{suffix}", "--messages").output
    path = Path("out") / f"calls.{suffix}"
    if suffix == "jsonl":
        assert len(path.read_text().splitlines()) == 4
        return
    frame = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert list(frame["call_id"]) == ["a", "a", "b", "c"]
    assert json.loads(frame["messages"][0])[0]["content"] == "question a"
    assert frame["content"][2] == ("'=HYPERLINK(1)" if suffix == "csv" else "=HYPERLINK(1)")
    assert frame["served_model"][2] == ("'@x" if suffix == "csv" else "@x")


def test_export_of_an_unknown_form(filled: Path) -> None:
    with pytest.raises(LLMBenchError, match=r"one of \.jsonl, \.csv, \.parquet"):
        run("export", "calls.xlsx")


def test_prune_asks_first(filled: Path) -> None:
    refused = CliRunner().invoke(cli, ["ledger", "prune", "--before", "2026-11-02"], input="n\n")
    assert "This will remove 3 attempts" in refused.output
    assert refused.exit_code == 1
    assert "4 attempts" in run("spend").output
    assert "Done: 3 attempts" in run("prune", "--before", "2026-11-02", text="y\n").output
    assert "1 attempts" in run("spend").output
    assert "Nothing in the ledger" in run("prune", "--older-than", "90d", "--yes").output


def test_prune_a_unit(filled: Path) -> None:
    assert "Done: 1 attempts" in run("prune", "--unit", "lead 7", "--yes").output
    with pytest.raises(LLMBenchError, match="no such calls"):
        run("show", "--unit", "lead 7")


@pytest.mark.parametrize("words", [[], ["--before", "2026-01-01", "--unit", "u"]])
def test_prune_of_nothing_in_particular(filled: Path, words: list[str]) -> None:
    with pytest.raises(LLMBenchError, match="Say what is to go"):
        run("prune", *words)


@pytest.mark.parametrize("age", ["x", "0d", "-3d", "3w"])
def test_prune_of_no_age(filled: Path, age: str) -> None:
    assert CliRunner().invoke(cli, ["ledger", "prune", f"--older-than={age}"]).exit_code == 2


def test_verify(filled: Path) -> None:
    assert "4 attempts can be read (schema version 2): sound" in run("verify").output
