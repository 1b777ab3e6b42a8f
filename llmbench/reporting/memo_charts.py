"""The figures of the notebook `migration_memo`: evidence against margins, money over time, where it flips."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure
from llmbench.reporting.memo_amounts import usd, usd_range
from llmbench.reporting.memo_tables import measured_text
from llmbench.reporting.wording import clip

if TYPE_CHECKING:
    from matplotlib.patches import Rectangle

    from llmbench.decision import GateResult
    from llmbench.reporting.memo_study import MemoStudy

__all__ = ["cash_figure", "evidence_figure", "flip_figure"]

_COLOURS = {"pass": "blue", "fail": "orange", "insufficient": "grey"}
_PAIR = 4.8
"""Inches: half of a page, so that what is written in it can be read in print."""
_FLIP_COLOURS = {"GO": "blue", "NO_GO": "orange", "cannot tell": "light"}
_FLIP_WORDS = {"GO": "pays", "NO_GO": "does not", "cannot tell": "cannot tell"}


@house_style()
def evidence_figure(study: MemoStudy) -> Plot | None:
    """Each gate with an interval against its threshold; None where there is none.

    The distance from the threshold is drawn over the threshold or the width of the interval, whichever is
    more, so that gates of different units stand in one picture; the numbers are written beside.
    """
    import pandas as pd

    rows = [r for r in study.decided if None not in r.measured[:3] and not r.gate.metric.certain]
    if not rows:
        return None
    figure, axes = new_figure(width=_PAIR, height=1.1 + 0.55 * len(rows))
    for place, result in enumerate(rows):
        found = result.measured
        low, value, high = (_away(result, end) for end in (found.low, found.value, found.high))
        colour = PALETTE[_COLOURS[result.state]]
        axes.hlines(place, low, high, color=colour, linewidth=3)
        axes.plot(value, place, "o", color=colour, markersize=6)
        axes.annotate(
            measured_text(result), (value, place), xytext=(0, 7), textcoords="offset points", ha="center",
            fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
        )  # fmt: skip
    axes.axvline(0, color=PALETTE["ink"], linewidth=1.2, linestyle=DASHED)
    axes.set_yticks(range(len(rows)), [f"{clip(r.gate.name, 16)}\n{r.gate.stage}" for r in rows])
    axes.set_ylim(len(rows) - 0.4, -0.8)
    reach = 1.15 * max(abs(end) for end in axes.get_xlim())
    axes.set_xlim(-reach, reach)
    axes.set_xticks([0], ["threshold"])
    axes.grid(visible=False)
    axes.text(-reach, -0.62, "← not good enough", fontsize=8, color=PALETTE["grey"])
    axes.text(reach, -0.62, "good enough →", fontsize=8, color=PALETTE["grey"], ha="right")
    axes.set_title("The evidence against its thresholds")
    frame = pd.DataFrame(
        [
            {"gate": r.gate.name, "stage": r.gate.stage, "state": r.state, "threshold": r.gate.threshold}
            | r.measured._asdict()
            for r in rows
        ]
    )
    caption = (
        "95% intervals and their distance from the threshold, each on a scale of its own. Blue: passed; "
        "orange: failed; grey: not enough to tell."
    )
    return Plot(figure, frame, caption)


def _away(result: GateResult, end: float | None) -> float:
    """How far on the good side of the threshold: over the threshold, or in units of it where it is 0."""
    gate, scale = result.gate, abs(result.gate.threshold)
    width = abs((result.measured.high or 0.0) - (result.measured.low or 0.0))
    distance = ((end or 0.0) - gate.threshold) / (max(scale, width) or 1.0)
    signed = distance if gate.at_least else -distance
    return max(-2.5, min(2.5, signed))


@house_style()
def cash_figure(study: MemoStudy) -> Plot | None:
    """What is saved so far, month by month, with the range of all months; None without prices."""
    import numpy as np

    budget = study.budget
    if budget is None:
        return None
    figure, axes = new_figure(width=_PAIR, height=3.4)
    frame = budget.to_pandas()
    months = frame["month"].to_numpy()
    stated = (frame["before_usd"] - frame["after_usd"]).cumsum()
    axes.axhline(0, color=PALETTE["ink"], linewidth=1)
    axes.plot(months, stated, "o-", color=PALETTE["blue"], linewidth=2, markersize=4)
    last = float(stated.iloc[-1])
    spread = budget.total_saving
    axes.vlines(months[-1] + 0.25, spread.p10, spread.p90, color=PALETTE["blue"], linewidth=3, alpha=0.6)
    axes.annotate(
        usd_range(spread), (months[-1] + 0.25, spread.p10),
        xytext=(0, -5), textcoords="offset points", ha="right", va="top", fontsize=8,
    )  # fmt: skip
    first = float(stated.iloc[0])
    if first < 0:
        axes.annotate(
            f"{usd(-first)} spent first",
            (0, first),
            xytext=(6, -4),
            textcoords="offset points",
            fontsize=8,
            va="top",
        )
    axes.set_xticks(np.arange(0, months[-1] + 1, max(1, -(-len(months) // 8))))
    axes.set_xlabel("months from the decision")
    axes.set_ylabel("saved so far, USD")
    axes.yaxis.set_major_formatter(lambda value, _: usd(value) if value else "$0")
    axes.margins(y=0.18)
    axes.set_title("What it saves, and when it has paid")
    caption = (
        "Line: volumes and prices as stated, and what is spent once when it is spent. Bar: 8 of 10 of "
        f"{budget.draws:,} draws of what is not known (seed {budget.seed}). The end as stated: {usd(last)}."
    )
    return Plot(figure, frame.assign(saved_so_far_usd=stated), caption)


@house_style()
def flip_figure(study: MemoStudy) -> Plot | None:
    """The grid of volume by value per reply; None where it could not be computed."""
    import pandas as pd

    grid = study.flip
    if grid is None:
        return None
    volumes = sorted({cell.messages_per_month for cell in grid.cells})
    values = sorted({cell.value_per_reply for cell in grid.cells})
    figure, axes = new_figure(height=1.3 + 0.45 * len(values))
    for cell in grid.cells:
        x, y = volumes.index(cell.messages_per_month), values.index(cell.value_per_reply)
        dark = cell.verdict != "cannot tell"
        axes.add_patch(_square(x, y, PALETTE[_FLIP_COLOURS[cell.verdict]]))
        axes.text(
            x, y, f"{_FLIP_WORDS[cell.verdict]}\n{usd(cell.net_usd)}", ha="center", va="center", fontsize=7.5,
            color="white" if dark else PALETTE["ink"],
        )  # fmt: skip
    if study.traffic is not None and study.risk is not None:
        x = _nearest(volumes, study.traffic.messages_per_month)
        y = _nearest(values, study.value_per_reply)
        axes.add_patch(_square(x, y, PALETTE["ink"], filled=False))
    axes.set_xlim(-0.5, len(volumes) - 0.5)
    axes.set_ylim(-0.5, len(values) - 0.5)
    axes.set_xticks(range(len(volumes)), [f"{volume:,.0f}" for volume in volumes])
    axes.set_yticks(range(len(values)), [usd(value) for value in values])
    axes.set_xlabel("messages a month")
    axes.set_ylabel("value of a reply")
    axes.grid(visible=False)
    months = study.budget.months if study.budget is not None else 12
    axes.set_title(f"What it brings in {months} months" if months > 1 else "What it brings in a month")
    caption = (
        f"{clip(study.candidate)} instead of {clip(study.baseline)}, over {months} months, discounted: "
        "what is saved, less the value of replies lost, less what is spent once, at the middle of "
        "the A/B interval. Pays, or does not: the whole interval says so. Framed: nearest to today."
    )
    return Plot(figure, pd.DataFrame(grid.cells), caption)


def _nearest(among: list[float], value: float) -> int:
    """The place of the one that is the fewest times more or less."""
    return min(range(len(among)), key=lambda place: abs(math.log(among[place] / value)))


def _square(x: int, y: int, colour: str, *, filled: bool = True) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour if filled else "none", edgecolor=colour,
        linewidth=0 if filled else 2.5,
    )  # fmt: skip
