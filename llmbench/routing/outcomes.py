"""What a finished matrix knows of each prompt, as plain data: score and cost of each model's answer."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.text_features import normal_text

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Outcomes", "outcomes_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One row per prompt, one column per model.

    >>> known = Outcomes(("Is 7 prime?", "2+2?"), ("small", "large"), [[0, 1], [1, float("nan")]])
    >>> known.missing, known.costs.tolist()
    ({'small': 0, 'large': 1}, [[nan, nan], [nan, nan]])
    """

    prompts: tuple[str, ...]
    models: tuple[str, ...]
    scores: Any
    """Prompts x models, in 0..1; NaN where an answer is missing."""
    costs: Any = None
    """Prompts x models, USD; NaN where it is not known."""
    clusters: tuple[Hashable, ...] | None = None
    """Which prompts depend on each other; default: those that say the same."""

    def __post_init__(self) -> None:
        shape = (len(self.prompts), len(self.models))
        texts: tuple[Any, ...] = self.prompts
        wrong = next((p for p in texts if not isinstance(p, str) or not p.strip()), None)
        if wrong is not None or not self.prompts:
            raise UsageError(f"Each prompt must be a text; one is {wrong!r}.")
        if len(set(self.models)) != len(self.models) or len(self.models) < 2:
            raise UsageError(
                f"models must be two or more different names; they are {', '.join(self.models)}."
            )
        scores = _matrix("scores", self.scores, shape)
        outside = np.argwhere((scores < 0) | (scores > 1))
        if len(outside):
            row, column = map(int, outside[0])
            raise UsageError(
                f"scores must lie in 0..1; that of {self.models[column]} on prompt {row} is "
                f"{scores[row, column]:g}. Scale them first."
            )
        costs = np.full(shape, math.nan) if self.costs is None else _matrix("costs", self.costs, shape)
        if (costs < 0).any():
            raise UsageError("costs must be USD from 0 on, NaN where one is not known; one is negative.")
        if self.clusters is not None and len(self.clusters) != shape[0]:
            raise UsageError(
                f"clusters has {len(self.clusters)} labels for {shape[0]} prompts; give one each."
            )
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "costs", costs)

    @property
    def missing(self) -> dict[str, int]:
        """Prompts without a score, by model."""
        return dict(zip(self.models, map(int, np.isnan(self.scores).sum(axis=0)), strict=True))

    @property
    def sha256(self) -> str:
        """Of all that is in it, so that a file can say what it was made from."""
        rows = [[None if math.isnan(v) else v for v in row] for row in (*self.scores, *self.costs)]
        labels = None if self.clusters is None else list(map(str, self.clusters))
        text = json.dumps([self.prompts, self.models, rows, labels], allow_nan=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def groups(self) -> NDArray[np.intp]:
        """The number of each prompt's cluster."""
        labels = [normal_text(p) for p in self.prompts] if self.clusters is None else self.clusters
        numbers: dict[Any, int] = {}
        return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)

    def of(self, models: Sequence[str]) -> Outcomes:
        """Only these models, in this order. Raises UsageError for one it does not have."""
        unknown = [name for name in models if name not in self.models]
        if unknown:
            raise UsageError(f"There are no results of {unknown[0]!r}; there are {', '.join(self.models)}.")
        columns = [self.models.index(name) for name in models]
        return Outcomes(
            self.prompts, tuple(models), self.scores[:, columns], self.costs[:, columns], self.clusters
        )


def outcomes_of(results: Any) -> Outcomes:
    """From the results of a matrix (`Matrix(...).results()`), a table, or a mapping.

    A table (pandas) has one row per answer: prompt, model, score, and where known cost_usd and cluster.
    A mapping holds `prompts` (texts), `scores` ({model: one number per prompt}), and where known `costs`
    (likewise) and `clusters`. Repeats of an answer are averaged; those without a score are left out.
    Raises UsageError.

    >>> outcomes_of({"prompts": ["a?", "b?"], "scores": {"small": [1, 0], "large": [1, 1]}}).models
    ('small', 'large')
    """
    if isinstance(results, Outcomes):
        return results
    if isinstance(results, Mapping):
        return _of_mapping(results)
    if hasattr(results, "answers") and hasattr(results, "dataset"):
        return _of_answers(results)
    if hasattr(results, "columns") and hasattr(results, "groupby"):
        return _of_table(results)
    raise UsageError(
        "results must be the results of a matrix, a table of answers (prompt, model, score), or a mapping "
        f"with prompts and scores; it is {type(results).__name__}."
    )


