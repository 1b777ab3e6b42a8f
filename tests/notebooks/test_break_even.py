"""The notebook `break_even` as a report: the document's own workload, and what a finance colleague
changes."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from openpyxl import load_workbook

from llmbench.reporting import ReportRun
from tests.notebooks.reports import report_of, result_of
from tests.reporting.spreadsheet import Spreadsheet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReportRun:
    begin = time.monotonic()
    found = report_of("break_even", tmp_path_factory.mktemp("reports"))
    assert time.monotonic() - begin < 60  # half of it on an idle machine
    return found


@pytest.fixture(scope="module")
def result(run: ReportRun) -> dict[str, Any]:
    return result_of(run)


def test_the_first_screen_says_it_in_words_a_table_and_two_figures(run: ReportRun) -> None:
    page = run.path.read_text(encoding="utf-8")
    first = page[: page.index("<h2")]
    assert first.count('class="verdict"') == 1
    assert first.count("<table") == 1
    assert first.count("<figure") == 2
    assert "NO-GO" in first
    assert "does not pay at 100,000 messages a month" in first
    assert "Where it would pay, messages a month: against gpt-4 from" in first
    assert re.search(r"gpt-4o from [\d,]+", first)
    assert "claims" in first
    assert page.index("Where it turns<") < page.index("Claim audit<") < page.index(">Appendix<")
    assert 'href="model.xlsx"' in page


def test_data_has_the_keys_that_others_read(result: dict[str, Any]) -> None:
    data = result["data"]
    assert result["verdict"]["decision"] == "NO_GO"
    assert result["spend"] == {"quoted_usd": 0.0, "actual_usd": 0.0}
    assert set(data) >= {"claims", "api", "options", "break_even", "monte_carlo", "validation"}
    wanted = {
        "claims": "id claim claimed derived verdict",
        "api": "model usd_per_month usd_per_message",
        "options": (
            "gpu n_gpu replicas model dtype fits output_tokens_per_s interval extrapolated usd_per_month "
            "usd_per_million_tokens utilisation"
        ),
        "break_even": "option against messages_per_month below_capacity",
        "monte_carlo": "against probability_cheaper p10 p50 p90",
    }
    for key, names in wanted.items():
        assert data[key], key
        for row in data[key]:
            assert set(row) >= set(names.split()), key
    assert set(data["validation"]) >= {"median_ape", "within_30pct", "coverage_80", "n"}
    claims = {row["id"]: row for row in data["claims"]}
    assert claims["savings-530"]["verdict"] == "impossible"
    assert claims["breakeven-20k"]["derived"] == pytest.approx(2_742_714, abs=1)
    assert {row["verdict"] for row in data["claims"]} == {"holds", "wrong", "impossible", "cannot be checked"}
    works = [row for row in data["options"] if row["output_tokens_per_s"]]
    for row in works:
        assert row["interval"][0] <= row["output_tokens_per_s"] <= row["interval"][1]
    assert all(row["extrapolated"] for row in works if row["gpu"] in {"T4", "A10G"})


def test_the_workbook_beside_it_has_the_same_base_case(run: ReportRun, result: dict[str, Any]) -> None:
    sheet = Spreadsheet(load_workbook(run.folder / "model.xlsx"))
    rows = {sheet["Result", f"A{row}"]: row for row in range(1, 40)}
    data = result["data"]
    best = next(row for row in data["options"] if row["option"] == result["candidate"])
    assert sheet["Result", f"B{rows['all of it']}"] == pytest.approx(best["usd_per_month"])
    for row in data["break_even"]:
        if row["option"] == result["candidate"]:
            found = sheet["Result", f"G{rows[row['against']]}"]
            assert found == pytest.approx(row["messages_per_month"])
    api = {row["model"]: row for row in data["api"]}
    assert sheet["Result", f"E{rows['gpt-4o']}"] == pytest.approx(api["gpt-4o"]["usd_per_month"])


def test_every_table_and_figure_is_beside_the_page(run: ReportRun) -> None:
    tables = {path.stem for path in (run.folder / "tables").iterdir()}
    figures = {path.stem for path in (run.folder / "figures").glob("*.svg")}
    assert tables >= {
        "decision",
        "break_even",
        "levers",
        "ways",
        "money",
        "machines",
        "claim_audit",
        "api",
        "gpu_prices",
    }
    assert figures >= {"cost", "claims", "probability", "tornado", "cash", "week", "operations"}
    assert {path.stem for path in (run.folder / "figures").glob("*.csv")} == figures
