"""Figures and tables of the notebook `model_matrix` beyond its first screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.matrix.power import POINTS
from llmbench.matrix.summary import P95_LEAST_ANSWERS
from llmbench.money import dollars
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.matrix_tables import FIRST_SCREEN, Table, ranked_cells
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import NONE, UNKNOWN, estimate, limits, percent, whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from llmbench.matrix import MatrixResults

__all__ = ["decomposition_table", "frontier_figure", "latency_figure", "latency_table", "power_table"]

_MOST_CURVES = 6
"""More than these cannot be told apart."""
_LINES = ("-", "--", ":", "-.")
_MOST_LABELS = 12
_WORTH_TELLING = 0.05
"""Chance of being on the frontier from which on a cell off it is named in the figure."""
_LEAST_ANSWERS = 20
_MOST_STEPS = 1000
"""More steps than this are not seen in a curve."""
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
    given = given[given["latency_ms"].notna()]
    measured = {str(name): rows["latency_ms"] for name, rows in given.groupby("cell", sort=False)}
    frames, curves = [], []
    for cell in (summary.cell for summary in results.cells):
        found = measured.get(cell)
        if found is not None and len(found) >= _LEAST_ANSWERS:
            times, shares = _curve(found.to_numpy(dtype=float))
            frames.append(pd.DataFrame({"cell": cell, "latency_ms": times, "share": shares}))
            curves.append((cell, times, shares, len(found)))
    if not curves:
        return None
    curves.sort(key=lambda curve: float(np.median(curve[1])))
    figure, axes = new_figure(height=3.2)
    colours = [PALETTE[name] for name in ("blue", "orange", "green", "grey")]
    shown = curves[:_MOST_CURVES]
    for number, (_, times, shares, _) in enumerate(shown):
        colour, line = colours[number % len(colours)], _LINES[number // len(colours) % len(_LINES)]
        axes.step(times, 100 * shares, where="post", color=colour, linestyle=line, linewidth=1.6)
    # Beside the curves, in their order from the fastest: on them it would cover the others.
    axes.legend(
        [f"{encodable(cell)}, n = {n:,}" for cell, _, _, n in shown],
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


def _curve(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and the share of answers there by then; of very many every so many-th, and the last."""
    count = len(times)
    places = np.unique(np.linspace(0, count - 1, min(count, _MOST_STEPS)).round().astype(int))
    return np.sort(times)[places], (places + 1) / count


def power_table(results: MatrixResults) -> Table | None:
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
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def _resolution(ratio: float | None) -> str:
    if ratio is None:
        return UNKNOWN
    return "over 100" if ratio > 100 else f"{ratio:.2g}"


def decomposition_table(results: MatrixResults) -> Table | None:
    """Tokens and dollars of each cell and of the judge, with the share of what all cost together; None
    where nothing is known of either.
    """
    import pandas as pd

    if results.answers[["input_tokens", "output_tokens", "cost_usd"]].isna().to_numpy().all():
        return None

    judge = results.judging
    spent = [cell.cost_usd for cell in results.cells] + ([judge.cost_usd] if judge else [])
    total = sum(cost or 0.0 for cost in spent)
    by_cell = {str(name): rows for name, rows in results.answers.groupby("cell", sort=False)}
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
                "share of all": UNKNOWN if share is None else percent(share),
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
            | {"share of all": UNKNOWN if share is None else percent(share)}
        )
    frame = pd.DataFrame(shown)
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def latency_table(results: MatrixResults) -> Table | None:
    """Times to the whole answer, by cell; None where none was measured."""
    import pandas as pd

    given = results.answers[results.answers["latency_ms"].notna()]
    times = {str(name): rows["latency_ms"] for name, rows in given.groupby("cell", sort=False)}
    known = [cell for cell in results.cells if cell.cell in times]
    if not known:
        return None
    known.sort(key=lambda cell: cell.latency_p50_ms or 0.0)
    rows = [
        {
            "cell": cell.cell, "n": len(times[cell.cell]), "p50_ms": cell.latency_p50_ms,
            "p50_low": limits(cell.latency_p50_ci)[0], "p50_high": limits(cell.latency_p50_ci)[1],
            "p95_ms": cell.latency_p95_ms,
        }
        for cell in known
    ]  # fmt: skip
    shown = [
        {
            "cell": cell.cell,
            "n": len(times[cell.cell]),
            "p50, ms": estimate(cell.latency_p50_ms, cell.latency_p50_ci, whole),
            "p95, ms": (
                f"from {P95_LEAST_ANSWERS} answers on"
                if cell.latency_p95_ms is None
                else whole(cell.latency_p95_ms)
            ),
            "score": estimate(cell.score, cell.score_ci, percent),
        }
        for cell in known
    ]
    return Table(pd.DataFrame(rows), pd.DataFrame(shown), ("p50, ms", "p95, ms", "score"))


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
