"""The constants of the roofline, fitted to measured rows and validated on rows left out of the fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from llmbench.catalog.architectures import architecture
from llmbench.catalog.fact_files import read_facts
from llmbench.catalog.gpus import gpu_facts
from llmbench.catalog.measured import MeasuredRow
from llmbench.economics.checks import check_number, check_positive
from llmbench.economics.roofline import OperatingPoint, Points, points_of, serve
from llmbench.errors import UsageError
from llmbench.shown import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = [
    "METRICS",
    "PRIORS",
    "Calibration",
    "Prior",
    "adapted",
    "default_calibration",
    "fit_constants",
    "observed",
    "points_of_rows",
]

METRICS = ("output_tokens_per_s", "ttft_ms", "tpot_ms")

_STRENGTH = 0.3
"""Weight of one prior against one cluster of rows: enough to hold a constant that no row tells of."""
_OWN_PRIOR_SPREAD = 0.25
"""Of constants in logarithms, when rows of one's own correct the committed ones."""
_RATE_SCALE, _FIRST_SCALE = 0.15, 0.3
"""Log residuals at which a row begins to count as an outlier."""


class Prior(NamedTuple):
    """Where a constant is expected before any row is seen."""

    value: float
    spread: float
    """In logarithms."""
    stage: int = 1
    """1: fitted to throughput and time per token; 2: after that, to the time to the first token."""


# Values: llm-analysis and AIConfigurator for efficiencies, vLLM's and TensorRT-LLM's step times at batch 1,
# NCCL's latency of a small all-reduce; the rest are rough and have wide spreads.
PRIORS: Mapping[str, Prior] = {
    "bandwidth_efficiency": Prior(0.87, 0.04),
    "compute_efficiency": Prior(0.55, 0.2),
    "compute_balance": Prior(0.3, 0.7),
    "compute_tensorrt": Prior(1.0, 0.15),
    "compute_weight_only": Prior(0.8, 0.3),
    "compute_experts": Prior(0.8, 0.3),
    "compute_early": Prior(0.7, 0.3),
    "step_overhead_vllm": Prior(2e-3, 0.5),
    "step_overhead_tensorrt": Prior(2e-3, 0.5),
    "layer_overhead": Prior(40e-6, 0.5),
    "sequence_overhead": Prior(10e-6, 0.8),
    "stream_overhead": Prior(50e-6, 0.8),
    "link_efficiency": Prior(0.5, 0.4),
    "link_latency_nvlink": Prior(8e-6, 0.5),
    "link_latency_pcie": Prior(30e-6, 0.5),
    "saturated_vllm": Prior(100.0, 0.5),
    "saturated_tensorrt": Prior(2000.0, 0.7),
    "saturation_sharpness": Prior(1.5, 0.4),
    "unpacking_traffic": Prior(1.0, 0.2),
    "prefill_share": Prior(0.9, 0.1),
    "output_held_vllm": Prior(0.75, 0.2),
    "output_held_tensorrt": Prior(0.9, 0.1),
    "first_overhead": Prior(10e-3, 0.5, 2),
    "first_launch": Prior(0.4e-3, 0.5, 2),
    "first_steps_vllm": Prior(1.5, 0.4, 2),
    "first_steps_tensorrt": Prior(20.0, 0.4, 2),
    "first_prefill_vllm": Prior(0.9, 0.3, 2),
    "first_prefill_tensorrt": Prior(0.7, 0.3, 2),
    "first_experts": Prior(1.5, 0.3, 2),
    "first_crowding": Prior(0.05, 0.7, 2),
}


@shown
@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants, and how far predictions with them have been from rows that they were not fitted to."""

    constants: Mapping[str, float]
    fitted_on: str
    """ISO date of the fit; of one made here, the words "this run"."""
    rows: int
    errors: Mapping[str, tuple[tuple[float, float], ...]]
    """By metric: pairs of a share and the size of the log error that so many left-out rows stay below."""
    extrapolated_errors: Mapping[str, tuple[tuple[float, float], ...]]
    """The same where all rows of the GPU were left out."""
    gpus: frozenset[str] = frozenset()
    """The catalog's names of GPUs that were measured beside the committed rows."""

    def log_error(self, metric: str, confidence: float, *, extrapolated: bool) -> float:
        """The log error that a share `confidence` of left-out rows stays below, between tabled shares linear.

        Raises UsageError outside of the tabled shares.
        """
        check_number("confidence", confidence)
        table = (self.extrapolated_errors if extrapolated else self.errors)[metric]
        shares, sizes = zip(*table, strict=True)
        if not shares[0] <= confidence <= shares[-1]:
            raise UsageError(
                f"confidence must lie between {shares[0]:g} and {shares[-1]:g}, which is how far left-out "
                f"rows tell; it is {confidence!r}."
            )
        return float(np.interp(confidence, shares, sizes))


