"""What a choice among any number of models is worth: quality, cost, and each model alone beside it."""

from __future__ import annotations

import html
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats import mean_interval, paired_difference
from llmbench.stats.checks import check_confidence, label_list, number_array
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["PolicyEvaluation", "SingleModel", "evaluate_policy"]


class SingleModel(NamedTuple):
    """One model asked for everything, beside the policy."""

    model: str
    share: float
    """Of the policy's prompts that go to it."""
    n: int
    """Prompts with a quality of this model."""
    quality: float
    quality_interval: Interval
    cost_usd: float
    """Mean per prompt; NaN where not known of each."""
    difference: float
    """Quality of the policy minus this model's, on the prompts that have both."""
    difference_interval: Interval
    saving_usd: float
    """Mean cost of this model minus the policy's, per prompt; NaN where not known."""
    saving_interval: Interval


@shown
@dataclass(frozen=True, slots=True, eq=False)
class PolicyEvaluation:
    """What `evaluate_policy` found. Shows itself as a table."""

    name: str
    n: int
    """Prompts whose chosen model has a quality."""
    missing: int
    """Prompts left out because the chosen model has none."""
    quality: float
    """Mean over the n; NaN of none."""
    quality_interval: Interval
    cost_usd: float
    """Mean per prompt; NaN where a chosen cost is not known."""
    cost_interval: Interval
    singles: tuple[SingleModel, ...]
    oracle_quality: float
    """Mean of the best model of each prompt: what no policy among these models can pass."""
    oracle_cost_usd: float
    """Of the cheapest among the best; NaN where costs are not known."""
    confidence: float

    @property
    def shares(self) -> dict[str, float]:
        """Share of prompts by model."""
        return {each.model: each.share for each in self.singles}

    def against(self, model: str) -> SingleModel:
        """That model alone. Raises UsageError."""
        found = next((each for each in self.singles if each.model == model), None)
        if found is None:
            raise UsageError(f"There is no model {model!r}; there are {', '.join(self.shares)}.")
        return found

    @property
    def best_single(self) -> SingleModel:
        """The model of the highest mean quality; of equals the cheapest, then the first."""
        known = [each for each in self.singles if not math.isnan(each.quality)]
        return max(
            known, key=lambda each: (each.quality, -each.cost_usd if each.cost_usd >= 0 else -math.inf)
        )

    def to_pandas(self) -> pd.DataFrame:
        """One row for the policy, then one per model."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "policy": self.name, "share": 1.0, "n": self.n, "quality": self.quality,
                "quality_low": self.quality_interval.low, "quality_high": self.quality_interval.high,
                "cost_usd": self.cost_usd,
            }
        ]  # fmt: skip
        for each in self.singles:
            told = each._asdict()
            told["policy"] = told.pop("model")
            for name in ("quality", "difference", "saving"):
                told[f"{name}_low"], told[f"{name}_high"] = told.pop(f"{name}_interval")
            rows.append(told)
        order = [
            *("policy", "share", "n", "quality", "quality_low", "quality_high", "cost_usd"),
            *("difference", "difference_low", "difference_high", "saving_usd", "saving_low", "saving_high"),
        ]
        return pd.DataFrame(rows).reindex(columns=order)

    def _repr_html_(self) -> str:
        table = self.to_pandas().to_html(index=False, na_rep="", float_format=lambda v: f"{v:.4g}", border=0)
        left = f", {self.missing:,} left out without an answer" if self.missing else ""
        return f"<p><b>{html.escape(self.name)}</b>, n = {self.n:,}{left}</p>{table}"


def evaluate_policy(
    choices: Iterable[Hashable],
    quality: Any,
    cost: Any = None,
    clusters: Iterable[Hashable] | None = None,
    *,
    name: str = "policy",
    confidence: float = 0.95,
) -> PolicyEvaluation:
    """Mean quality and cost of sending prompt i to model `choices[i]`, and of each model alone.

    `quality` holds every model's answer to every prompt: {model: n values}, a pandas DataFrame with
    a column per model, or a matrix of n by m, whose models are then numbered 0 to m - 1. NaN is a
    missing answer: a prompt whose chosen model has none is left out and counted, never scored 0.
    `cost` is the same in USD, or one number per model; None: not known. `clusters` gives a label per
    prompt where prompts are not independent. Differences are paired, on the prompts that both answer.
    Raises UsageError for a choice that is no model, and unequal lengths.

    >>> quality = {"small": [1, 0, 1, 0], "large": [1, 1, 1, 0]}
    >>> choices = ["small", "large", "small", "large"]
    >>> found = evaluate_policy(choices, quality, {"small": 0.001, "large": 0.01})
    >>> found.quality, found.cost_usd, found.shares["large"], found.against("large").difference
    (0.75, 0.0055, 0.5, 0.0)
    """
    check_confidence(confidence)
    models, table = _table("quality", quality, None)
    chosen = _columns(label_list("choices", choices), models, len(table))
    costs = None if cost is None else _costs(cost, models, len(table))
    rows = np.arange(len(table))
    labels = None if clusters is None else label_list("clusters", clusters)
    if labels is not None and len(labels) != len(rows):
        raise UsageError(f"clusters has {len(labels)} labels for {len(rows)} prompts; it needs one each.")
    routed = table[rows, chosen]
    paid = np.full(len(rows), math.nan) if costs is None else costs[rows, chosen]
    bounds = (0.0, 1.0) if np.nanmin(table, initial=0.0) >= 0 and np.nanmax(table, initial=1.0) <= 1 else None
    singles = []
    for column, model in enumerate(models):
        alone = table[:, column]
        price = np.full(len(rows), math.nan) if costs is None else costs[:, column]
        apart = paired_difference(routed, alone, labels, confidence, value_range=bounds)
        saving = price - paid
        singles.append(
            SingleModel(
                str(model),
                float((chosen == column).mean()) if len(rows) else math.nan,
                int((~np.isnan(alone)).sum()),
                _mean(alone[~np.isnan(alone)]),
                _interval(alone, labels, confidence, bounds),
                _mean(price),
                apart.difference,
                apart.interval,
                _mean(saving),
                _interval(saving, labels, confidence, None)
                if not np.isnan(saving).any()
                else UNKNOWN_INTERVAL,
            )
        )
    best, cheapest = _oracle(table, costs)
    return PolicyEvaluation(
        name,
        int((~np.isnan(routed)).sum()),
        int(np.isnan(routed).sum()),
        _mean(routed[~np.isnan(routed)]),
        _interval(routed, labels, confidence, bounds),
        _mean(paid),
        _interval(paid, labels, confidence, None) if not np.isnan(paid).any() else UNKNOWN_INTERVAL,
        tuple(singles),
        best,
        cheapest,
        confidence,
    )


def _table(
    name: str, values: Any, known: Sequence[Hashable] | None
) -> tuple[list[Hashable], NDArray[np.float64]]:
    """Models, and their values as n by m."""
    if hasattr(values, "columns") and hasattr(values, "to_numpy"):
        values = {column: values[column] for column in values.columns}
    if isinstance(values, Mapping):
        models = list(values) if known is None else list(known)
        missing = [model for model in models if model not in values]
        if missing or not models:
            raise UsageError(
                f"{name} has nothing for {missing[0]!r}." if missing else f"{name} holds no model."
            )
        columns = [number_array(f"{name}[{model!r}]", values[model]) for model in models]
        lengths = {len(column) for column in columns}
        if len(lengths) != 1:
            raise UsageError(
                f"{name} has columns of {sorted(lengths)} values; each model needs one per prompt."
            )
        return models, np.column_stack(columns)
    table = number_array(name, values, dimensions=(2,))
    if not table.shape[1]:
        raise UsageError(f"{name} holds no model.")
    return list(range(table.shape[1])), table


def _costs(cost: Any, models: Sequence[Hashable], n: int) -> NDArray[np.float64]:
    """USD as n by m; one number per model stands for every prompt."""
    if isinstance(cost, Mapping):
        full = {
            k: np.full(n, math.nan if v is None else v) if np.ndim(v) == 0 else v for k, v in cost.items()
        }
        table = _table("cost", full, models)[1]
    elif hasattr(cost, "columns") or np.ndim(cost) == 2:
        table = _table("cost", cost, models if hasattr(cost, "columns") else None)[1]
    else:
        table = np.tile(number_array("cost", cost), (n, 1))
    if table.shape != (n, len(models)):
        raise UsageError(f"cost is {table.shape[0]} by {table.shape[1]}; quality is {n} by {len(models)}.")
    if (table < 0).any():
        raise UsageError("cost holds a negative value; costs are USD from 0 on.")
    return table


def _columns(choices: Sequence[Hashable], models: Sequence[Hashable], n: int) -> NDArray[np.intp]:
    place = {model: column for column, model in enumerate(models)}
    if len(choices) != n:
        raise UsageError(f"choices has {len(choices)} values for {n} prompts; it needs one each.")
    unknown = next((choice for choice in choices if choice not in place), None)
    if unknown is not None:
        names = ", ".join(map(str, models))
        raise UsageError(f"choices holds {unknown!r}, which is no model of quality; those are {names}.")
    return np.array([place[choice] for choice in choices], dtype=np.intp)


def _oracle(table: NDArray[np.float64], costs: NDArray[np.float64] | None) -> tuple[float, float]:
    answered = ~np.isnan(table).all(axis=1)
    if not answered.any():
        return math.nan, math.nan
    best = np.nanmax(table[answered], axis=1)
    if costs is None:
        return float(best.mean()), math.nan
    among = np.where(table[answered] == best[:, None], costs[answered], math.inf)
    return float(best.mean()), _mean(among.min(axis=1))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _interval(
    values: NDArray[np.float64],
    labels: Sequence[Hashable] | None,
    confidence: float,
    bounds: tuple[float, float] | None,
) -> Interval:
    known = ~np.isnan(values)
    kept = None if labels is None else [label for label, there in zip(labels, known, strict=True) if there]
    return mean_interval(values[known], kept, confidence, value_range=bounds)
