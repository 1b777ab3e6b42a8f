"""The notebook `fine_tune` as a report: a real fine-tune of the embedded model, from its stored answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ReportError
from llmbench.reporting import ReportRun
from tests.notebooks.reports import report_of, result_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReportRun:
    return report_of("fine_tune", tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def result(run: ReportRun) -> dict[str, Any]:
    return result_of(run)


def test_the_first_screen_has_the_verdict_one_table_and_two_figures(run: ReportRun) -> None:
    page = run.path.read_text(encoding="utf-8")
    first = page[: page.index("<h2")]
    assert first.count('class="verdict"') == 1
    assert first.count("<table") == 1
    assert first.count("<figure") == 2
    assert "is better than local/smollm2-135m[few_shot]" in first
    assert "it has lost what it could do otherwise" in first
    assert "up to 3 seeds" in first
    # Better or not than the stronger model, it stands there with its interval.
    assert "Beside the stronger gemma/gemma-3-270m[few_shot] it is better: +34.0 (+24.4 to +43.6)" in first
    assert (
        "That gemma/gemma-3-270m[few_shot] is stronger on this task is not shown: +8.3 (−0.7 to +17.4)"
        in first
    )


def test_the_stronger_model_has_a_section_of_its_own(run: ReportRun, result: dict[str, Any]) -> None:
    page = run.path.read_text(encoding="utf-8")
    _, _, section = page.partition("Beside a stronger model")
    assert "at the tuned model" in section.partition("<h2")[0]
    assert (run.folder / "tables" / "stronger.csv").is_file()
    (beside,) = result["data"]["beside_stronger"]
    assert (beside["baseline"], beside["verdict"]) == ("gemma/gemma-3-270m[few_shot]", "better")


def test_results_without_a_stronger_model_are_a_report_too(tmp_path: Path) -> None:
    run = report_of("fine_tune", tmp_path, stronger="")
    assert "No stronger model was asked" in run.path.read_text(encoding="utf-8")


def test_data_has_the_keys_that_others_read(result: dict[str, Any]) -> None:
    data = result["data"]
    wanted = {"dataset", "models", "comparisons", "learning_curve", "costs", "regressions"}
    assert set(data) >= wanted
    assert {(point["n_train"], point["seed"]) for point in data["learning_curve"]} == {
        (0, 0), *((size, seed) for size in (40, 120, 360) for seed in (1, 2, 3)),
    }  # fmt: skip
    assert set(data["costs"]) >= {"training_usd", "per_1k_requests", "break_even_requests"}
    assert data["dataset"]["seen"] == 0
    assert result["verdict"]["decision"] == "GO_WITH_CONDITIONS"
    assert (result["baseline"], result["candidate"]) == (
        "local/smollm2-135m[few_shot]", "local/smollm2-135m-tuned-360-1[short]",
    )  # fmt: skip


def test_a_smaller_training_set_is_not_called_better_than_it_is(tmp_path: Path) -> None:
    candidate = "local/smollm2-135m-tuned-40-1[short]"
    run = report_of("fine_tune", tmp_path, candidate=candidate, least_gain=0.3)
    assert run.decision == "NO_GO"


def test_retraining_does_not_write_over_what_came_with_the_project(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="name another one"):
        report_of("fine_tune", tmp_path, retrain=True)
