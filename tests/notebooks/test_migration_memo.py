"""The notebook `migration_memo` as a report: the example, own results, and those that do not count."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmbench.reporting import ReportRun
from llmbench.reporting.folder import write_manifest
from tests.notebooks.reports import ROOT, report_of, result_of

EXAMPLE = ROOT / "data" / "migration"

pytestmark = pytest.mark.slow


def memo(out: Path, **parameters: Any) -> tuple[ReportRun, dict[str, Any]]:
    run = report_of("migration_memo", out, **parameters)
    return run, result_of(run)


def own_results(out: Path, **changed: dict[str, Any]) -> None:
    """Reports of one's own in `out`: the example's, as if they had been measured, with other fields."""
    for report in ("model_matrix", "ab_test", "break_even"):
        shutil.copytree(EXAMPLE / report, out / report)
        path = out / report / "result.json"
        result = json.loads(path.read_text(encoding="utf-8"))
        result["data"].pop("simulated", None)
        result.update(changed.get(report, {}))
        path.write_text(json.dumps(result), encoding="utf-8")
        write_manifest(path.parent)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportRun, dict[str, Any]]:
    return memo(tmp_path_factory.mktemp("reports"))


def test_the_first_screen_has_the_verdict_one_table_and_two_figures(
    example: tuple[ReportRun, dict[str, Any]],
) -> None:
    page = example[0].path.read_text(encoding="utf-8")
    first = page[: page.index("<h2")]
    assert first.count('class="verdict"') == 1
    assert first.count("<table") == 1
    assert first.count("<figure") == 2
    assert "Simulated data" in first
    assert "Quality: the score is 0.5 points lower (−1.5 to +0.5) on the same 1,198 items" in first
    assert "Main risk" in first
    assert page.count("<figure") <= 4


def test_data_has_the_keys_that_others_read(example: tuple[ReportRun, dict[str, Any]]) -> None:
    result = example[1]
    data = result["data"]
    assert result["verdict"]["decision"] == "HOLD"
    assert (result["baseline"], result["candidate"]) == ("gpt-4o", "mixtral-8x7b")
    assert set(data) >= {"phase", "gates", "budget", "ending_models", "sources", "stages"}
    assert data["phase"] == "mixtral"
    states = {gate["gate"]: gate["state"] for gate in data["gates"]}
    assert data["asked"]["open_stage"] == "canary-25", (
        f"a gate of data/migration/gates.toml stops the example elsewhere; they are {states}. What the "
        "example cannot show is `required = false`, or this test says where the example now ends"
    )
    assert states["quality"] == "pass"
    assert states["replies"] == "insufficient"
    used = {source["report"] for source in data["sources"] if source["state"] == "used"}
    assert used == {"model_matrix", "ab_test", "break_even"}
    assert data["money"]["full_saving_per_month"]["p10"] > 0
    assert len(data["budget"]) == 13
    assert {row["model"] for row in data["ending_models"]} == {"gpt-4o", "mixtral-8x7b"}
    assert len(data["stages"]) == 4


def test_results_of_ones_own_that_do_not_count_are_named(tmp_path: Path) -> None:
    out = tmp_path / "reports"
    own_results(out, model_matrix={"candidate": "llama-3.1-70b"})
    path = out / "ab_test" / "result.json"
    path.write_text(path.read_text(encoding="utf-8").replace("1.00343", "1.40343"), encoding="utf-8")
    run, result = memo(out, as_of="2025-05-20", accept_stale="the vendor sells no more tests")
    sources = {source["report"]: source for source in result["data"]["sources"]}
    assert sources["ab_test"]["state"] == "changed"
    assert "result.json is not as manifest.json has it" in sources["ab_test"]["reason"]
    assert sources["model_matrix"]["state"] == "mismatched"
    assert "its candidate is llama-3.1-70b" in sources["model_matrix"]["reason"]
    assert sources["break_even"]["state"] == "used"
    assert not result["title"].startswith("Simulated")
    assert result["verdict"]["decision"] == "HOLD"
    assert {gate["state"] for gate in result["data"]["gates"]} == {"insufficient"}
    page = run.path.read_text(encoding="utf-8")
    assert "not as manifest.json has it" in page
    assert "the vendor sells no more tests" in page
    assert "result.json" in page


def test_without_any_result_the_memo_still_renders(tmp_path: Path) -> None:
    _, result = memo(tmp_path / "reports", phase="vllm")
    assert result["verdict"]["decision"] == "HOLD"
    assert all(source["state"] == "missing" for source in result["data"]["sources"])
    assert result["data"]["budget"] is None
