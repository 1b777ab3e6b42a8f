"""Metrics read the results that the notebooks really write: the committed examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.decision import METRICS, Measured
from llmbench.decision.metrics import metric_named
from llmbench.errors import UsageError
from tests.decision.left import MATRIX

EXAMPLES = Path(__file__).resolve().parents[2] / "reports" / "examples"


def _example(report: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / report / "result.json").read_text())
    return found


@pytest.mark.parametrize(
    "name", [name for name, metric in METRICS.items() if (EXAMPLES / metric.source / "result.json").is_file()]
)
def test_every_metric_is_in_the_example_of_its_report(name: str) -> None:
    metric = METRICS[name]
    result = _example(metric.source)
    found = metric.read(result["data"], result["candidate"])
    if name == "latency_p95_ms":  # 144 items are too few for a p95
        assert found.value is None
        return
    assert found.value is not None, (
        f"metric {name!r} finds no number in reports/examples/{metric.source}/result.json: correct its "
        f"`read`, or add it to the report's `data` and run `make example REPORT={metric.source}`"
    )
    if not metric.certain:
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high


def test_numbers_of_the_matrix() -> None:
    read = {
        name: METRICS[name].read(MATRIX, "mixtral-8x7b")
        for name in METRICS
        if METRICS[name].source == "model_matrix"
    }
    assert read["score"] == Measured(0.8, 0.76, 0.84, 400)
    assert read["latency_p95_ms"] == Measured(900.0, 850.0, 990.0, 400)
    missing = read["missing_share"]
    assert missing.value == pytest.approx(4 / 404)
    assert missing.n == 404


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"models": None},
        {"comparisons": [[]], "arms": {}, "srm": 3, "monte_carlo": [], "recommended": [], "costs": "x"},
        {"comparisons": [{"candidate": "c", "difference": True}]},
    ],
)
def test_strange_data_are_no_number(data: dict[str, Any]) -> None:
    assert all(metric.read(data, "c").value is None for metric in METRICS.values())


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UsageError, match="No metric is called 'replyratio'; there is reply_ratio"):
        metric_named("replyratio")
