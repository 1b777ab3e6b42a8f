"""The roofline of the notebook `break_even`: what a GPU could multiply, and what serving gets of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmbench.catalog.architectures import architecture
from llmbench.catalog.dtypes import dtype_facts
from llmbench.catalog.gpus import gpu_facts
from llmbench.economics import HostingOption
from llmbench.economics.throughput import throughput
from llmbench.reporting.axes import log_axis, series_style
from llmbench.reporting.break_even_inputs import Question
from llmbench.reporting.figures import Plot, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["roofline_figure"]

_BATCHES = (1, 4, 16, 64, 256)
_MOST = 3


@house_style()
def roofline_figure(question: Question) -> Plot:
    """Arithmetic against operations a byte: roofs of the cheapest GPUs, and where answers and prompts lie.

    Williams, Waterman and Patterson (2009), doi:10.1145/1498765.1498785.
    """
    import pandas as pd

    best: dict[str, HostingOption] = {}
    for option in sorted(question.study.working, key=lambda o: o.usd_per_hour / o.output_tokens_per_s):
        best.setdefault(option.gpu, option)
    figure, axes = new_figure(width=7.2, height=4.2)
    rows: list[dict[str, Any]] = []
    for place, option in enumerate(list(best.values())[:_MOST]):
        rows += _one(axes, option, question, series_style(place)[0])
    log_axis(axes, steps=(1.0,))
    log_axis(axes, side="y", steps=(1.0,))
    axes.set_xlabel("operations for each byte read")
    axes.set_ylabel("TFLOPS, all GPUs of a replica")
    axes.set_title("What a GPU could do, and what serving gets")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8.5)
    note = f" The {_MOST} cheapest of {len(best)} GPUs." if len(best) > _MOST else ""
    return Plot(
        figure,
        pd.DataFrame(rows),
        (
            "Lines: what bandwidth (rising) and arithmetic (flat) allow at most. Circles: answers being "
            f"written, with {', '.join(str(each) for each in _BATCHES)} requests in flight, left to right, "
            "as far as the memory holds them; squares: a prompt being read. Written one at a time, an answer "
            f"leaves nearly all arithmetic idle; sharing a GPU moves it to the right.{note}"
        ),
    )


def _one(axes: Axes, option: HostingOption, question: Question, colour: str) -> list[dict[str, Any]]:
    """The roof of one GPU and its points."""
    load = question.study.load
    shape, card, number = architecture(option.model), gpu_facts(option.gpu), dtype_facts(option.dtype)
    peak = card.tflops.get(number.compute, card.tflops["fp16"]) * option.n_gpu
    bytes_s = card.bandwidth_gb_s * 1e9 * option.n_gpu
    ridge = peak * 1e12 / bytes_s
    ends = [0.5, ridge, 20 * ridge]
    roof = [min(peak, bytes_s * each / 1e12) for each in ends]
    axes.plot(ends, roof, color=colour, linewidth=1.6, label=option.replica)
    rows = [_row(option, "roof", None, x, y) for x, y in zip(ends, roof, strict=True)]
    where = (option.model, option.gpu, option.n_gpu, option.dtype, option.engine)
    fitted = question.calibrations.get(option.gpu)
    context = load.input_tokens + load.output_tokens / 2
    for batch in _BATCHES:
        found = throughput(*where, load.input_tokens, load.output_tokens, batch, calibration=fitted)
        if found.running < batch:
            break
        operations = 2 * shape.active_parameters * batch
        read = shape.weight_bytes(number) + batch * context * shape.kv_bytes_per_token(number)
        rows.append(_row(option, "answers", batch, operations / read, operations / found.tpot_ms / 1e9))
    alone = throughput(*where, load.input_tokens, load.output_tokens, 1, calibration=fitted)
    reading = 2 * shape.active_parameters * load.input_tokens
    if reading:
        intensity = reading / shape.weight_bytes(number)
        rows.append(_row(option, "prompt", 1, intensity, reading / alone.ttft_ms / 1e9))
    for kind, marker in (("answers", "o"), ("prompt", "s")):
        points = [row for row in rows if row["of"] == kind]
        axes.plot(
            [row["operations_per_byte"] for row in points],
            [row["tflops"] for row in points],
            marker,
            color=colour,
            markersize=5,
        )
    return rows


def _row(option: HostingOption, of: str, batch: int | None, x: float, y: float) -> dict[str, Any]:
    return {"option": option.name, "of": of, "in_flight": batch, "operations_per_byte": x, "tflops": y}
