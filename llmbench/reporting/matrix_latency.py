"""How long answers take: by cell as a curve and a table, and against the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmbench.matrix.summary import P95_LEAST_ANSWERS, answers_by_cell
from llmbench.reporting.axes import label_points, log_axis, series_style
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import estimate, limits, percent, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmbench.matrix import MatrixResults

__all__ = ["latency_figure", "latency_table", "quality_latency_figure"]

_MOST_CURVES = 6
"""More than these cannot be told apart."""
_LEAST_ANSWERS = 20
_MOST_STEPS = 1000
"""More steps than this are not seen in a curve."""
_MOST_LABELS = 12


@house_style()
def latency_figure(results: MatrixResults) -> Plot | None:
    """Share of answers within a time, per cell; None where no cell has 20 measured answers."""
    import pandas as pd

    given = results.answers[~results.answers["missing"].to_numpy(dtype=bool)]
    given = given[given["latency_ms"].notna()]
    measured = answers_by_cell(given)
    frames, curves = [], []
    for cell in (summary.cell for summary in results.cells):
        found = measured.get(cell)
        if found is not None and len(found) >= _LEAST_ANSWERS:
            times, shares = _curve(found["latency_ms"].to_numpy(dtype=float))
            frames.append(pd.DataFrame({"cell": cell, "latency_ms": times, "share": shares}))
            curves.append((cell, times, shares, len(found)))
    if not curves:
        return None
    curves.sort(key=lambda curve: float(np.median(curve[1])))
    figure, axes = new_figure(height=3.2)
    shown = curves[:_MOST_CURVES]
    for number, (_, times, shares, _) in enumerate(shown):
        colour, stroke = series_style(number)
        axes.step(times, 100 * shares, where="post", color=colour, linestyle=stroke, linewidth=1.6)
    # Beside the curves, in their order from the fastest: on them it would cover the others.
    axes.legend(
        [f"{encodable(cell)}, n = {n:,}" for cell, _, _, n in shown],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8,
    )
    log_axis(axes)
    axes.set_ylim(0, 102)
    axes.set_xlabel("milliseconds to the whole answer")
    axes.set_ylabel("answers, %")
    axes.set_title("Latency")
    left = len(curves) - len(shown)
    note = f" The {len(shown)} fastest of {len(curves)} cells; the CSV has all." if left else ""
    return Plot(
        figure,
        pd.concat(frames),
        "Share of answers that were there within a time: of the attempt that answered, without waits "
        f"between attempts.{note}",
    )


def _curve(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and the share of answers there by then; of very many every so many-th, and the last."""
    count = len(times)
    places = np.unique(np.linspace(0, count - 1, min(count, _MOST_STEPS)).round().astype(int))
    return np.sort(times)[places], (places + 1) / count


@house_style()
def quality_latency_figure(results: MatrixResults) -> Plot | None:
    """Score against the median time to the whole answer; None where fewer than two cells have both."""
    import pandas as pd

    known = [cell for cell in results.cells if cell.score is not None and cell.latency_p50_ms]
    if len(known) < 2:
        return None
    figure, axes = new_figure(height=3.6)
    log_axis(axes)
    for cell in known:
        score, time = 100 * (cell.score or 0.0), cell.latency_p50_ms or 0.0
        best = not any(
            (other.score or 0.0) >= (cell.score or 0.0)
            and (other.latency_p50_ms or 0.0) <= time
            and other is not cell
            for other in known
        )
        colour = PALETTE["blue"] if best else PALETTE["grey"]
        if cell.score_ci is not None:
            axes.vlines(time, 100 * cell.score_ci.low, 100 * cell.score_ci.high, color=colour)
        if cell.latency_p50_ci is not None:
            axes.hlines(score, *cell.latency_p50_ci, color=colour)
        axes.plot(time, score, "o", color=colour)
    axes.margins(x=0.1, y=0.15)
    shown = sorted(known, key=lambda cell: -(cell.score or 0.0))[:_MOST_LABELS]
    label_points(
        axes,
        [(encodable(cell.cell), cell.latency_p50_ms or 0.0, 100 * (cell.score or 0.0)) for cell in shown],
    )
    axes.set_xlabel("milliseconds to the whole answer, median")
    axes.set_ylabel("score, %")
    axes.set_title("Quality and latency")
    frame = pd.DataFrame(
        {
            "cell": [cell.cell for cell in known],
            "n": [cell.n for cell in known],
            "score": [cell.score for cell in known],
            "score_low": [limits(cell.score_ci)[0] for cell in known],
            "score_high": [limits(cell.score_ci)[1] for cell in known],
            "latency_p50_ms": [cell.latency_p50_ms for cell in known],
            "latency_low": [limits(cell.latency_p50_ci)[0] for cell in known],
            "latency_high": [limits(cell.latency_p50_ci)[1] for cell in known],
        }
    )
    return Plot(
        figure,
        frame,
        "Blue: no other cell is at least as good and at least as fast. Bars: "
        f"{100 * results.confidence:g}% intervals, n as in the table below.",
    )


def latency_table(results: MatrixResults) -> ReportTable | None:
    """Times to the whole answer, by cell; None where none was measured."""
    import pandas as pd

    given = results.answers[results.answers["latency_ms"].notna()]
    times = answers_by_cell(given)
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
    return ReportTable(pd.DataFrame(rows), pd.DataFrame(shown), ("p50, ms", "p95, ms", "score"))
