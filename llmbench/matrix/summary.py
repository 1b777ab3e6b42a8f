"""One line per cell: how good, how dear, how fast, each with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from llmbench.shown import shown
from llmbench.stats import Interval, mean_interval, quantile_interval, ratio_of_totals, wilson_interval
from llmbench.stats.intervals import UNKNOWN_INTERVAL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from llmbench.matrix.plan import Cell

__all__ = ["P95_LEAST_ANSWERS", "CellSummary", "ItemScores", "answers_by_cell", "item_scores", "summarise"]

P95_LEAST_ANSWERS = 200


@shown
@dataclass(frozen=True, slots=True)
class CellSummary:
    """One cell over all its items. None is not known, or too few answers to say."""

    cell: str
    model: str
    prompt: str
    params: str
    n: int
    """Items with at least one answer."""
    missing: int
    """Answers that are missing, over all items and repeats."""
    score: float | None
    """Mean over items of the mean over their repeats, 0..1."""
    score_ci: Interval | None
    cost_usd: float | None
    """All its answers together, whenever they were paid for."""
    cost_per_1k_calls: float | None
    """USD."""
    cost_per_1k_calls_ci: Interval | None
    cost_per_correct: float | None
    """USD over the sum of scores; None where nothing is right."""
    latency_p50_ms: float | None
    latency_p50_ci: Interval | None
    latency_p95_ms: float | None
    """From 200 answers on."""
    latency_p95_ci: Interval | None
    input_tokens: int | None
    """All its answers together."""
    output_tokens: int | None
    served_model: str | None
    """What the endpoint said it served; several, where it changed, are separated by commas."""
    ungraded: int = 0
    """Answers that are there and have no score: their judge gave no verdict, or another tool gave none."""
    priced: int = 0
    """Answers whose cost is known: where fewer than all, every cost above is None."""


@dataclass(frozen=True, slots=True)
class ItemScores:
    """Scores of one cell by item, in the order of the data set."""

    mean: NDArray[np.float64]
    """Over the repeats that have an answer; NaN where none has."""
    if_wrong: NDArray[np.float64]
    """The same with every missing answer counted 0."""
    if_right: NDArray[np.float64]
    """The same with every missing answer counted 1."""
    repeats: int

    def part(self, items: NDArray[np.bool_]) -> ItemScores:
        """Of the items that are True."""
        return ItemScores(self.mean[items], self.if_wrong[items], self.if_right[items], self.repeats)


def answers_by_cell(answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each cell that has any, by its label."""
    return {str(name): rows for name, rows in answers.groupby("cell", sort=False)}


def item_scores(answers: pd.DataFrame, repeats: int) -> ItemScores:
    """`answers`: one cell's rows of the answer table, item by item with `repeats` rows each."""
    scores = answers["score"].to_numpy(dtype=float).reshape(-1, repeats)
    known = ~np.isnan(scores)
    count = known.sum(axis=1)
    total = np.where(known, scores, 0.0).sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(scores), math.nan), where=count > 0)
    return ItemScores(mean, total / repeats, (total + repeats - count) / repeats, repeats)


