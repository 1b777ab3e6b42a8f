"""The notebook `routing` as a report: real answers of two routes of the embedded model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmbench import FakeProvider, ModelRouter
from llmbench.reporting import ReportRun
from tests.notebooks.reports import report_of, result_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReportRun:
    pytest.importorskip("sklearn", reason="the extra `routing` is not installed")
    out = tmp_path_factory.mktemp("reports")
    return report_of("routing", out, curve_sizes=[200, 400], penalty=1.0)


@pytest.fixture(scope="module")
def result(run: ReportRun) -> dict[str, Any]:
    return result_of(run)


def test_the_first_screen_has_the_verdict_one_table_and_two_figures(run: ReportRun) -> None:
    page = run.path.read_text(encoding="utf-8")
    first = page[: page.index("<h2")]
    assert first.count('class="verdict"') == 1
    assert first.count("<table") == 1
    assert first.count("<figure") == 2
    assert "with 95% confidence at most 5% of the quality" in first
    assert "beats routing by prompt length" in first
    assert 'href="routes.json"' in page


def test_data_has_the_keys_that_others_read(result: dict[str, Any]) -> None:
    data = result["data"]
    assert result["verdict"]["decision"] == "GO"
    assert set(data) >= {"policies", "recommended", "categories", "learning_curve"}
    names = {policy["name"] for policy in data["policies"]}
    assert names >= {"learned", "random", "oracle", "prompt length", "category", "SMART rules (document)"}
    low, high = data["recommended"]["saving_ci"]
    assert 0 < low < data["recommended"]["expected_saving_usd"] < high
    assert [point["labels"] for point in data["learning_curve"]] == [200, 400]


def test_the_file_beside_the_report_routes(run: ReportRun) -> None:
    endpoints = {
        "smollm": FakeProvider(lambda messages, params: "small", model="smollm2-135m"),
        "smollm_plain": FakeProvider(lambda messages, params: "large", model="smollm2-135m-plain"),
    }
    router = ModelRouter(endpoints, routes=run.folder / "routes.json")
    message = {"role": "user", "content": "What is the writer's attitude? Answer with one word: positive."}
    answer = asyncio.run(router.route([message]))
    assert answer.content in {"small", "large"}
    assert "chance" in answer.metadata["route"]["reason"]
