"""Figures and tables of the notebook `break_even` about GPUs: what fits, how fast, how long one waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llmbench.catalog.architectures import architecture
from llmbench.catalog.gpus import gpu_facts
from llmbench.catalog.measured import measured_throughput
from llmbench.catalog.tails import latency_tails
from llmbench.economics import BreakEvenStudy, HostingOption
from llmbench.economics.memory import memory_fit
from llmbench.economics.throughput import throughput
from llmbench.reporting.axes import log_axis, series_style
from llmbench.reporting.break_even_inputs import Question
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["fit_figure", "frontier_figure"]

_SIZES = (1, 2, 4, 8)
_DTYPES = ("fp16", "fp8", "awq-int4")
_IN_FLIGHT = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_MOST_GPUS = 6
_STATES = {"fits": "#9CC9E3", "starved": "#F3B78E", "does not fit": "#F3F4F6"}


@house_style()
def fit_figure(question: Question) -> Plot:
    """GPUs against models and number formats: whether one GPU holds it, and for how many messages at once."""
    import pandas as pd
    from matplotlib.patches import Patch, Rectangle

    study = question.study
    load = study.load
    gpus = sorted({offer.gpu for offer in question.offers}, key=lambda gpu: (gpu_facts(gpu).memory_gb, gpu))
    models = list(dict.fromkeys(option.model for option in study.options))
    columns = [(model, dtype) for model in models for dtype in _DTYPES]
    figure, axes = new_figure(width=9.6, height=1.1 + 0.34 * len(gpus))
    rows = []
    for y, gpu in enumerate(gpus):
        for x, (model, dtype) in enumerate(columns):
            one = memory_fit(
                model, gpu, 1, dtype, input_tokens=load.input_tokens, output_tokens=load.output_tokens
            )
            needed = _smallest(model, gpu, dtype, load.input_tokens, load.output_tokens)
            axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=_STATES[one.state], linewidth=0))
            several = "" if needed is None else f"{needed} GPUs"
            told = f"{math.floor(one.max_sequences):,}" if one.state != "does not fit" else several
            axes.text(x, y, told, ha="center", va="center", fontsize=8)
            rows.append(
                {
                    "gpu": gpu,
                    "model": model,
                    "dtype": dtype,
                    "state": one.state,
                    "weights_gb": one.weights_gb,
                    "usable_gb": one.usable_gb,
                    "messages_at_once": one.max_sequences,
                    "gpus_needed": needed,
                }
            )
    axes.set_xlim(-0.6, len(columns) - 0.4)
    axes.set_ylim(len(gpus) - 0.4, -0.6)
    axes.set_yticks(range(len(gpus)), gpus)
    axes.set_xticks(range(len(columns)), [dtype for _, dtype in columns], fontsize=8.5)
    for place, model in enumerate(models):
        middle = place * len(_DTYPES) + (len(_DTYPES) - 1) / 2
        axes.annotate(
            model,
            (middle, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -30),
            textcoords="offset points",
            ha="center",
            fontweight="bold",
            fontsize=9,
            annotation_clip=False,
        )
    axes.grid(visible=False)
    axes.legend(
        handles=[Patch(color=colour, label=state) for state, colour in _STATES.items()],
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8.5,
    )  # fmt: skip
    axes.set_title("What one GPU holds")
    return Plot(
        figure,
        pd.DataFrame(rows),
        (
            f"Messages of {load.input_tokens:,.0f} + {load.output_tokens:,.0f} tokens that one GPU has "
            f"room for at a time, "
            "beside the weights; where one does not hold the model, how many do. Starved: it fits, "
            "but too few messages "
            "at once to be worth it."
        ),
    )


def _smallest(model: str, gpu: str, dtype: str, read: float, written: float) -> int | None:
    for n_gpu in _SIZES:
        found = memory_fit(model, gpu, n_gpu, dtype, input_tokens=read, output_tokens=written)
        if found.state == "fits":
            return n_gpu
    return None


@house_style()
def frontier_figure(question: Question) -> Plot:
    """Speed for one reader against the GPU's rent for a million tokens, as more requests share it."""
    import pandas as pd

    study = question.study
    figure, axes = new_figure(width=7.2, height=4.0)
    rows: list[dict[str, Any]] = []
    options = _one_of_each_gpu(study)
    for place, option in enumerate(options):
        points, seen = _points(option, question), _measured(option)
        rows += [*points, *seen]
        if place >= _MOST_GPUS:
            continue
        colour, stroke = series_style(place)
        axes.plot(
            [each["tokens_per_s_each"] for each in points],
            [each["usd_per_million_output_tokens"] for each in points],
            marker="o",
            markersize=3,
            linewidth=1.5,
            color=colour,
            linestyle=stroke,
            label=f"{option.replica}{', extrapolated' if option.extrapolated else ''}",
        )
        axes.plot(
            [each["tokens_per_s_each"] for each in seen],
            [each["usd_per_million_output_tokens"] for each in seen],
            "D",
            markerfacecolor="none",
            markersize=5,
            color=colour,
        )
    _objective(axes, question)
    log_axis(axes)
    log_axis(axes, "${x:g}", side="y")
    axes.set_xlabel("tokens a second for each reader")
    axes.set_ylabel("rent per 1M output tokens, always full")
    axes.set_title("Speed and cost")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8.5)
    left = len(options) > _MOST_GPUS
    note = f" The {_MOST_GPUS} cheapest of {len(options)} GPUs; the CSV has all." if left else ""
    return Plot(
        figure,
        pd.DataFrame(rows),
        (
            "Each point is a number of requests in flight, from 1 (right) upwards: the more share a "
            "GPU, the cheaper each token and the slower for each reader. Diamonds: published measurements of "
            "that GPU and format, at lengths of their own. Rent only, of a replica that is never idle; "
            f"dashed: right of it 95 of 100 readers are within the objective.{note}"
        ),
    )