@cache
def default_calibration() -> Calibration:
    """The committed fit: facts/throughput-fit.toml."""
    facts = read_facts("throughput-fit")
    shares = facts["errors"]["shares"]

    def tables(kind: str) -> dict[str, tuple[tuple[float, float], ...]]:
        return {each: tuple(zip(shares, facts["errors"][kind][each], strict=True)) for each in METRICS}

    return Calibration(
        constants=facts["constants"],
        fitted_on=facts["fit"]["date"],
        rows=facts["fit"]["rows"],
        errors=tables("measured"),
        extrapolated_errors=tables("extrapolated"),
    )


def points_of_rows(rows: Iterable[MeasuredRow]) -> Points:
    """The operating points of measured rows."""
    return points_of(
        [
            OperatingPoint(
                row.model,
                row.gpu,
                row.n_gpu,
                row.dtype,
                row.engine,
                row.input_tokens,
                row.output_tokens,
                row.concurrency,
            )
            for row in rows
        ]
    )


def observed(rows: Sequence[MeasuredRow]) -> dict[str, Array]:
    """What was measured, by metric, NaN where it was not."""
    return {
        metric: np.array([np.nan if getattr(row, metric) is None else getattr(row, metric) for row in rows])
        for metric in METRICS
    }


def predicted(points: Points, constants: Mapping[str, float]) -> dict[str, Array]:
    """The same of the model."""
    served = serve(points, constants)
    return {
        "output_tokens_per_s": served.output_tokens_per_s,
        "ttft_ms": served.ttft_s * 1e3,
        "tpot_ms": served.tpot_s * 1e3,
    }


def clusters_of(rows: Iterable[MeasuredRow]) -> list[str]:
    """One label a row: its GPU and model, under the catalog's names."""
    return [f"{gpu_facts(row.gpu).name} {architecture(row.model).name}" for row in rows]


def weights_of(labels: Sequence[str], counted: NDArray[np.bool_]) -> Array:
    """One over the number of counted rows with the same label; 0 for a row that is not counted."""
    weights = np.zeros(len(labels))
    names = np.array(labels)
    for name in set(names[counted]):
        here = counted & (names == name)
        weights[here] = 1 / here.sum()
    return weights


def fit_constants(
    rows: Sequence[MeasuredRow],
    priors: Mapping[str, Prior] = PRIORS,
    *,
    start: Mapping[str, float] | None = None,
    strength: float = _STRENGTH,
    equal_clusters: bool = True,
) -> dict[str, float]:
    """Constants that bring the roofline nearest to `rows`, in logarithms.

    First those of throughput and time per token, with a Cauchy loss: a row far from all others hardly
    counts. Then, with these held, those of the time to the first token, with a soft absolute loss. A cluster
    is a GPU with a model; in the first stage each counts alike, in the second by the square root of its rows,
    because single rows there have unknown lengths.

    Raises UsageError without rows, and for a measurement that is not above 0.
    """
    if not rows:
        raise UsageError("A fit needs at least one measured row; there is none.")
    for row in rows:
        for metric in METRICS:
            if (value := getattr(row, metric)) is not None:
                check_positive(f"{metric} of a measured row of {row.source}", value)
    points, seen = points_of_rows(rows), observed(rows)
    labels = clusters_of(rows)
    found = _stage(points, seen, labels, priors, {}, start, strength, 1, equal_clusters)
    if np.isfinite(seen["ttft_ms"]).any():
        return found | _stage(points, seen, labels, priors, found, start, strength, 2, equal_clusters)
    return found | {name: prior.value for name, prior in priors.items() if prior.stage == 2}


