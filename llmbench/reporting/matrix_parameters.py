"""Parts of a matrix from the parameters of the notebook `model_matrix`: prompts, call parameters, grader or
judge, limits, recorded models. All raise UsageError for a parameter that cannot be meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.matrix.graders import GraderLike
    from llmbench.routing import Limit

__all__ = [
    "call_parameters",
    "checked_recorded",
    "grader_of",
    "limits_of",
    "named_prompts",
    "prompt_files",
]


def prompt_files(parameters: Mapping[str, Any]) -> list[Any]:
    """The templates given, else the example's; none where a column holds the whole prompt."""
    given: list[Any] = parameters["prompts"]
    if given or parameters["prompt_column"]:
        return given
    return ["data/prompts/zero_shot.txt", "data/prompts/few_shot.txt"]


def named_prompts(files: list[Any], root: Path) -> dict[str, Path] | None:
    """Template files by the names of the files; None where none is given."""
    paths: dict[str, Path] = {}
    for file in files:
        if not isinstance(file, str):
            raise UsageError(f"Parameter 'prompts' holds {file!r}; each is the path of a template file.")
        path = root / Path(file).expanduser()
        if path.stem in paths:
            raise UsageError(f"Parameter 'prompts' names two files {path.stem!r}; rename one of them.")
        paths[path.stem] = path
    return paths or None


def checked_recorded(entry: Any) -> dict[str, Any]:
    """What `RecordedModel` takes, of one entry of the parameter `recorded_models`."""
    known = {"name", "answer_column", "cost_column", "latency_column", "date"}
    if not isinstance(entry, dict) or set(entry) - known or not {"name", "answer_column"} <= set(entry):
        raise UsageError(
            f"Parameter 'recorded_models' holds {entry!r}; each is a dict of name and answer_column, and "
            "if known of cost_column, latency_column and date."
        )
    return entry


def call_parameters(p: Mapping[str, Any]) -> Any:
    """Parameters of the calls: one set, or one for each of `parameter_sets` on top of the common ones."""
    common = {"temperature": p["temperature"], "max_tokens": p["max_tokens"], **_stop(p["stop"])}
    sets: list[Any] = p["parameter_sets"]
    for entry in sets:
        if not isinstance(entry, dict) or not entry:
            raise UsageError(
                f"Parameter 'parameter_sets' holds {entry!r}; each is a dict of call parameters, such as "
                '{"temperature": 1.0}.'
            )
    return [{**common, **entry} for entry in sets] or common


def _stop(texts: list[Any]) -> dict[str, list[str]]:
    if not all(isinstance(text, str) and text for text in texts):
        raise UsageError(f"Parameter 'stop' holds {texts!r}; it is a list of texts that end an answer.")
    return {"stop": texts} if texts else {}


def grader_of(p: Mapping[str, Any]) -> GraderLike:
    """The rule by name; with `judge` a model that grades by the rubric, or in pairs with `judge_against`."""
    from llmbench.matrix import Pairwise, Rubric

    if not p["judge"]:
        for name in ("judge_rubric", "judge_against", "judge_question"):
            if p[name]:
                raise UsageError(
                    f"Parameter {name!r} is for a judge; name one, as in -p judge endpoint/model."
                )
        return p["grader"] or None
    if p["grader"]:
        raise UsageError(
            f"Parameters 'grader' ({p['grader']}) and 'judge' ({p['judge']}) are both set; leave one empty."
        )
    question = p["judge_question"] or None
    if p["judge_against"]:
        rubric = {"rubric": p["judge_rubric"]} if p["judge_rubric"] else {}
        return Pairwise(p["judge"], p["judge_against"], question=question, **rubric)
    if not p["judge_rubric"]:
        raise UsageError(
            "Parameter 'judge' needs 'judge_rubric', which says in words what makes an answer good, or "
            "'judge_against', what every answer is compared with."
        )
    return Rubric(p["judge"], p["judge_rubric"], question=question)


def limits_of(given: dict[str, Any]) -> dict[str, Limit]:
    """Rate limits by model, of the parameter `limits`."""
    from llmbench.routing import Limit

    names = {"requests_per_minute", "tokens_per_minute"}
    for model, numbers in given.items():
        if not isinstance(numbers, dict) or not numbers or set(numbers) - names:
            raise UsageError(
                f"Parameter 'limits' holds {numbers!r} for {model}; it is a dict of requests_per_minute, "
                "tokens_per_minute, or both."
            )
    return {model: Limit(**numbers) for model, numbers in given.items()}
