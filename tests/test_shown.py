"""Every public result shows itself in a notebook and turns into pandas."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import llmbench
from llmbench.economics import memory_fit
from llmbench.shown import AS_IT_IS, shown
from llmbench.stats import Interval, paired_difference

PACKAGES = ["llmbench", *(f"llmbench.{m.name}" for m in pkgutil.iter_modules(llmbench.__path__) if m.ispkg)]
INPUTS = {
    "llmbench": {"Dataset", "Experiment", "RecordedModel"},
    "llmbench.abtest": {
        "Assignments", "Costs", "Epoch", "Guardrail", "OutcomeSource", "Plan", "Replies", "Sends",
    },
    "llmbench.decision": {
        "BudgetUncertainty", "Commitment", "Example", "Gate", "GateBook", "MeanGate", "Metric", "OneOffCosts",
        "Phase", "RampMonth", "RatesGate", "ShareGate", "SureGate",
    },
    "llmbench.desk": {"Field"},
    "llmbench.economics": {"HostingCosts", "Money", "Uncertainty", "Workload"},
    "llmbench.finetune": {"JobOrder"},
    "llmbench.loadtest": {"LoadPlan", "Objective"},
    "llmbench.matrix": {"Dataset", "Item", "Pairwise", "Prompt", "RecordedModel", "Rubric"},
    "llmbench.reporting": {"DifferenceRow", "ForestRow", "Parameter"},
    "llmbench.routing": {"Budgets", "Experiment", "Limit", "Outcomes", "RoutingTable"},
}  # fmt: skip
"""What one gives, not what one gets; graders are that too, and are known by what they do."""


def _is_record(value: Any) -> bool:
    named = inspect.isclass(value) and issubclass(value, tuple) and hasattr(value, "_fields")
    return named or (inspect.isclass(value) and dataclasses.is_dataclass(value))


def _is_grader(value: Any) -> bool:
    return all(hasattr(value, name) for name in ("bind", "problem", "grade"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_result_shows_itself(package: str) -> None:
    module = importlib.import_module(package)
    public = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    records = {name: value for name, value in public.items() if _is_record(value)}
    without = [
        name
        for name, value in records.items()
        if not (hasattr(value, "_repr_html_") and hasattr(value, "to_pandas")) and not _is_grader(value)
    ]
    apart = set(without) ^ INPUTS.get(package, set())
    assert not apart, (
        f"{package}: {', '.join(sorted(apart))}: a result gets the decorator `llmbench.shown.shown`; what "
        "one gives, and does not get, is named in INPUTS of this test"
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_no_amounts_of_a_public_result_are_read_as_a_formula(package: str) -> None:
    module = importlib.import_module(package)
    public = [getattr(module, name) for name in getattr(module, "__all__", ())]
    own = [each for each in public if inspect.isclass(each) and hasattr(each, "_repr_html_")]
    assert [each.__name__ for each in own if not hasattr(each._repr_html_, "__wrapped__")] == []


@shown
class Inner(NamedTuple):
    low: float
    high: float | None


@shown
@dataclasses.dataclass(frozen=True, slots=True)
class Outer:
    name: str
    interval: Inner
    values: tuple[float, ...]
    n: int = 12345
    sure: bool = True


def test_a_result_within_a_result_becomes_columns() -> None:
    frame = Outer("a", Inner(0.5, None), (1.0, 2.0)).to_pandas()  # type: ignore[attr-defined]
    assert list(frame.columns) == ["name", "interval_low", "interval_high", "values", "n", "sure"]
    assert frame.loc[0, "interval_low"] == 0.5
    assert pd.isna(frame.loc[0, "interval_high"])


def test_what_is_shown_is_escaped_and_no_formula() -> None:
    page = Outer("<b>$1 and $2</b>", Inner(math.nan, 0.123456789), ())._repr_html_()  # type: ignore[attr-defined]
    assert page.startswith(f'<div class="{AS_IT_IS}">')
    assert "&lt;b&gt;$1 and $2&lt;/b&gt;" in page
    for cell in ("<td>–</td>", "<td>0.123457</td>", "<td>none</td>", "<td>12,345</td>", "<td>yes</td>"):
        assert cell in page
    long = Outer("x" * 1000, Inner(0, 0), ())._repr_html_()  # type: ignore[attr-defined]
    assert "x" * 119 + "…" in long
    assert "x" * 120 not in long


def test_a_way_of_its_own_stays() -> None:
    fit = memory_fit("llama-3.1-8b", "L4")
    assert fit.reason.split(".")[0] in fit._repr_html_()
    assert fit.to_pandas().loc[0, "reason"] == fit.reason  # type: ignore[attr-defined]


def test_a_result_that_only_turned_into_pandas_shows_that() -> None:
    @shown
    class Curve(NamedTuple):
        points: tuple[float, ...]

        def to_pandas(self) -> pd.DataFrame:
            return pd.DataFrame({"point": self.points})

    page = Curve(tuple(range(100)))._repr_html_()  # type: ignore[attr-defined]
    assert "<b>Curve</b>, 100 rows" in page
    assert page.count("<tr") < 30


def test_a_real_one() -> None:
    a, b = np.array([1, 1, 1, 0] * 30), np.array([1, 0, 1, 0] * 30)
    found = paired_difference(a, b)
    row = found.to_pandas().iloc[0]  # type: ignore[attr-defined]
    assert row["difference"] == found.difference
    assert row["interval_low"] == found.interval.low
    assert Interval(0.1, 0.2).to_pandas().shape == (1, 2)  # type: ignore[attr-defined]
