from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.matrix import Dataset, RecordedModel
from llmbench.matrix.plan import Plan, baseline_of, make_plan, params_sets
from llmbench.matrix.prompts import prompts_for

PROMPTS = {"plain": "{{ prompt }}", "terse": "Be terse. {{ prompt }}"}


def plan_of(
    data: Dataset, models: Any = ("fake/a", "fake/b"), params: Any = None, repeats: int | None = None
) -> Plan:
    return make_plan(data, models, prompts_for(data, PROMPTS), params_sets(params), repeats)


def test_cells_and_calls_come_in_one_fixed_order(numbers: Callable[..., Dataset]) -> None:
    plan = plan_of(numbers(2), repeats=2)
    assert [cell.label for cell in plan.cells] == [
        "fake/a[plain]",
        "fake/a[terse]",
        "fake/b[plain]",
        "fake/b[terse]",
    ]
    calls = list(plan.calls(plan.cells[0]))
    assert [(c.item.id, c.repeat, c.place) for c in calls] == [
        ("i0", 0, 0),
        ("i0", 1, 1),
        ("i1", 0, 2),
        ("i1", 1, 3),
    ]
    assert len(plan) == 16


def test_several_params_are_in_the_label(numbers: Callable[..., Dataset]) -> None:
    plan = plan_of(numbers(1), ["fake/a"], {"cold": {"temperature": 0}, "hot": {"temperature": 1}})
    assert [(c.label, c.repeats) for c in plan.cells] == [
        ("fake/a[plain]{cold}", 1),
        ("fake/a[plain]{hot}", 3),
        ("fake/a[terse]{cold}", 1),
        ("fake/a[terse]{hot}", 3),
    ]


@pytest.mark.parametrize(
    ("params", "repeats"), [({"temperature": 0.0}, 1), ({"temperature": 0.2}, 3), ({"max_tokens": 4}, 3)]
)
def test_repeats_follow_from_the_temperature(
    numbers: Callable[..., Dataset], params: dict[str, Any], repeats: int
) -> None:
    assert {cell.repeats for cell in plan_of(numbers(1), params=params).cells} == {repeats}
    assert {cell.repeats for cell in plan_of(numbers(1), params=params, repeats=2).cells} == {2}


def test_params_sets_are_named_by_what_differs() -> None:
    assert params_sets(None) == {"": {"temperature": 0}}
    assert params_sets({"temperature": 0, "seed": None}) == {"": {"temperature": 0}}
    assert list(params_sets([{"temperature": 0}, {"temperature": 0, "seed": 1}])) == ["seed=unset", "seed=1"]
    assert params_sets([{"max_tokens": 3}]) == {"": {"max_tokens": 3}}
    assert params_sets({"response_format": {"type": "json"}}) == {"": {"response_format": {"type": "json"}}}
    for wrong in (
        [],
        ["x"],
        [{"seed": 1}, {"seed": 1}],
        {"a": {"model": "x"}},
        {"temperature": 0, "run_id": "x"},
    ):
        with pytest.raises(UsageError):
            params_sets(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([], "must not be empty"),
        ("fake/a", "must be a list"),
        (["gpt-4o"], "endpoint/model"),
        (["fake/a", "fake/a"], r"fake/a\[plain\].*more than once"),
        (["fake/a[x]"], "endpoint/model or a RecordedModel"),
    ],
)
def test_models_that_cannot_be_meant(numbers: Callable[..., Dataset], models: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_of(numbers(1), models)


@pytest.mark.parametrize("repeats", [0, -1, 1.5, True])
def test_repeats_that_cannot_be_meant(numbers: Callable[..., Dataset], repeats: Any) -> None:
    with pytest.raises(UsageError, match="repeats"):
        plan_of(numbers(1), repeats=repeats)


def test_baseline_by_label_model_or_default(numbers: Callable[..., Dataset]) -> None:
    data = numbers(1)
    plan = plan_of(data, ["fake/a", RecordedModel("old", "expected")])
    assert baseline_of(plan, None).label == "old[recorded]"
    assert baseline_of(plan_of(data), None).label == "fake/a[plain]"
    assert baseline_of(plan, "old").label == "old[recorded]"
    assert baseline_of(plan, "fake/a[terse]").label == "fake/a[terse]"
    with pytest.raises(UsageError, match=r"several cells; name one of fake/a\[plain\], fake/a\[terse\]"):
        baseline_of(plan, "fake/a")
    with pytest.raises(UsageError, match=r"no cell of this matrix.*Did you mean 'fake/a\[terse\]'"):
        baseline_of(plan, "fake/a[ters]")


def test_a_column_named_as_a_model_says_how_past_answers_are_given(numbers: Callable[..., Dataset]) -> None:
    with pytest.raises(UsageError) as refused:
        plan_of(numbers(1), ["expected"])
    assert """recorded_models '[{"name": "expected", "answer_column": "expected"}]'""" in str(refused.value)