def _of_mapping(data: Mapping[str, Any]) -> Outcomes:
    unknown = sorted(set(data) - {"prompts", "scores", "costs", "clusters"})
    if unknown or not isinstance(data.get("scores"), Mapping) or "prompts" not in data:
        raise UsageError(
            "A mapping of results holds prompts, scores ({model: numbers}), and where known costs and "
            f"clusters; this has {', '.join(map(str, data))}."
        )
    prompts, models = tuple(data["prompts"]), tuple(data["scores"])
    costs = data.get("costs")
    if costs is not None:
        costs = _columns("costs", {m: costs.get(m, [math.nan] * len(prompts)) for m in models}, len(prompts))
    clusters = data.get("clusters")
    return Outcomes(
        prompts,
        models,
        _columns("scores", data["scores"], len(prompts)),
        costs,
        None if clusters is None else tuple(clusters),
    )


def _of_table(table: pd.DataFrame) -> Outcomes:
    absent = [name for name in ("prompt", "model", "score") if name not in table.columns]
    if absent:
        raise UsageError(f"The table of answers has no column {absent[0]!r}; it needs prompt, model, score.")
    key = "item_id" if "item_id" in table.columns else "prompt"
    first = table.drop_duplicates(key).set_index(key)
    texts = first["prompt"] if key != "prompt" else first.index.to_series()
    return _pivoted(table, key, "model", texts, first["cluster"] if "cluster" in table.columns else None)


def _of_answers(results: Any) -> Outcomes:
    """The results of a matrix, by what they hold: `answers`, and the `dataset` with the texts."""
    import pandas as pd

    answers, dataset = results.answers, results.dataset
    columns = (dataset.prompt_column,) if dataset.prompt_column else tuple(getattr(results, "asked", ()))
    if not columns:
        raise UsageError(
            "The results do not tell which column of the items is the prompt; give prompt_column=."
        )
    texts = {
        item.id: "\n".join(str(item.fields[name]) for name in columns if item.fields.get(name) is not None)
        for item in dataset.rows
    }
    several = answers.groupby("model")["cell"].nunique()
    by = "model" if (several == 1).all() else "cell"
    clusters = {item.id: item.cluster for item in dataset.rows}
    labels = None
    if any(value is not None for value in clusters.values()):
        labels = pd.Series(
            {key: value if value is not None else f"item {key}" for key, value in clusters.items()}
        )
    return _pivoted(answers, "item_id", by, pd.Series(texts, dtype=object), labels)


def _pivoted(
    table: pd.DataFrame, key: str, by: str, texts: pd.Series[Any], labels: pd.Series[Any] | None
) -> Outcomes:
    order = [each for each in texts.index if each in set(table[key])]
    models = list(dict.fromkeys(table[by]))
    grouped = table.groupby([key, by], sort=False)

    def wide(column: str) -> NDArray[np.float64]:
        means = grouped[column].mean()  # NaN only where no repeat has a value
        return np.asarray(means.unstack(by).reindex(index=order, columns=models), dtype=float)

    costs = wide("cost_usd") if "cost_usd" in table.columns else None
    clusters = None if labels is None else tuple(labels.loc[each] for each in order)
    return Outcomes(
        tuple(str(texts.loc[each]) for each in order), tuple(map(str, models)), wide("score"), costs, clusters
    )


def _columns(name: str, data: Mapping[str, Any], n: int) -> list[list[Any]]:
    for model, values in data.items():
        if len(values) != n:
            raise UsageError(f"{name}[{model!r}] has {len(values)} values for {n} prompts; give one each.")
    return [list(row) for row in zip(*data.values(), strict=True)]


def _matrix(name: str, values: Any, shape: tuple[int, int]) -> NDArray[np.float64]:
    try:
        rows = [[math.nan if v is None else float(v) for v in row] for row in values]
        array = np.array(rows, dtype=float).reshape(len(rows), -1)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be numbers, one row per prompt and one column per model.") from error
    if array.shape != shape:
        raise UsageError(f"{name} has shape {array.shape}; prompts and models make it {shape}.")
    if np.isinf(array).any():
        raise UsageError(f"{name} holds an infinite number; a missing one is NaN.")
    return array
