from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.reporting.break_even_loadtest import (
    loadtest_sentence,
    loadtest_table,
    machine_of,
    machine_sentence,
    read_loadtest,
)

ROOT = Path(__file__).resolve().parents[2]
STORED = "data/loadtest/smollm2-135m.json"


@pytest.fixture
def found() -> Any:
    return json.loads((ROOT / STORED).read_text(encoding="utf-8"))


def test_the_price_of_a_million_tokens_is_of_the_highest_rate_kept(found: Any) -> None:
    assert read_loadtest(STORED, ROOT) == found
    run = found["runs"][-1]
    assert run["request_rate"] == found["knee"]["kept"] == 0.8
    usd = 0.10 / (3600 * run["output_throughput"]) * 1e6
    assert found["usd_per_million_output"] == pytest.approx(usd)
    sentence = loadtest_sentence(found)
    assert "0.8 requests a second were carried within the objective, 14.3 output tokens a second" in sentence
    assert "a million output tokens cost $1.94" in sentence
    assert "higher rates were not tried" in sentence


def test_a_row_a_rate(found: Any) -> None:
    table = loadtest_table(found)
    assert table.frame["rate"].tolist() == [0.2, 0.4, 0.8]
    assert table.frame["sent"].tolist() == [11, 19, 44]
    assert table.shown["first token, median ms"].tolist() == ["374", "381", "384"]


def test_what_is_not_known_is_said(found: Any) -> None:
    assert "No measurement" in loadtest_sentence(None)
    assert "no rate that was tried kept" in loadtest_sentence({**found, "knee": {"kept": None}})
    unpriced = loadtest_sentence({**found, "usd_per_million_output": None})
    assert "is not known" in unpriced
    assert "$" not in unpriced


def test_another_file_is_refused(tmp_path: Path) -> None:
    assert read_loadtest("", tmp_path) is None
    (tmp_path / "other.json").write_text("[]")
    (tmp_path / "text.json").write_text("{")
    for name, message in (
        ("none.json", "cannot be read"),
        ("text.json", "no JSON"),
        ("other.json", "not what"),
    ):
        with pytest.raises(UsageError, match=message):
            read_loadtest(name, tmp_path)


def test_an_endpoint_that_told_no_tokens(found: Any, tmp_path: Path) -> None:
    unknown = {"total_input_tokens": None, "total_output_tokens": None, "output_throughput": None}
    told = {**found, "usd_per_million_output": None, "runs": [{**run, **unknown} for run in found["runs"]]}
    (tmp_path / "load.json").write_text(json.dumps(told))
    read = read_loadtest("load.json", tmp_path)
    assert read is not None
    assert "unknown output tokens a second" in loadtest_sentence(read)
    assert set(loadtest_table(read).shown["output tokens/s"]) == {"unknown"}
    assert machine_of(read) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runs": None}, "no list of runs"),
        ({"model": 3}, "model cannot be read"),
        ({"usd_per_hour": "cheap"}, "usd_per_hour cannot be read"),
        ({"knee": {"kept": 99.0, "missed": None}}, "the rate that was kept cannot be read"),
        ({"runs": [{"request_rate": -1}]}, "request_rate of run 1 cannot be read"),
    ],
)
def test_a_result_with_another_value_is_refused(
    found: Any, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "load.json").write_text(json.dumps({**found, **change}))
    with pytest.raises(UsageError, match=message):
        read_loadtest("load.json", tmp_path)


def test_the_machines_own_efficiencies_come_from_the_rates_carried(found: Any) -> None:
    machine = machine_of(found)
    assert machine is not None
    assert machine.runs == 3
    sentence = machine_sentence(machine)
    assert "GB read a second" in sentence
    assert "TFLOPS for prompts" in sentence
    assert "A rate left out is predicted within" in sentence
    lost = {**found, "runs": [{**run, "llmbench": {"kept": False}} for run in found["runs"]]}
    assert machine_of(lost) is None
    assert machine_of({**found, "model": "nobody-knows-it"}) is None
    assert machine_sentence(None) == ""
    one = machine_of({**found, "runs": found["runs"][:1]})
    assert "none can be left out" in machine_sentence(one)