def summarise(
    cell: Cell, answers: pd.DataFrame, scores: ItemScores, clusters: list[str] | None, confidence: float
) -> CellSummary:
    """Summary of one cell.

    `answers` are its rows of the answer table; `clusters` one label per item, or None where no two
    items belong together. Score interval: Wilson for 0/1 scores, one repeat and no clusters, else
    Student's t over items or clusters, kept within 0..1. Costs and latencies: one value per answer,
    clustered by item where there are repeats.
    """
    given = answers[~answers["missing"].to_numpy(dtype=bool)]
    answered = ~np.isnan(scores.mean)
    labels = _labels(clusters, len(scores.mean), scores.repeats)
    costs, latencies = _column(given, "cost_usd"), _column(given, "latency_ms")
    units = None if labels is None else [labels[place] for place in given.index - answers.index[0]]
    known_costs = bool(len(costs)) and not np.isnan(costs).any()
    latencies = latencies[~np.isnan(latencies)]
    median = quantile_interval(latencies, 0.5, confidence)
    enough = len(latencies) >= P95_LEAST_ANSWERS
    return CellSummary(
        cell=cell.label,
        model=cell.model,
        prompt=cell.prompt,
        params=cell.params,
        n=int(answered.sum()),
        missing=len(answers) - len(given),
        score=float(scores.mean[answered].mean()) if answered.any() else None,
        score_ci=_known(score_interval(scores, clusters, confidence)),
        cost_usd=float(costs.sum()) if known_costs else None,
        cost_per_1k_calls=float(costs.mean()) * 1000 if known_costs else None,
        cost_per_1k_calls_ci=_cost_interval(costs, units, confidence) if known_costs else None,
        cost_per_correct=_cost_per_correct(answers, scores) if known_costs else None,
        latency_p50_ms=float(np.median(latencies)) if len(latencies) else None,
        latency_p50_ci=_known(median),
        latency_p95_ms=float(np.quantile(latencies, 0.95)) if enough else None,
        latency_p95_ci=_known(quantile_interval(latencies, 0.95, confidence)) if enough else None,
        input_tokens=_total(_column(given, "input_tokens")),
        output_tokens=_total(_column(given, "output_tokens")),
        served_model=", ".join(sorted({str(name) for name in given["served_model"] if name})) or None,
        ungraded=int(np.isnan(_column(given, "score")).sum()),
        priced=int((~np.isnan(costs)).sum()),
    )


def score_interval(scores: ItemScores, clusters: list[str] | None, confidence: float) -> Interval:
    """Interval of the mean score over the items that have an answer; NaN limits where too few."""
    answered = ~np.isnan(scores.mean)
    values = scores.mean[answered]
    if len(values) == 0:
        return UNKNOWN_INTERVAL
    labels = (
        None
        if clusters is None
        else [label for label, there in zip(clusters, answered, strict=True) if there]
    )
    if labels is not None and len(set(labels)) == len(labels):
        labels = None
    if scores.repeats == 1 and labels is None and np.isin(values, (0.0, 1.0)).all():
        return wilson_interval(int(values.sum()), len(values), confidence)
    low, high = mean_interval(values, labels, confidence, value_range=(0.0, 1.0))
    return Interval(max(0.0, low), min(1.0, high)) if not math.isnan(low) else Interval(low, high)


def _labels(clusters: list[str] | None, items: int, repeats: int) -> list[str] | None:
    """A label per answer: its item's cluster, or its item where only repeats belong together."""
    if clusters is None and repeats == 1:
        return None
    by_item = clusters or [str(number) for number in range(items)]
    return [label for label in by_item for _ in range(repeats)]


def _column(answers: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return answers[name].to_numpy(dtype=float)


def _cost_interval(costs: NDArray[np.float64], units: list[str] | None, confidence: float) -> Interval | None:
    interval = _known(mean_interval(costs, units, confidence))
    return interval and Interval(max(0.0, interval.low) * 1000, interval.high * 1000)


def _cost_per_correct(answers: pd.DataFrame, scores: ItemScores) -> float | None:
    shape = (-1, scores.repeats)
    costs = np.nan_to_num(_column(answers, "cost_usd")).reshape(shape).sum(axis=1)
    right = np.nan_to_num(_column(answers, "score")).reshape(shape).sum(axis=1)
    ratio = ratio_of_totals(costs, right).ratio
    return None if math.isnan(ratio) else ratio


def _total(tokens: NDArray[np.float64]) -> int | None:
    return int(tokens.sum()) if len(tokens) and not np.isnan(tokens).any() else None


def _known(interval: Interval) -> Interval | None:
    return None if math.isnan(interval.low) or math.isnan(interval.high) else interval
