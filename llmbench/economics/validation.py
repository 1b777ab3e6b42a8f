"""How far the model of serving is from rows that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.catalog.gpus import gpu_facts
from llmbench.catalog.measured import MeasuredRow, measured_throughput
from llmbench.economics.calibration import (
    METRICS,
    clusters_of,
    error_table,
    fit_constants,
    observed,
    points_of_rows,
    predicted,
    weighted_quantile,
    weights_of,
)
from llmbench.errors import UsageError
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = [
    "SHARES",
    "MetricScore",
    "Validation",
    "fit_facts",
    "leave_out",
    "left_out_facts",
    "published_validation",
    "validate_throughput",
]

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Shares of left-out rows whose errors are tabled."""
_BAND = 0.30
_EXTRAPOLATED = 1.5
"""By how much wider errors are taken to be on a GPU that nobody measured."""


class MetricScore(NamedTuple):
    """How near left-out predictions of one metric were, each (GPU, model) counted once."""

    metric: str
    n: int
    clusters: int
    median_ape: float
    """Median of |predicted / measured - 1|."""
    within_30pct: float
    coverage_80: float
    """Share of rows in the 80% interval made from the errors of the other clusters."""
    median_ape_rows: float
    """With every row counted once."""
    within_30pct_rows: float


@shown
@dataclass(frozen=True, slots=True)
class Validation:
    """Predictions of each row from a fit without its GPU and model."""

    rows: tuple[MeasuredRow, ...]
    clusters: tuple[str, ...]
    predictions: dict[str, Array]
    """By metric, one value a row, whether it was measured or not."""

    def errors(self, metric: str) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Sizes of the log errors, weights and the rows that were measured."""
        seen = observed(self.rows)[metric]
        counted = np.isfinite(seen)
        sizes = np.abs(np.log(self.predictions[metric][counted] / seen[counted]))
        return sizes, weights_of(self.clusters, counted)[counted], counted

    def error_table(self, metric: str) -> tuple[tuple[float, float], ...]:
        """Pairs of a share and the log error that so many rows stay below."""
        sizes, weights, _ = self.errors(metric)
        return error_table(sizes, weights, SHARES)

    def score(self, metric: str) -> MetricScore:
        """The summary of one metric."""
        sizes, weights, counted = self.errors(metric)
        seen = observed(self.rows)[metric][counted]
        error = np.abs(self.predictions[metric][counted] / seen - 1)
        labels = np.array(self.clusters)[counted]
        covered = np.zeros(sizes.size)
        names = sorted(set(labels.tolist()))
        for name in names:
            here = labels == name
            covered[here] = sizes[here] <= weighted_quantile(sizes[~here], weights[~here], 0.8)
        share = weights / weights.sum()
        return MetricScore(
            metric=metric,
            n=int(counted.sum()),
            clusters=len(names),
            median_ape=weighted_quantile(error, weights, 0.5),
            within_30pct=float(share @ (error <= _BAND)),
            coverage_80=float(share @ covered),
            median_ape_rows=float(np.median(error)),
            within_30pct_rows=float((error <= _BAND).mean()),
        )

    def scores(self) -> tuple[MetricScore, ...]:
        """Throughput, time to the first and per further token, apart."""
        return tuple(self.score(metric) for metric in METRICS)

    def to_pandas(self) -> pd.DataFrame:
        """One row a measured row and metric: what was measured, predicted, and their ratio."""
        import pandas as pd

        frames = []
        for metric, seen in observed(self.rows).items():
            counted = np.isfinite(seen)
            frame = pd.DataFrame(
                [row._asdict() for row, keep in zip(self.rows, counted, strict=True) if keep]
            )
            frame = frame.drop(columns=list(METRICS))
            frame["metric"] = metric
            frame["measured"] = seen[counted]
            frame["predicted"] = self.predictions[metric][counted]
            frame["ratio"] = frame["predicted"] / frame["measured"]
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def table(self) -> PlainTable:
        """As it is shown."""
        return PlainTable(
            ("metric", "rows", "GPU and model", "median error", "within 30%", "80% interval covers"),
            [
                (
                    score.metric,
                    str(score.n),
                    str(score.clusters),
                    f"{score.median_ape:.0%}",
                    f"{score.within_30pct:.0%}",
                    f"{score.coverage_80:.0%}",
                )
                for score in self.scores()
            ],
        )

    def _repr_html_(self) -> str:
        return self.table().html()


def leave_out(rows: Sequence[MeasuredRow], key: Callable[[MeasuredRow], str]) -> dict[str, Array]:
    """Predictions of every row from a fit to the rows with another key; arrays by metric."""
    groups = np.array([key(row) for row in rows])
    start = fit_constants(rows)
    found = {metric: np.full(len(rows), np.nan) for metric in METRICS}
    for group in sorted(set(groups.tolist())):
        here = groups == group
        rest = [row for row, out in zip(rows, here, strict=True) if not out]
        constants = fit_constants(rest, start=start)
        out = predicted(points_of_rows([row for row, out in zip(rows, here, strict=True) if out]), constants)
        for metric in METRICS:
            found[metric][here] = out[metric]
    return found


def validate_throughput(
    rows: Sequence[MeasuredRow] | None = None, *, by: str = "gpu and model"
) -> Validation:
    """Leave one (GPU, model) out, or with `by="gpu"` one GPU with all of its models, and predict it.

    `rows` None: all of the catalog, which takes minutes; `published_validation` is that, kept. Hastie,
    Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 7.10, with the clusters as
    folds.
    """
    known = tuple(measured_throughput() if rows is None else rows)
    labels = dict(zip(known, clusters_of(known), strict=True))

    def key(row: MeasuredRow) -> str:
        return gpu_facts(row.gpu).name if by == "gpu" else labels[row]

    return Validation(known, tuple(clusters_of(known)), leave_out(known, key))


def left_out_facts(near: Validation) -> str:
    """The text of facts/throughput-left-out.csv: what `near` predicts of each row, in the facts' order."""
    lines = [",".join(METRICS)]
    columns = [near.predictions[metric] for metric in METRICS]
    lines += [",".join(f"{value:.4g}" for value in row) for row in zip(*columns, strict=True)]
    return "\n".join([*lines, ""])


