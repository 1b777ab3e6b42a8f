"""What the notebook `routing` says of results."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="the extra `routing` is not installed")

from llmbench.errors import DatasetError, UsageError
from llmbench.reporting import routing_charts as charts
from llmbench.reporting import routing_report as report
from llmbench.results import Decision
from llmbench.routing import CalibratedRouting

PARAMETERS: dict[str, Any] = {
    "results_path": "results.csv", "results_options": {}, "models": [], "strong": "", "names": {},
    "tolerance": 0.05, "level": 0.05, "requests_per_month": 10_000.0, "curve_sizes": [100, 200],
    "curve_repeats": 1, "bootstraps": 100, "penalty": 1.0, "confidence": 0.95, "seed": 1,
}  # fmt: skip


def _write(
    folder: Path,
    n: int,
    *,
    small_on_hard: float = 0.2,
    cost: bool = True,
    shuffled: bool = False,
    strong: float = 0.95,
) -> Path:
    draw = random.Random(7)
    rows = []
    for i in range(n):
        hard = draw.random() < 0.4
        told = draw.random() < 0.4 if shuffled else hard
        words = " ".join(draw.choice(["river", "copper", "lantern", "gentle", "window"]) for _ in range(6))
        prompt = f"{'Prove that' if told else 'Thank them for'} {words}, case {i}"
        for model, share, usd in (
            ("small", small_on_hard if hard else 0.95, 0.0002),
            ("large", strong, 0.006),
        ):
            right = int(draw.random() < share)
            money = f"{usd}" if cost else ""
            rows.append(f'i{i},{model},{right},"{prompt}",{"proof" if hard else "thanks"},{money}')
    path = folder / "results.csv"
    path.write_text("item,model,score,question,category,cost_usd\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> report.RoutingStudy:
    folder = tmp_path_factory.mktemp("routing")
    _write(folder, 1000)
    return report.read_study(PARAMETERS, folder)


def test_data_that_can_be_routed_is_go(study: report.RoutingStudy) -> None:
    verdict = report.verdict(study)
    assert verdict.decision is Decision.GO
    assert verdict.summary.startswith("Route ")
    assert any("beats routing by prompt length" in reason for reason in verdict.reasons)
    saving = report.monthly_saving(study)
    assert saving is not None
    expected = study.routing.expected
    assert expected is not None
    assert saving[0] == pytest.approx(10_000 * 0.0058 * expected.shares["small"])


def test_the_file_does_what_the_report_says(study: report.RoutingStudy, tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    path.write_bytes(report.routes_file(study))
    routing = CalibratedRouting.load(path)
    for i in study.routing.certified_on[:50]:
        prompt = study.known.prompts[i]
        assert routing.choose(prompt).models == study.routing.choose(prompt).models


def test_losses_by_category_are_on_prompts_that_trained_nothing(study: report.RoutingStudy) -> None:
    found = {each.category: each for each in report.category_losses(study)}
    assert sum(each.n for each in found.values()) == study.routing.certificate.n
    assert found["thanks"].cheap_share > 0.7 > 0.2 > found["proof"].cheap_share


def test_result_json_has_the_keys_that_others_read(study: report.RoutingStudy, tmp_path: Path) -> None:
    fields = report.envelope_fields(study, PARAMETERS, study.results.sources[0].parent)
    data = fields["data"]
    assert set(data) >= {"policies", "recommended", "categories", "learning_curve"}
    assert set(data["policies"][0]) >= {"name", "apgr", "apgr_ci", "cpt50", "quality", "cost_usd"}
    wanted = {"threshold", "expected_quality", "quality_ci", "expected_saving_usd", "saving_ci"}
    assert set(data["recommended"]) >= wanted
    assert (fields["baseline"], fields["candidate"]) == ("large", "small")
    json.dumps(data, allow_nan=False, default=str)


def test_tables_and_figures(study: report.RoutingStudy) -> None:
    policies, recommended = charts.policy_table(study), charts.recommended_table(study)
    curve, labels, categories = (
        charts.curve_figure(study),
        charts.budget_figure(study),
        charts.category_table(study),
    )
    assert policies is not None
    assert recommended is not None
    assert curve is not None
    assert labels is not None
    assert categories is not None
    assert "always large" in set(policies.shown["how the model is chosen"])
    assert {"learned", "prompt length", "random", "oracle"} <= set(curve.frame["policy"])
    assert list(labels.frame["labels"]) == [100, 200]
    assert "routes.json" in charts.deploy_text(study)


def test_data_that_cannot_be_routed_is_no(tmp_path: Path) -> None:
    _write(tmp_path, 1000, shuffled=True)
    study = report.read_study({**PARAMETERS, "curve_sizes": []}, tmp_path)
    assert report.verdict(study).decision is Decision.NO_GO
    assert charts.recommended_table(study) is None
    assert "no file to deploy" in charts.deploy_text(study)
    assert report.category_losses(study) == ()


def test_too_few_prompts_are_hold(tmp_path: Path) -> None:
    _write(tmp_path, 200)
    study = report.read_study({**PARAMETERS, "curve_sizes": []}, tmp_path)
    verdict = report.verdict(study)
    assert verdict.decision is Decision.HOLD
    assert "not enough data" in verdict.summary


def test_unknown_costs_are_a_condition_and_no_zero(tmp_path: Path) -> None:
    _write(tmp_path, 1000, cost=False)
    study = report.read_study({**PARAMETERS, "curve_sizes": []}, tmp_path)
    verdict = report.verdict(study)
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert report.monthly_saving(study) is None
    curve = charts.curve_figure(study)
    assert curve is not None
    assert curve.frame["usd_per_1k"].map(math.isnan).all()


def test_a_dearer_model_that_is_no_better_needs_no_router(tmp_path: Path) -> None:
    _write(tmp_path, 1000, small_on_hard=0.95, strong=0.5)
    study = report.read_study({**PARAMETERS, "curve_sizes": []}, tmp_path)
    assert study.routing.strong == "small"
    assert report.verdict(study).decision is Decision.NO_GO
    assert charts.policy_table(study) is charts.curve_figure(study) is None


def test_names_are_those_the_router_asks_by(tmp_path: Path) -> None:
    _write(tmp_path, 1000)
    names = {"small": "gpu/llama-3.1-8b", "large": "openai/gpt-4o"}
    study = report.read_study({**PARAMETERS, "names": names, "curve_sizes": []}, tmp_path)
    assert study.routing.models == ("gpu/llama-3.1-8b", "openai/gpt-4o")
    assert report.category_losses(study)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"results_path": "gone.csv"}, DatasetError, "No results at"),
        ({"models": ["small", "medium"]}, UsageError, "no results of 'medium'"),
        ({"strong": "medium"}, UsageError, "strong is 'medium'"),
        ({"requests_per_month": -1.0}, UsageError, "requests_per_month"),
        ({"tolerance": 1.5}, UsageError, "tolerance"),
    ],
)
def test_bad_input_is_named(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    _write(tmp_path, 40)
    with pytest.raises(error, match=words):
        report.read_study({**PARAMETERS, **change}, tmp_path)


def test_a_category_of_one_prompt_has_no_interval(study: report.RoutingStudy) -> None:
    lone = study.routing.certified_on[0]
    rows = [
        dataclasses.replace(row, category="lone" if place == lone else row.category)
        for place, row in enumerate(study.results.dataset.rows)
    ]
    dataset = dataclasses.replace(study.results.dataset, rows=tuple(rows))
    changed = dataclasses.replace(study, results=dataclasses.replace(study.results, dataset=dataset))
    table = charts.category_table(changed)
    assert table is not None
    shown = table.shown.set_index("category").loc["lone"]
    assert shown["prompts"] == "1"
    assert "nan" not in " ".join(shown)
    assert "(" not in shown["quality lost, points"]
