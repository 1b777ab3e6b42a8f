"""Predicted throughputs beside the measurements that they were not fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmbench.reporting.axes import log_axis
from llmbench.reporting.break_even_charts import short_number
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.economics.validation import Validation

__all__ = ["error_table", "validation_data", "validation_figure", "validation_sentence"]

_RATE = "output_tokens_per_s"
_ENGINES = (("vllm", "blue", "o"), ("tensorrt-llm", "orange", "s"), ("sglang", "green", "^"))
_METRICS = {_RATE: "throughput", "ttft_ms": "time to the first token", "tpot_ms": "time per further token"}


@house_style()
def validation_figure(validation: Validation) -> Plot:
    """Predicted against measured throughput, each with its GPU and model left out of the fit."""
    frame = _rates(validation)
    figure, axes = new_figure(width=7.2, height=4.4)
    low, high = 0.6 * float(frame["measured"].min()), 1.7 * float(frame["measured"].max())
    ends = [low, high]
    axes.fill_between(
        ends, [0.7 * e for e in ends], [1.3 * e for e in ends], color=PALETTE["light"], linewidth=0
    )
    axes.plot(ends, ends, color=PALETTE["ink"], linewidth=1)
    known = {name for name, _, _ in _ENGINES}
    for name, colour, marker in (*_ENGINES, ("others", "grey", "D")):
        here = frame[~frame["engine"].isin(known)] if name == "others" else frame[frame["engine"] == name]
        if not len(here):
            continue
        error = (here["ratio"] - 1).abs()
        axes.plot(
            here["measured"],
            here["predicted"],
            marker,
            markerfacecolor="none",
            color=PALETTE[colour],
            markersize=5,
            label=f"{name}: {len(here)} rows, median error {error.median():.0%}",
        )
    log_axis(axes, short_number, steps=(1.0,))
    log_axis(axes, short_number, side="y", steps=(1.0,))
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_xlabel("measured output tokens a second")
    axes.set_ylabel("predicted")
    axes.set_title("Predicted against measured")
    axes.legend(loc="upper left", frameon=False, fontsize=8.5)
    return Plot(
        figure,
        frame,
        (
            "Each point is a published measurement, predicted by a fit without any row of its GPU and "
            "model. Grey: within 30%."
        ),
    )


def _rates(validation: Validation) -> pd.DataFrame:
    frame = validation.to_pandas()
    return frame[frame["metric"] == _RATE].reset_index(drop=True)


def error_table(validation: Validation) -> ReportTable:
    """The error by metric, and of the throughput by engine and by source."""
    import pandas as pd

    rows: list[dict[str, Any]] = [
        {
            "of": _METRICS.get(score.metric, score.metric),
            "rows": score.n,
            "median_ape": score.median_ape,
            "within_30pct": score.within_30pct,
            "coverage_80": score.coverage_80,
        }
        for score in validation.scores()
    ]
    frame = _rates(validation)
    for kind in ("engine", "source"):
        for name, here in frame.groupby(kind, sort=True):
            error = (here["ratio"] - 1).abs()
            rows.append(
                {
                    "of": f"throughput, {kind} {name}",
                    "rows": len(here),
                    "median_ape": float(error.median()),
                    "within_30pct": float((error <= 0.3).mean()),
                    "coverage_80": None,
                }
            )
    shown = [
        {
            "of": row["of"],
            "rows": f"{row['rows']}",
            "median error": f"{row['median_ape']:.0%}",
            "within 30%": f"{row['within_30pct']:.0%}",
            "80% interval covers": NONE if row["coverage_80"] is None else f"{row['coverage_80']:.0%}",
        }
        for row in rows
    ]
    numbers = ("rows", "median error", "within 30%", "80% interval covers")
    return ReportTable(pd.DataFrame(rows), pd.DataFrame(shown), numbers)


def validation_sentence(validation: Validation) -> str:
    """What to think of the predictions."""
    score = validation.score(_RATE)
    return (
        f"Of {score.n} measured throughputs, each predicted without its own GPU and model, half are within "
        f"{score.median_ape:.0%}, {score.within_30pct:.0%} within 30%, and {score.coverage_80:.0%} "
        f"in the 80% interval; "
        f"the {score.clusters} pairs of GPU and model count alike."
    )


def validation_data(validation: Validation) -> dict[str, Any]:
    """`validation` of result.json: of the throughput, and the times beside it."""
    scores = {score.metric: score for score in validation.scores()}
    rate = scores[_RATE]
    return {
        "median_ape": rate.median_ape,
        "within_30pct": rate.within_30pct,
        "coverage_80": rate.coverage_80,
        "n": rate.n,
        "clusters": rate.clusters,
        "times": {
            name: {
                "median_ape": score.median_ape,
                "within_30pct": score.within_30pct,
                "coverage_80": score.coverage_80,
                "n": score.n,
            }
            for name, score in scores.items()
            if name != _RATE
        },
    }
