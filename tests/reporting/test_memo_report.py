"""result.json of the memo, and its tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench.reporting import memo_money, memo_tables
from llmbench.reporting.envelope import to_json
from llmbench.reporting.memo_report import envelope_fields
from llmbench.reporting.memo_study import MemoStudy
from llmbench.result_files import workload_digest
from tests.reporting.memos import ROOT, leave, memo, parameters


@pytest.fixture(scope="module")
def study() -> MemoStudy:
    return memo()


def test_data_has_the_keys_that_its_issue_fixes(study: MemoStudy) -> None:
    data = to_json(envelope_fields(study, parameters(), ROOT)["data"])
    assert data["phase"] == "mixtral"
    assert set(data["gates"][0]) >= {
        *("gate", "metric", "source", "threshold", "measured", "ci", "n", "state"),
    }
    assert {gate["state"] for gate in data["gates"]} <= {"pass", "fail", "insufficient"}
    assert set(data["budget"][3]) >= {"month", "before_usd", "after_usd", "p10", "p90"}
    assert [row["month"] for row in data["budget"]] == list(range(13))
    assert set(data["sources"][0]) >= {"report", "run_id", "sha256", "data_until"}
    assert len(data["stages"]) == 4
    assert data["asked"]["open_stage"] == "canary-25"
    assert data["money"]["payback"]["stated"] == 16
    json.dumps(data, allow_nan=False)


def test_data_of_nothing(tmp_path: Path) -> None:
    data = to_json(envelope_fields(memo(tmp_path), parameters(), ROOT)["data"])
    assert (data["budget"], data["money"], data["risk"], data["flip"]) == (None, None, None, None)
    assert {gate["state"] for gate in data["gates"]} == {"insufficient"}


def test_gates_in_their_units(study: MemoStudy) -> None:
    shown = memo_tables.gate_table(study).shown.set_index("gate")
    quality = shown.filter(like="quality", axis=0).iloc[0]
    assert (quality["asked"], quality["is"]) == ("≥ −3.0 points", "−0.5 (−1.5 to +0.5) points")
    worth = shown.filter(like="worth it", axis=0).iloc[0]
    assert (worth["asked"], worth["is"]) == ("≥ 80.0%", "56.4%")


def test_budget_adds_up(study: MemoStudy) -> None:
    table = memo_money.budget_table(study)
    assert table is not None
    shown = table.shown.set_index("month")
    assert list(shown.loc["12", ["before", "after", "saved"]]) == ["$325", "$42", "$283"]
    assert shown.loc["all", "of it once"] == "$4,000"
    assert "unused contracts" not in shown


def test_contracts_have_a_column_of_what_is_not_used() -> None:
    study = memo(commitments=[{"name": "=PTU", "usd_per_month": 400, "until": "2025-12-31"}])
    table = memo_money.budget_table(study)
    assert table is not None
    # 9 months of $400, and what is used of them falls from $325 to nothing.
    assert table.shown.set_index("month").loc["5", "unused contracts"] == "$400"
    contracts = memo_money.commitment_table(study)
    assert contracts is not None
    assert contracts.shown.iloc[0]["to end it"] == "cannot be ended"


def test_what_is_at_risk_is_a_chance_and_amounts(study: MemoStudy) -> None:
    table = memo_money.risk_table(study)
    assert table is not None
    assert (*table.shown.columns[1:],) == table.numbers == ("USD, or chance",)
    shown = table.shown["USD, or chance"]
    assert shown[0].endswith("%")
    assert all("$" in amount for amount in shown[1:])


def test_rollback_by_day(study: MemoStudy) -> None:
    table = memo_tables.rollback_table(study)
    assert table is not None
    assert len(table.frame) == 28
    assert list(table.shown["day of traffic"])[1:] == ["7", "14", "21", "28"]


def test_a_model_that_has_ended_is_not_one_that_ends() -> None:
    shown = memo_money.ending_table(memo(as_of="2026-11-28")).shown.set_index("model")
    row = shown.loc["mixtral-8x7b"]
    assert (row["in days"], row["within 90 days"], row["within 365 days"]) == ("has ended", "–", "–")


def test_sources_show_their_workload_and_why(tmp_path: Path) -> None:
    leave(tmp_path, model_matrix=lambda result: result.update(candidate="gpt-4"))
    shown = memo_tables.source_table(memo(tmp_path)).shown.set_index("report")
    assert shown.loc["model_matrix", ""] == "mismatched"
    assert "its candidate is gpt-4" in shown.loc["model_matrix", "why"]
    assert shown.loc["break_even", "workload"] == workload_digest("cold e-mails of the document")[:12]


def test_what_would_change_it_names_the_data(study: MemoStudy) -> None:
    table = memo_tables.change_table(study)
    assert table is not None
    assert "more leads" in table.shown.iloc[0]["what would change it"]
