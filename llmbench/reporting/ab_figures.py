"""What the figures of the notebook `ab_test` share: effects with their intervals, simulated data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from llmbench.reporting.figures import PALETTE, label_value
from llmbench.reporting.wording import clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from llmbench.abtest import AbResult, Plan

__all__ = [
    "EffectRow",
    "effect_forest",
    "shade_margin",
    "simulated_lines",
    "simulated_note",
]


class EffectRow(NamedTuple):
    """One effect with its interval, in the unit of the axis; `text` stands beside the point."""

    label: str
    estimate: float
    low: float
    high: float
    colour: str
    text: str


def shade_margin(axes: Axes, plan: Plan) -> None:
    """What the margin lets be lost, and a line where the arms are equal."""
    null = 100 * plan.null
    axes.axvspan(100 * plan.margin, null, color=PALETTE["light"], zorder=0, linewidth=0)
    axes.axvline(null, color=PALETTE["ink"], linewidth=1)


def effect_forest(axes: Axes, rows: Sequence[EffectRow], plan: Plan) -> None:
    """Draw a row an effect; an interval without a limit goes to the edge."""
    finite = [v for row in rows for v in (row.low, row.high, row.estimate) if math.isfinite(v)]
    left, right = min(finite), max(finite)
    low, high = axes.get_xlim()
    left, right = min(left, low), max(right, high)
    room = 0.08 * (right - left)
    axes.set_xlim(left - room, right + room)
    for position, row in enumerate(rows):
        start = row.low if math.isfinite(row.low) else left - room
        stop = row.high if math.isfinite(row.high) else right + room
        axes.hlines(position, start, stop, color=PALETTE[row.colour], linewidth=2.4)
        axes.plot(row.estimate, position, marker="o", markersize=6, color=PALETTE[row.colour])
        label_value(axes, row.text, row.estimate, position)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.3, -0.8)
    axes.grid(visible=False, axis="y")
    ratio = plan.scale == "ratio"
    axes.set_xlabel(
        f"reply rate, % of {clip(plan.control, 24)}'s" if ratio else "difference of reply rates, points"
    )


def simulated_lines(result: AbResult) -> list[str]:
    """The last line of printed text on data that nobody sent."""
    return ["Simulated data."] if result.counts.simulated else []


def simulated_note(result: AbResult) -> str:
    """The last words under a figure of data that nobody sent."""
    return " Simulated data." if result.counts.simulated else ""