def _stage(
    points: Points,
    seen: Mapping[str, Array],
    labels: Sequence[str],
    priors: Mapping[str, Prior],
    held: Mapping[str, float],
    start: Mapping[str, float] | None,
    strength: float,
    stage: int,
    equal_clusters: bool,
) -> dict[str, float]:
    from scipy.optimize import least_squares

    names = [name for name, prior in priors.items() if prior.stage == stage]
    centre = np.log([priors[name].value for name in names])
    spread = np.array([priors[name].spread for name in names])
    rest = {name: prior.value for name, prior in priors.items()} | dict(held)
    metrics = ("output_tokens_per_s", "tpot_ms") if stage == 1 else ("ttft_ms",)
    power, scale = (0.5, _RATE_SCALE) if stage == 1 else (0.25, _FIRST_SCALE)
    parts = []
    for metric in metrics:
        counted = np.isfinite(seen[metric])
        weight = weights_of(labels, counted)[counted] ** power if equal_clusters else np.ones(counted.sum())
        parts.append((metric, counted, weight / scale, np.log(seen[metric][counted])))

    def residuals(logs: Array) -> Array:
        model = predicted(points, rest | dict(zip(names, np.exp(logs), strict=True)))
        found = [weight * (np.log(model[name][rows]) - logged) for name, rows, weight, logged in parts]
        return np.concatenate([*found, strength * (logs - centre) / spread])

    begin = centre if start is None else np.log([start[name] for name in names])
    loss: Literal["cauchy", "soft_l1"] = "cauchy" if stage == 1 else "soft_l1"
    best = least_squares(residuals, begin, loss=loss, max_nfev=100, ftol=1e-5)
    return dict(zip(names, (float(value) for value in np.exp(best.x)), strict=True))


def adapted(rows: Sequence[MeasuredRow], base: Calibration | None = None) -> Calibration:
    """The constants of `base` (the committed ones), moved by measurements of one's own.

    The committed constants are the prior, so that a single sweep moves what it tells of and nothing else.
    With eight rows or more the errors of predictions come from these rows, each left out in turn, where
    the metric was measured so often; elsewhere the committed errors stay.

    Raises UsageError without rows.
    """
    known = base or default_calibration()
    priors = {
        name: Prior(known.constants[name], _OWN_PRIOR_SPREAD, prior.stage) for name, prior in PRIORS.items()
    }
    constants = fit_constants(rows, priors, strength=1.0, equal_clusters=False)
    errors = dict(known.errors)
    enough = 8
    if len(rows) >= enough:
        left_out = {metric: np.full(len(rows), np.nan) for metric in METRICS}
        for i, row in enumerate(rows):
            others = [*rows[:i], *rows[i + 1 :]]
            without = fit_constants(others, priors, start=constants, strength=1.0, equal_clusters=False)
            one = predicted(points_of_rows([row]), without)
            for metric in METRICS:
                left_out[metric][i] = one[metric][0]
        for metric, values in observed(rows).items():
            counted = np.isfinite(values)
            if counted.sum() >= enough:
                size = np.abs(np.log(left_out[metric][counted] / values[counted]))
                shares = [share for share, _ in known.errors[metric]]
                errors[metric] = error_table(size, np.ones(size.size), shares, groups=size.size)
    seen = known.gpus | {gpu_facts(row.gpu).name for row in rows}
    return Calibration(constants, "this run", len(rows), errors, known.extrapolated_errors, seen)


def error_table(
    sizes: Array, weights: Array, shares: Sequence[float], *, groups: int | None = None
) -> tuple[tuple[float, float], ...]:
    """Sizes of error that these shares of weighted rows stay below: conformal prediction's quantiles.

    With `groups`, so few that it matters, a share is raised by 1 + 1/groups for the one yet to come: Vovk,
    Gammerman and Shafer (2005), Algorithmic Learning in a Random World, section 4.1.
    """
    raised = 1.0 if groups is None else 1 + 1 / groups
    return tuple((share, weighted_quantile(sizes, weights, share * raised)) for share in shares)


def weighted_quantile(values: Array, weights: Array, share: float) -> float:
    """The smallest value that at least `share` of the weight lies at or below; the largest where none is."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    at = int(np.searchsorted(below, share - 1e-12))
    return float(values[order][min(at, values.size - 1)])