def _one_of_each_gpu(study: BreakEvenStudy) -> list[HostingOption]:
    """The cheapest per token of each GPU, the cheapest GPUs first."""
    best: dict[str, HostingOption] = {}
    for option in study.working:
        kept = best.get(option.gpu)
        if kept is None or _rate(option) < _rate(kept):
            best[option.gpu] = option
    return sorted(best.values(), key=_rate)


def _rate(option: HostingOption) -> float:
    return option.usd_per_hour / option.output_tokens_per_s


def _points(option: HostingOption, question: Question) -> list[dict[str, Any]]:
    load = question.study.load
    found = []
    for in_flight in _IN_FLIGHT:
        point = throughput(
            option.model,
            option.gpu,
            option.n_gpu,
            option.dtype,
            option.engine,
            load.input_tokens,
            load.output_tokens,
            concurrency=in_flight,
            calibration=question.calibrations.get(option.gpu),
        )
        if point.tpot_ms:
            found.append(
                {
                    "option": option.name,
                    "in_flight": in_flight,
                    "output_tokens_per_s": point.output_tokens_per_s,
                    "tokens_per_s_each": 1000 / point.tpot_ms,
                    "usd_per_million_output_tokens": option.usd_per_hour
                    / 3600
                    / point.output_tokens_per_s
                    * 1e6,
                    "extrapolated": point.extrapolated,
                    "measured": "",
                }
            )
    return found


def _measured(option: HostingOption) -> list[dict[str, Any]]:
    """Published rows of the same GPUs and format with a model of the same shape, under a known load."""
    shape = architecture(option.model)
    found = []
    for row in measured_throughput():
        same = gpu_facts(row.gpu).name == option.gpu and row.n_gpu == option.n_gpu
        if not same or row.concurrency is None or row.output_tokens_per_s is None or row.dtype is None:
            continue
        written = "fp16" if row.dtype == "bf16" else row.dtype
        if written != option.dtype or architecture(row.model).parameters != shape.parameters:
            continue
        rate = row.output_tokens_per_s
        found.append(
            {
                "option": option.name,
                "in_flight": row.concurrency,
                "output_tokens_per_s": rate,
                "tokens_per_s_each": rate / row.concurrency,
                "usd_per_million_output_tokens": option.usd_per_hour / 3600 / rate * 1e6,
                "extrapolated": False,
                "measured": row.source,
            }
        )
    return found


def _objective(axes: Axes, question: Question) -> None:
    if question.objective.tpot_ms:
        typical = question.objective.tpot_ms / latency_tails().tpot_ms.p95_over_typical
        axes.axvline(1000 / typical, color=PALETTE["ink"], linewidth=1, linestyle=DASHED)
