"""The notebook `model_matrix` as a report: from the committed answers, and on the embedded model."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from llmbench.errors import ReportError
from llmbench.ledger import Ledger
from tests.notebooks.reports import report_of, result_of

REPLAY = Path(__file__).with_name("replay.jsonl")

pytestmark = [pytest.mark.model, pytest.mark.slow]


def test_committed_answers_make_the_whole_report_without_a_call(tmp_path: Path) -> None:
    with Ledger(os.environ["LLMBENCH_LEDGER"]) as ledger:
        ledger.import_lines(REPLAY)
    run = report_of("model_matrix", tmp_path)
    result = result_of(run)
    assert result["data"]["calls"] == {"made": 0, "replayed": 288, "failed": 0, "retried": 0}
    assert result["spend"] == {"quoted_usd": 0.0, "actual_usd": 0.0}
    assert [item["path"] for item in result["inputs"]] == [
        *("data/sales_tasks.jsonl", "data/prompts/zero_shot.txt", "data/prompts/few_shot.txt")
    ]
    assert {model["prompt"] for model in result["data"]["models"]} == {"zero_shot", "few_shot"}
    (comparison,) = result["data"]["comparisons"]
    assert comparison["n"] == 144
    assert comparison["ci"][0] <= comparison["difference"] <= comparison["ci"][1]
    page = run.path.read_text(encoding="utf-8")
    first_screen = page[: page.index("<h2")]
    assert first_screen.count('class="verdict"') == 1
    assert first_screen.count("<table") == 1
    assert first_screen.count("<figure") == 2
    assert page.index("By category") < page.index("Where they disagree") < page.index(">Appendix<")
    assert page.index(">Appendix<") < page.index("Parameters of this run")
    assert not re.search(r"matrix\.quote|import Report", page)
    names = {path.name for path in (run.folder / "tables").iterdir()}
    assert names == {
        f"{name}.csv"
        for name in (
            "quote",
            "ranking",
            "disagreements",
            "discordant",
            "categories",
            "category_differences",
            "calls",
            "prompts",
            "decomposition",
            "latency",
            "matrix_view",
            "power",
        )
    }


def test_the_embedded_model_is_asked_once(tmp_path: Path) -> None:
    first = result_of(report_of("model_matrix", tmp_path, limit=3, max_tokens=4))
    assert first["data"]["calls"] == {"made": 6, "replayed": 0, "failed": 0, "retried": 0}
    assert first["verdict"]["decision"] == "HOLD"  # three items cannot tell
    assert all(model["latency_ms"]["p50"] > 0 for model in first["data"]["models"])
    assert all(model["tokens"]["output"] > 0 for model in first["data"]["models"])
    second = result_of(report_of("model_matrix", tmp_path, limit=3, max_tokens=4))
    assert second["data"]["calls"] == {"made": 0, "replayed": 6, "failed": 0, "retried": 0}
    assert second["data"]["models"] == first["data"]["models"]
    assert len(list((tmp_path / "model_matrix" / "runs").iterdir())) == 2


def test_redacted_values_are_in_no_file_of_the_report(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"i{k}", "question": f"Write to Zebediah{k} Quux", "expected": "yes", "category": "x",
            "name": f"zebediah{k}  QUUX", "old": f"Dear Zebediah{k} Quux,\nyes", "new": "yes",
        }
        for k in range(120)
    ]  # fmt: skip
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    given = {
        "dataset": str(items), "models": [], "prompt_column": "question",
        "recorded_models": [{"name": n, "answer_column": n} for n in ("old", "new")],
    }  # fmt: skip
    shown = report_of("model_matrix", tmp_path / "a", **given)
    assert b"Zebediah7 Quux" in (shown.folder / "matrix_view.html").read_bytes()
    run = report_of("model_matrix", tmp_path / "b", **given, redact_columns=["name"])
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"matrix_view.html", "matrix_view.csv", "executed.ipynb"}
    for path in files:
        assert b"zebediah" not in path.read_bytes().lower(), path.name
    assert result_of(run)["workload_sha256"] == result_of(shown)["workload_sha256"]
    with pytest.raises(ReportError, match=r"redact_columns names 'nmae', which is no column"):
        report_of("model_matrix", tmp_path / "c", **given, redact_columns=["nmae"])
