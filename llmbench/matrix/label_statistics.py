"""What labels by people say of a grader: agreement, and scores corrected by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix.results import MatrixResults
    from llmbench.stats import Interval, JudgedSample, PredictionPoweredDifference, PredictionPoweredMean

__all__ = ["FEW_LABELS", "CellLabels", "Labels", "cell_labels", "few_labels", "known_kappa", "labels_data"]

FEW_LABELS = 50
"""Under so many of a model the corrected interval tends to be too narrow: its variance is an estimate from
those labels, and the theory is of large samples."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of one sheet."""

    table: pd.DataFrame
    """One row per sampled answer: item_id, cell, repeat, judge (its score, 0..1), label (mean of the
    raters, 0..1; NaN where none filled it in), rating_1, rating_2 (as given), probability."""
    judged: pd.DataFrame
    """Every answer the sample was drawn from: item_id, cell, repeat, judge, sampled."""
    raters: int
    blank: int
    """Rows that no rater filled in."""
    kappa: float | None
    """Cohen's, between the two raters over rows that both filled in; None with fewer than two."""
    scale: tuple[int, int] = (0, 1)
    """(worst, best) of the ratings."""

    def corrected(
        self, cell: str, clusters: Mapping[str, str] | None = None, confidence: float = 0.95
    ) -> PredictionPoweredMean:
        """The mean score of `cell` by people, with the judge's scores of the unlabelled answers brought in
        (`llmbench.stats.prediction_powered_mean`). Answers to one item belong together, or to one cluster
        where `clusters` names that of an item; Student's t, kept within 0..1.

        Raises UsageError for a cell without labels.
        """
        from llmbench.stats import prediction_powered_mean

        labels, there, elsewhere, of_there, of_elsewhere = self._sample(cell, clusters)
        return prediction_powered_mean(
            labels, there, elsewhere, confidence,
            clusters_there=of_there, clusters_elsewhere=of_elsewhere, value_range=(0.0, 1.0),
        )  # fmt: skip

    def corrected_difference(
        self, cell: str, baseline: str, clusters: Mapping[str, str] | None = None, confidence: float = 0.95
    ) -> PredictionPoweredDifference:
        """The mean score of `cell` less that of `baseline`, both as `corrected` has them; the interval knows
        that they answered the same items. Raises UsageError where one of them has no label.
        """
        from llmbench.stats import prediction_powered_difference

        return prediction_powered_difference(
            self._sample(cell, clusters),
            self._sample(baseline, clusters),
            confidence,
            value_range=(0.0, 1.0),
        )

    def _sample(self, cell: str, clusters: Mapping[str, str] | None) -> JudgedSample:
        from llmbench.stats import JudgedSample

        rows = self.table[
            (self.table["cell"] == cell) & self.table["label"].notna() & self.table["judge"].notna()
        ]
        if not len(rows):
            raise UsageError(
                f"No answer of {cell!r} has a label; cells are {', '.join(set(self.table['cell']))}."
            )
        rest = self.judged[
            (self.judged["cell"] == cell) & ~self.judged["sampled"] & self.judged["judge"].notna()
        ]
        given = clusters or {}
        return JudgedSample(
            rows["label"].to_numpy(), rows["judge"].to_numpy(), rest["judge"].to_numpy(),
            *([given.get(str(item), f"item {item}") for item in part["item_id"]] for part in (rows, rest)),
        )  # fmt: skip

    def grader_kappa(self, cell: str | None = None) -> float | None:
        """Cohen's kappa between the grader and people, of `cell` or of all, over answers that both graded;
        those on which two raters differ have no grade by people and are left out.

        None where it cannot be told, and where the grader's scores are no grades of the raters' scale (a
        judge's 1 to 5 beside people's yes and no): label on the judge's scale to have it.
        """
        rows = self.table.dropna(subset=["label", "judge"])
        if cell is not None:
            rows = rows[rows["cell"] == cell]
        steps = self.scale[1] - self.scale[0]
        people, grader = rows["label"] * steps, rows["judge"] * steps
        if not len(rows) or ((grader - grader.round()).abs() > _ROUNDING).any():
            return None
        agreed = (people - people.round()).abs() <= _ROUNDING
        if self.raters > 1:
            both = rows["rating_1"].isna() | rows["rating_2"].isna() | (rows["rating_1"] == rows["rating_2"])
            agreed &= both
        return known_kappa(people[agreed].round(), grader[agreed].round())


def known_kappa(a: pd.Series, b: pd.Series) -> float | None:
    """Cohen's; None where it cannot be told."""
    if len(a) < 2:
        return None
    from llmbench.stats import cohen_kappa

    found = cohen_kappa(a, b)
    return None if math.isnan(found) else found


def few_labels(labels: int) -> str:
    """What to say of an interval from so many labels; empty where they are enough."""
    if labels >= FEW_LABELS:
        return ""
    return f", from {labels} labels only: under {FEW_LABELS} such an interval tends to be too narrow"


class CellLabels(NamedTuple):
    """One cell by its grader and by people, 0..1. None is not known."""

    cell: str
    labels: int
    people: float
    """Mean of the labels."""
    grader_there: float
    """The grader's mean on the same answers."""
    grader: float | None
    """The cell's score."""
    corrected: float
    """What people would give all answers: see `Labels.corrected`."""
    corrected_ci: Interval | None
    weight: float
    """How much the grader counts in that, 0 to 1."""
    kappa: float | None
    """Between grader and people."""
    difference: float | None
    """Corrected, less the baseline's; None for the baseline, and where that one has no label."""
    difference_ci: Interval | None


def cell_labels(labels: Labels, results: MatrixResults) -> tuple[CellLabels, ...]:
    """Each cell of `results` that has labels. Answers of one cluster of items belong together."""
    clusters = {
        item.id: f"cluster {item.cluster}" for item in results.dataset.rows if item.cluster is not None
    }
    there = labels.table.dropna(subset=["label", "judge"])
    base = results.baseline if (there["cell"] == results.baseline).any() else None
    found = []
    for name, rows in there.groupby("cell", sort=False):
        cell = str(name)
        mean = labels.corrected(cell, clusters, results.confidence)
        apart = None
        if base is not None and cell != base:
            apart = labels.corrected_difference(cell, base, clusters, results.confidence)
        found.append(
            CellLabels(
                cell, len(rows), float(rows["label"].mean()), float(rows["judge"].mean()),
                results.cell(cell).score, mean.mean, _known(mean.interval), mean.judge_weight,
                labels.grader_kappa(cell), apart.difference if apart else None,
                _known(apart.interval) if apart else None,
            )
        )  # fmt: skip
    return tuple(found)


def labels_data(labels: Labels, results: MatrixResults) -> dict[str, Any]:
    """`labels` of the report's result.json; null is unknown."""
    return {
        "labels": len(labels.table) - labels.blank, "blank": labels.blank, "raters": labels.raters,
        "answers": len(labels.judged), "kappa": labels.kappa, "grader_kappa": labels.grader_kappa(),
        "cells": [
            {
                **each._asdict(),
                "corrected_ci": list(each.corrected_ci) if each.corrected_ci else None,
                "difference_ci": list(each.difference_ci) if each.difference_ci else None,
            }
            for each in cell_labels(labels, results)
        ],
    }  # fmt: skip


def _known(interval: Interval) -> Interval | None:
    return None if math.isnan(interval.low) else interval
