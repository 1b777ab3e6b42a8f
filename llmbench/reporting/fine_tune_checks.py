"""What the notebook `fine_tune` refuses before it says a number: parameters, jobs and tables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from llmbench.reporting.fine_tune_results import TrainedModel

__all__ = ["check_jobs", "check_parameters", "need_columns"]

_SHARES = ("margin", "least_gain", "general_margin")
_AMOUNTS = (
    "requests_per_month",
    "value_per_answer_usd",
    "preparation_usd",
    "hosting_usd_per_month",
    "usd_per_hour",
)
_ABOVE_0 = ("input_tokens_per_s", "output_tokens_per_s", "horizon_months")


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise UsageError naming the first parameter of the notebook whose number cannot be meant."""
    p = parameters
    for name in _SHARES:
        if not 0 <= p[name] < 1:
            _refuse(name, "a share from 0 to below 1, such as 0.03 for three points", p[name])
    for name in _AMOUNTS:
        if not 0 <= p[name] < math.inf:
            _refuse(name, "an amount from 0 up", p[name])
    for name in _ABOVE_0:
        if not 0 < p[name] < math.inf:
            _refuse(name, "a number above 0", p[name])
    if not 0 < p["utilisation"] <= 1:
        _refuse("utilisation", "a share above 0 and at most 1", p["utilisation"])
    if not -math.inf < p["training_usd"] < math.inf:
        _refuse("training_usd", "an amount in USD, or below 0 where jobs.json has it", p["training_usd"])
    _check_speeds(p["speeds"])
    for cell in p["also"]:
        if not isinstance(cell, str):
            _refuse("also", "a list of cells, each written model[prompt]", p["also"])


def check_jobs(path: Path, jobs: Sequence[TrainedModel]) -> None:
    """Raise DatasetError for jobs of which one hides another, and for numbers that are none."""
    for names, what in (
        ([job.model for job in jobs], "the model {!r}"),
        ([(job.n_train, job.seed) for job in jobs], "a model of (n_train, seed) = {!r}"),
    ):
        name, count = max(Counter(names).items(), key=lambda each: each[1], default=("", 0))
        if count > 1:
            raise DatasetError(
                f"{path.name} has {what.format(name)} {count} times; each trained model is one."
            )
    for job in jobs:
        if job.n_train < 1:
            raise DatasetError(
                f"{path.name}: {job.model} has n_train {job.n_train}; a tuned model has learned from one "
                "example or more."
            )
        for key, value in (("seconds", job.seconds), ("usd", job.usd)):
            if value is not None and not 0 <= value < math.inf:
                raise DatasetError(f"{path.name}: {key} of {job.model} is {value!r}, which is no amount.")


def need_columns(path: Path, frame: pd.DataFrame, *names: str) -> None:
    """Raise DatasetError where a table lacks one of these columns."""
    lacking = [name for name in names if name not in frame]
    if lacking:
        raise DatasetError(
            f"{path.name} has no column {lacking[0]}; it has {', '.join(map(str, frame.columns)) or 'none'}."
        )


def _check_speeds(speeds: Mapping[str, Any]) -> None:
    for model, pair in speeds.items():
        numbers = pair if isinstance(pair, list) else []
        good = [type(each) in {int, float} and 0 < each < math.inf for each in numbers]
        if good != [True, True]:
            _refuse("speeds", f"for {model} a list of two numbers above 0: tokens read, written", pair)


def _refuse(name: str, what: str, value: Any) -> None:
    raise UsageError(f"Parameter {name!r} must be {what}; it is {value!r}.")
