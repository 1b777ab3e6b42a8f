"""Figures and tables of the notebook `model_matrix` beyond its first screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.matrix.power import POINTS
from llmbench.money import dollars
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.matrix_tables import Table
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import UNKNOWN, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from llmbench.matrix import MatrixResults

__all__ = ["decomposition_table", "frontier_figure", "latency_figure", "power_table"]

_MOST_CURVES = 6
"""More than these cannot be told apart."""
_LINES = ("-", "--", ":", "-.")
_MOST_LABELS = 12
_WORTH_TELLING = 0.05
"""Chance of being on the frontier from which on a cell off it is named in the figure."""
_LEAST_ANSWERS = 20
_INWARDS = 0.6
"""Part of the width from which on a label grows to the left."""


@house_style()
def frontier_figure(results: MatrixResults) -> Plot | None:
    """Score against cost, with the frontier; None where fewer than two cells have known costs."""
    import pandas as pd

    points = results.frontier()
    if len(points) < 2:
        return None
    figure, axes = new_figure(height=3.6)
    free = any(point.cost_per_1k_calls == 0 for point in points)
    cells = {cell.cell: cell for cell in results.cells}
    for point in points:
        colour = PALETTE["blue"] if point.on_frontier else PALETTE["grey"]
        score_ci, cost_ci = cells[point.cell].score_ci, cells[point.cell].cost_per_1k_calls_ci
        if score_ci is not None:
            axes.vlines(point.cost_per_1k_calls, 100 * score_ci.low, 100 * score_ci.high, color=colour)
        if cost_ci is not None:
            axes.hlines(100 * point.score, cost_ci.low, cost_ci.high, color=colour)
        axes.plot(point.cost_per_1k_calls, 100 * point.score, "o", color=colour)
    edge = [point for point in points if point.on_frontier]
    axes.step(
        [p.cost_per_1k_calls for p in edge],
        [100 * p.score for p in edge],
        where="post",
        color=PALETTE["blue"],
        linewidth=1,
        alpha=0.6,
    )
    # A logarithm has no place for one's own machine, which costs 0 a call.
    axes.set_xscale("symlog", linthresh=_smallest(points)) if free else axes.set_xscale("log")
    axes.margins(x=0.2, y=0.15)
    axes.xaxis.set_major_formatter("${x:,g}")
    _label_points(axes, points)
    axes.set_xlabel("per 1,000 calls")
    axes.set_ylabel("score, %")
    axes.set_title("Quality and cost")
    frame = pd.DataFrame([point._asdict() for point in points])
    return Plot(
        figure,
        frame,
        (
            "Blue: no other cell is at least as good for at most the same money. In brackets: the share of "
            f"2,000 bootstrap samples of the items in which that holds. Bars: {100 * results.confidence:g}% "
            "intervals."
        ),
    )


def _smallest(points: Any) -> float:
    positive = [point.cost_per_1k_calls for point in points if point.cost_per_1k_calls > 0]
    return min(positive, default=1.0)


def _label_points(axes: Axes, points: Any) -> None:
    told = [point for point in points if point.on_frontier or point.probability_on_frontier >= _WORTH_TELLING]
    told = sorted(told, key=lambda point: -point.probability_on_frontier)[:_MOST_LABELS]
    for number, point in enumerate(sorted(told, key=lambda point: point.cost_per_1k_calls)):
        above = number % 2 == 0  # neighbours in cost are labelled on different sides
        place = axes.transAxes.inverted().transform(
            axes.transData.transform((point.cost_per_1k_calls, 100 * point.score))
        )[0]
        right = place > _INWARDS
        axes.annotate(
            f"{encodable(point.cell)} ({point.probability_on_frontier:.0%})",
            (point.cost_per_1k_calls, 100 * point.score),
            xytext=(-6 if right else 6, 7 if above else -14),
            textcoords="offset points",
            fontsize=8,
            ha="right" if right else "left",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )


@house_style()
def latency_figure(results: MatrixResults) -> Plot | None:
    """Share of answers within a time, per cell; None where no cell has 20 measured answers."""
    import pandas as pd

    given = results.answers[~results.answers["missing"].to_numpy(dtype=bool)]
    frames, curves = [], []
    for cell in (summary.cell for summary in results.cells):
        times = given.loc[given["cell"] == cell, "latency_ms"].dropna().sort_values().to_numpy(dtype=float)
        if len(times) >= _LEAST_ANSWERS:
            shares = np.arange(1, len(times) + 1) / len(times)
            frames.append(pd.DataFrame({"cell": cell, "latency_ms": times, "share": shares}))
            curves.append((cell, times, shares))
    if not curves:
        return None
    curves.sort(key=lambda curve: float(np.median(curve[1])))
    figure, axes = new_figure(height=3.2)
    colours = [PALETTE[name] for name in ("blue", "orange", "green", "grey")]
    shown = curves[:_MOST_CURVES]
    for number, (_, times, shares) in enumerate(shown):
        colour, line = colours[number % len(colours)], _LINES[number // len(colours) % len(_LINES)]
        axes.step(times, 100 * shares, where="post", color=colour, linestyle=line, linewidth=1.6)
    # Beside the curves, in their order from the fastest: on them it would cover the others.
    axes.legend(
        [f"{encodable(cell)}, n = {len(times):,}" for cell, times, _ in shown],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8,
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_ylim(0, 102)
    axes.set_xlabel("milliseconds to the whole answer")
    axes.set_ylabel("answers, %")
    axes.set_title("Latency")
    left = len(curves) - len(shown)
    note = f" The {len(shown)} fastest of {len(curves)} cells; the CSV has all." if left else ""
    return Plot(
        figure,
        pd.concat(frames),
        "Share of answers that were there within a time: of the attempt that answered, without waits between "
        f"attempts.{note}",
    )


def power_table(results: MatrixResults) -> Table | None:
    """What these items can show, and what a smaller difference takes; None without comparisons."""
    import pandas as pd

    found = results.power()
    if not found:
        return None
    rows, shown = [], []
    for each in found:
        needed = {f"items_for_{points}_points": each.items_needed[str(points)] for points in POINTS}
        rows.append({"candidate": each.candidate, "n": each.n, "mde": each.mde, **needed})
        columns = {
            "candidate": each.candidate,
            "items": f"{each.n:,}",
            "smallest difference shown": UNKNOWN if each.mde is None else f"{100 * each.mde:.1f} points",
        }
        for points in POINTS:
            items = each.items_needed[str(points)]
            columns[f"items for {points} pt"] = UNKNOWN if items is None else f"{items:,}"
        shown.append(columns)
    frame = pd.DataFrame(shown)
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def decomposition_table(results: MatrixResults) -> Table:
    """Tokens and dollars of each cell, with its share of what all cost together."""
    import pandas as pd

    total = sum(cell.cost_usd or 0.0 for cell in results.cells)
    rows, shown = [], []
    for cell in results.cells:
        share = cell.cost_usd / total if cell.cost_usd is not None and total > 0 else None
        answers = len(results.answers[results.answers["cell"] == cell.cell]) - cell.missing
        per_answer = [
            None if tokens is None or not answers else tokens / answers
            for tokens in (cell.input_tokens, cell.output_tokens)
        ]
        rows.append(
            {
                "cell": cell.cell, "answers": answers, "input_tokens": cell.input_tokens,
                "output_tokens": cell.output_tokens, "cost_usd": cell.cost_usd, "share": share,
            }
        )  # fmt: skip
        shown.append(
            {
                "cell": cell.cell,
                "answers": f"{answers:,}",
                "tokens in, an answer": UNKNOWN if per_answer[0] is None else f"{per_answer[0]:,.0f}",
                "tokens out, an answer": UNKNOWN if per_answer[1] is None else f"{per_answer[1]:,.0f}",
                "cost": dollars(cell.cost_usd),
                "share of all": UNKNOWN if share is None else percent(share),
            }
        )
    frame = pd.DataFrame(shown)
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))
