"""Figures and tables of the notebook `model_matrix` beyond its first screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmbench.matrix.frontier import BOOTSTRAPS
from llmbench.matrix.power import POINTS
from llmbench.matrix.summary import answers_by_cell
from llmbench.money import dollars
from llmbench.reporting.axes import label_points, log_axis
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.matrix_tables import FIRST_SCREEN, ranked_cells
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import percent
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from llmbench.matrix import MatrixResults

__all__ = ["decomposition_table", "frontier_figure", "money_sentence", "power_table"]

_MOST_LABELS = 12
_WORTH_TELLING = 0.05
"""Chance of being on the frontier from which on a cell off it is named in the figure."""


@house_style()
def frontier_figure(results: MatrixResults) -> Plot | None:
    """Score against cost, with the frontier; None where fewer than two cells have known costs, and where
    no call costs anything: then there is nothing to weigh against.
    """
    import pandas as pd

    points = results.frontier()
    if len(points) < 2 or not any(point.cost_per_1k_calls for point in points):
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
    axes.margins(x=0.2, y=0.15)
    if free:
        axes.set_xscale("symlog", linthresh=_smallest(points))
        axes.set_xlim(left=-0.3 * _smallest(points))
        axes.xaxis.set_major_formatter("${x:,g}")
    else:
        log_axis(axes, "${x:,g}")
    _label_points(axes, points)
    axes.set_xlabel("cost of 1,000 calls, USD")
    axes.set_ylabel("score, %")
    axes.set_title("Quality and cost")
    frame = pd.DataFrame([point._asdict() for point in points])
    return Plot(
        figure,
        frame,
        (
            "Blue: no other cell is at least as good for at most the same money. In brackets: the share of "
            f"{BOOTSTRAPS:,} bootstrap samples of the items in which that holds. Bars: "
            f"{100 * results.confidence:g}% intervals."
        ),
    )


def money_sentence(results: MatrixResults) -> str | None:
    """Why there is no figure of quality and cost, where there is none."""
    costs = [cell.cost_per_1k_calls for cell in results.cells]
    if all(cost is None for cost in costs):
        return "Nothing is known of what these answers cost."
    if not any(costs) and None not in costs:
        return (
            "Every model runs on an endpoint of one's own, which charges nothing a call: what it costs are "
            "the machine's hours, and how long answers take says how many."
        )
    known = sum(cost is not None for cost in costs)
    return f"The cost of {known} cell is known; two are needed to compare." if known < 2 else None


def _smallest(points: Any) -> float:
    positive = [point.cost_per_1k_calls for point in points if point.cost_per_1k_calls > 0]
    return min(positive, default=1.0)


def _label_points(axes: Axes, points: Any) -> None:
    told = list(points)
    if len(told) > _MOST_LABELS:
        told = [p for p in told if p.on_frontier or p.probability_on_frontier >= _WORTH_TELLING]
    told = sorted(told, key=lambda point: -point.probability_on_frontier)[:_MOST_LABELS]
    label_points(
        axes,
        [
            (
                f"{encodable(point.cell)} ({point.probability_on_frontier:.0%})",
                point.cost_per_1k_calls,
                100 * point.score,
            )
            for point in told
        ],
    )


def power_table(results: MatrixResults) -> ReportTable | None:
    """What these items can show, and what a smaller difference takes; None without comparisons."""
    import pandas as pd

    found = results.power()
    if not found:
        return None
    kept = {cell.cell for cell in ranked_cells(results, FIRST_SCREEN)}
    rows, shown = [], []
    for each in found:
        needed = {f"items_for_{points}_points": each.items_needed[str(points)] for points in POINTS}
        rows.append(
            {
                "candidate": each.candidate,
                "n": each.n,
                "mde": each.mde,
                **needed,
                "resolution": each.resolution,
            }
        )
        columns = {
            "candidate": each.candidate,
            "items": f"{each.n:,}",
            "smallest difference shown": UNKNOWN if each.mde is None else f"{100 * each.mde:.1f} points",
        }
        for points in POINTS:
            items = each.items_needed[str(points)]
            columns[f"items for {points} pt"] = UNKNOWN if items is None else f"{items:,}"
        columns["resolution"] = _resolution(each.resolution)
        if each.candidate in kept:
            shown.append(columns)
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def _resolution(ratio: float | None) -> str:
    if ratio is None:
        return UNKNOWN
    return "over 100" if ratio > 100 else f"{ratio:.2g}"


def decomposition_table(results: MatrixResults) -> ReportTable | None:
    """Tokens and dollars of each cell and of the judge, with the share of what all cost together; None
    where nothing is known of either.
    """
    import pandas as pd

    if results.answers[["input_tokens", "output_tokens", "cost_usd"]].isna().to_numpy().all():
        return None

    judge = results.judging
    spent = [cell.cost_usd for cell in results.cells] + ([judge.cost_usd] if judge else [])
    total = sum(cost or 0.0 for cost in spent)
    by_cell = answers_by_cell(results.answers)
    rows, shown = [], []
    for cell in results.cells:
        given = by_cell[cell.cell]
        given = given[~given["missing"].to_numpy(dtype=bool)]
        share = cell.cost_usd / total if cell.cost_usd is not None and total > 0 else None
        kinds = {
            f"{kind}_tokens": _sum(given[f"{kind}_tokens"])
            for kind in ("input", "cached", "output", "reasoning")
        }
        rows.append(
            {"cell": cell.cell, "answers": len(given), **kinds, "cost_usd": cell.cost_usd, "share": share}
        )
        shown.append(
            {
                "cell": cell.cell,
                "answers": f"{len(given):,}",
                "tokens in, p50 (p95)": _median_and_tail(given["input_tokens"]),
                "of them cached": _part(kinds["cached_tokens"], kinds["input_tokens"]),
                "tokens out, p50 (p95)": _median_and_tail(given["output_tokens"]),
                "of them reasoning": _part(kinds["reasoning_tokens"], kinds["output_tokens"]),
                "cost": dollars(cell.cost_usd),
                "$ per 1,000 right": dollars(
                    None if cell.cost_per_correct is None else 1000 * cell.cost_per_correct
                ),
                "share of all": _share(share, total),
            }
        )
    if judge is not None:
        share = judge.cost_usd / total if judge.cost_usd is not None and total > 0 else None
        rows.append(
            {
                "cell": f"judge {judge.judge}",
                "answers": judge.asked,
                "cost_usd": judge.cost_usd,
                "share": share,
            }
        )
        shown.append(
            dict.fromkeys(shown[0], NONE)
            | {"cell": f"judge {judge.judge}", "answers": f"{judge.asked:,}", "cost": dollars(judge.cost_usd)}
            | {"share of all": _share(share, total)}
        )
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def _share(share: float | None, total: float) -> str:
    if share is None:
        return UNKNOWN if total else NONE
    return percent(share)


def _sum(tokens: pd.Series) -> float | None:
    return float(tokens.sum()) if len(tokens) and not tokens.isna().any() else None


def _median_and_tail(tokens: pd.Series) -> str:
    known = tokens.dropna()
    if not len(known):
        return UNKNOWN
    middle, tail = known.quantile([0.5, 0.95])
    return f"{middle:,.0f} ({tail:,.0f})"


def _part(tokens: float | None, whole_tokens: float | None) -> str:
    if tokens is None or not whole_tokens:
        return UNKNOWN
    return percent(tokens / whole_tokens) if tokens else "0"