@cache
def published_validation() -> Validation:
    """What `validate_throughput()` gave for the catalog's rows when its constants were fitted.

    Read and not computed, which takes minutes; a test makes some of it again. Raises UsageError where the
    catalog has other rows than the file.
    """
    rows = measured_throughput()
    text = files("llmbench.catalog").joinpath("facts/throughput-left-out.csv").read_text(encoding="utf-8")
    head, *lines = text.split()
    values = np.array([[float(cell) for cell in line.split(",")] for line in lines])
    if head != ",".join(METRICS) or values.shape != (len(rows), len(METRICS)):
        raise UsageError(
            f"facts/throughput-left-out.csv has {len(lines)} rows and the catalog {len(rows)} measurements; "
            "make it again with left_out_facts."
        )
    return Validation(rows, tuple(clusters_of(rows)), dict(zip(METRICS, values.T, strict=True)))


def fit_facts(
    day: str,
    near: Validation | None = None,
    far: Validation | None = None,
    rows: Sequence[MeasuredRow] | None = None,
) -> str:
    """The text of facts/throughput-fit.toml: a fit to all `rows` (None: the catalog's), and its errors.

    `day`: ISO date to write into it. Made again, with `left_out_facts`, when a measured row is added. `near`
    and `far`: validations by GPU and model, and by GPU, where they are at hand already.
    """
    rows = measured_throughput() if rows is None else rows
    constants = fit_constants(rows)
    near = near or validate_throughput(rows)
    far = far or validate_throughput(rows, by="gpu")
    lines = [
        "# Constants of llmbench.economics.roofline, fitted to facts/throughput.toml by fit_facts of",
        "# llmbench.economics.validation. Efficiencies are shares, times are seconds, traffic is in 16-bit",
        "# weights written and read once. errors: sizes of log errors that these shares of rows stay",
        "# below, a (GPU, model) counted once: measured with that GPU and model left out of the fit;",
        "# extrapolated half as much again as the greater of that and the error with all rows of the GPU",
        "# left out, whose relatives were still there.",
        "",
        "[fit]",
        f'date = "{day}"',
        f"rows = {len(rows)}",
        "",
        "[constants]",
        *(f"{name} = {value:.4g}" for name, value in constants.items()),
        "",
        "[errors]",
        f"shares = {list(SHARES)}",
    ]
    tables: dict[str, list[str]] = {"measured": [], "extrapolated": []}
    for metric in METRICS:
        sizes = [size for _, size in near.error_table(metric)]
        without_gpu = [size for _, size in far.error_table(metric)]
        wider = [_EXTRAPOLATED * max(pair) for pair in zip(sizes, without_gpu, strict=True)]
        tables["measured"].append(_toml_row(metric, sizes))
        tables["extrapolated"].append(_toml_row(metric, wider))
    for kind, body in tables.items():
        lines += ["", f"[errors.{kind}]", *body]
    return "\n".join([*lines, ""])


def _toml_row(name: str, sizes: Sequence[float]) -> str:
    return f"{name} = [{', '.join(f'{size:.3f}' for size in sizes)}]"
