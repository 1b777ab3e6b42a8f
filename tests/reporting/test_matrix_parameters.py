from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.matrix import Pairwise, Rubric
from llmbench.reporting import matrix_parameters as parts
from llmbench.routing import Limit

CALLS: dict[str, Any] = {"temperature": 0.0, "max_tokens": 16, "stop": [], "parameter_sets": []}
JUDGE = {"grader": "", "judge": "", "judge_rubric": "", "judge_against": "", "judge_question": ""}


def test_prompts_are_named_after_their_files(tmp_path: Path) -> None:
    assert parts.named_prompts(["a/short.txt"], tmp_path) == {"short": tmp_path / "a" / "short.txt"}
    assert parts.named_prompts([], tmp_path) is None


def test_the_examples_prompts_are_for_items_without_a_whole_prompt() -> None:
    assert len(parts.prompt_files({"prompts": [], "prompt_column": ""})) == 2
    assert parts.prompt_files({"prompts": [], "prompt_column": "question"}) == []
    assert parts.prompt_files({"prompts": ["p.txt"], "prompt_column": ""}) == ["p.txt"]


def test_parameter_sets_stand_on_top_of_the_common_ones() -> None:
    assert parts.call_parameters(CALLS) == {"temperature": 0.0, "max_tokens": 16}
    given = CALLS | {"stop": ["END"], "parameter_sets": [{"temperature": 1.0}]}
    assert parts.call_parameters(given) == [{"temperature": 1.0, "max_tokens": 16, "stop": ["END"]}]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"parameter_sets": [{}]}, r"'parameter_sets' holds \{\}"),
        ({"parameter_sets": ["hot"]}, "'parameter_sets' holds 'hot'"),
        ({"stop": [""]}, r"'stop' holds \[''\]"),
    ],
)
def test_call_parameters_that_cannot_be_meant(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parts.call_parameters(CALLS | changed)


def test_a_judge_grades_by_its_rubric_or_in_pairs() -> None:
    assert parts.grader_of(JUDGE) is None
    assert parts.grader_of(JUDGE | {"grader": "exact"}) == "exact"
    assert isinstance(parts.grader_of(JUDGE | {"judge": "fake/j", "judge_rubric": "short"}), Rubric)
    assert isinstance(parts.grader_of(JUDGE | {"judge": "fake/j", "judge_against": "old"}), Pairwise)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"judge_rubric": "short"}, "'judge_rubric' is for a judge"),
        ({"judge": "fake/j", "grader": "exact"}, "are both set"),
        ({"judge": "fake/j"}, "needs 'judge_rubric'"),
    ],
)
def test_a_judge_that_cannot_be_meant(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parts.grader_of(JUDGE | changed)


def test_limits_are_dicts_of_known_numbers() -> None:
    assert parts.limits_of({"openai": {"requests_per_minute": 5}}) == {"openai": Limit(requests_per_minute=5)}
    with pytest.raises(
        UsageError, match=r"'limits' holds \{'rpm': 5\} for openai; it is a dict of requests_per"
    ):
        parts.limits_of({"openai": {"rpm": 5}})


def test_a_recorded_model_has_a_name_and_a_column() -> None:
    entry = {"name": "old", "answer_column": "old", "date": "2025-01-01"}
    assert parts.checked_recorded(entry) == entry
    with pytest.raises(UsageError, match="each is a dict of name and answer_column"):
        parts.checked_recorded({"name": "old"})
