from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from llmbench.cli import cli
from llmbench.errors import LLMBenchError
from llmbench.ledger import Ledger
from llmbench.ledger.tuning import TuningRow
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


def test_spend_tells_the_training_on_a_line_of_its_own(filled: Path) -> None:
    assert "Training" not in run("spend").output
    row = TuningRow(
        "tag", "order", 1, "together", "together", "llama-3.1-8b", {}, {"usd": 4.0}, START, asked_at=START,
        estimated_usd=4.5, job_id="ft-1", state="succeeded", status={"job_id": "ft-1", "state": "succeeded"},
    )  # fmt: skip
    with Ledger(filled) as ledger:
        ledger.prepare_tuning(row)
    shown = run("spend").output
    assert "$1.75, 3 of 4" in shown  # the calls as before
    assert "Training on top: 1 fine-tuning job, 1 succeeded; $4.50, the cost of 1 is known" in shown
    data = json.loads(run("spend", "--json").output)
    assert data["training"] == {"jobs": 1, "succeeded": 1, "priced": 1, "usd": 4.5}
    assert data["total"]["usd"] == 1.75
    assert "Training" not in run("spend", "--since", "2026-11-02").output
    assert "training" not in json.loads(run("spend", "--run", "r1", "--json").output)


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
    assert refused.output.endswith("Nothing was changed.\n")
    assert "4 attempts" in run("spend").output
    assert "Done: 3 attempts" in run("prune", "--before", "2026-11-02", text="y\n").output
    assert "1 attempts" in run("spend").output
    assert "Nothing in the ledger" in run("prune", "--older-than", "90d", "--yes").output


def test_prune_a_unit(filled: Path) -> None:
    asked = CliRunner().invoke(cli, ["ledger", "prune", "--unit", "lead 7"], input="n\n")
    assert "This will forget lead 7 in 1 attempts" in asked.output
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
    assert "4 attempts can be read (schema version 8): sound" in run("verify").output


def test_spend_until_a_day(filled: Path) -> None:
    assert "3 attempts" in run("spend", "--until", "2026-11-02").output
    assert "1 attempts" in run("spend", "--since", "2026-11-02", "--until", "2026-11-03").output
    data = json.loads(run("spend", "--by", "model", "--until", "2026-11-01", "--json").output)
    assert (data["model"], data["total"]["calls"], data["total"]["usd"]) == ({}, 0, None)


def add(path: Path, **changes: Any) -> None:
    """One more call, made of the last one."""
    with Ledger(path) as ledger:
        last = list(ledger.calls())[-1]
        later = last.started_at + timedelta(hours=1)
        asyncio.run(ledger.record(replace(last, started_at=later, **changes)))


def test_show_of_one_call_tells_assignment_costs_and_errors(filled: Path) -> None:
    route = {
        "chosen": "a/m", "rule": "x", "reason": "arm", "candidates": ["a/m", "b/m"], "epoch": 2,
        "probability": 0.9,
    }  # fmt: skip
    add(filled, call_id="d", unit_id="u", experiment_id="x", arm="a/m", route=route, error_message="slow")
    output = run("show", "d").output
    assert "Experiment x: unit u in arm a/m (epoch 2, probability 0.9)" in output
    assert "Candidates: a/m, b/m" in output
    assert "Error of attempt 1: slow" in output
    assert "Cost of all attempts: unknown, 1 of them without a price" in output
    assert "Cost of all attempts: $1.50, 0 of them without a price" in run("show", "a").output


def test_an_answer_does_not_steer_the_terminal(filled: Path) -> None:
    add(filled, call_id="d", content="red \x1b[31m bell \x07 half \ud83d né\nnext")
    output = run("show", "d", "--texts").output
    assert "answer: red \\x1b[31m bell \\x07 half \\ud83d né\nnext" in output


def test_export_carries_what_the_form_can(filled: Path) -> None:
    add(filled, call_id="d", content="half \ud83d né", latency_ms=float("nan"), metadata={"n": ["é"]})
    run("export", "calls.csv")
    run("export", "calls.PARQUET")
    sheet, table = pd.read_csv("calls.csv"), pd.read_parquet("calls.PARQUET")
    assert list(sheet.columns) == list(table.columns)
    for frame in (sheet, table):
        last = frame.iloc[-1]
        assert (last["content"], json.loads(last["metadata"])) == ("half ? né", {"n": ["é"]})
        assert math.isnan(last["latency_ms"])
        assert "messages" not in frame
    assert sheet["started_at"].iloc[0] == "2026-11-01T12:00:00.000000Z"
    assert table["started_at"].iloc[0] == START
    kinds = {field.name: str(field.type) for field in pyarrow.parquet.read_schema("calls.PARQUET")}
    assert kinds["input_tokens"] == "int64"
    assert kinds["started_at"] == "timestamp[us, tz=UTC]"
    assert kinds["run_id"] == kinds["route"] == "string"


@pytest.mark.parametrize("name", ["calls.csv", "calls.parquet", "calls.jsonl"])
def test_export_of_an_empty_ledger_and_of_one_that_is_not_there(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", "ledger.db")
    with pytest.raises(LLMBenchError, match="no ledger"):
        run("export", name)
    assert not list(project.glob("*.db")) + list(project.glob("calls*"))
    Ledger("ledger.db").close()
    assert "0 attempts" in run("export", name).output
    if name != "calls.jsonl":
        frame = pd.read_csv(name) if name.endswith("csv") else pd.read_parquet(name)
        assert len(frame) == 0
        assert "cost" in frame


def test_an_export_that_fails_leaves_the_old_file(filled: Path) -> None:
    run("export", "calls.csv")
    before = Path("calls.csv").read_bytes()
    with closing(sqlite3.connect(filled)) as connection, connection:
        connection.execute("UPDATE calls SET metadata = '{'")
    with pytest.raises(LLMBenchError, match="damaged"):
        run("export", "calls.csv")
    assert Path("calls.csv").read_bytes() == before
    assert [each.name for each in Path().glob("*calls*")] == ["calls.csv"]


def test_no_table_runs_in_a_spreadsheet(filled: Path) -> None:
    add(filled, call_id="d", unit_id="=1+1")
    run("spend", "--by", "unit", "--csv", "spend.csv")
    assert "'=1+1" in Path("spend.csv").read_text(encoding="utf-8")
