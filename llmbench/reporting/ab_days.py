"""How an experiment went, by day and by week: figures of the notebook `ab_test`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from llmbench.reporting.ab_figures import simulated_note
from llmbench.reporting.axes import STROKES
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure
from llmbench.reporting.wording import clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from llmbench.abtest import AbResult

__all__ = [
    "cumulative_figure",
    "weeks_figure",
]

_LEAST_WEEK_REPLIES = 3


@house_style()
def cumulative_figure(result: AbResult) -> Plot | None:
    """The ratio as the days went by, with limits that may be looked at every day; None before a look."""
    import pandas as pd

    from llmbench.abtest import day_series

    series = day_series(result)
    if not series:
        return None
    treatment = result.chosen.treatment if result.chosen else series[0].treatment
    mine = [point for point in series if point.treatment == treatment]
    others = " The CSV has the other treatments too." if len(mine) < len(series) else ""
    figure, axes = new_figure(height=3.2)
    days: Any = [point.day for point in mine]  # dates, which matplotlib's types do not know
    top = _top(mine)

    def within(values: Sequence[float]) -> list[float]:
        return [100 * min(value, top) for value in values]

    axes.fill_between(
        days,
        within([p.low for p in mine]),
        within([p.high for p in mine]),
        color=PALETTE["blue"],
        alpha=0.18,
        linewidth=0,
        label="limits that hold at any time",
    )
    for values in ([p.fixed_low for p in mine], [p.fixed_high for p in mine]):
        axes.plot(days, within(values), color=PALETTE["orange"], linewidth=1, linestyle=DASHED)
    axes.plot(
        [],
        [],
        color=PALETTE["orange"],
        linewidth=1,
        linestyle=DASHED,
        label="fixed-n limits: do not peek",
    )
    axes.plot(days, within([p.ratio for p in mine]), color=PALETTE["blue"], linewidth=1.8, label="so far")
    axes.axhline(100, color=PALETTE["ink"], linewidth=1)
    axes.set_ylim(0, 100 * top)
    if result.plan.scale == "ratio":
        axes.axhline(100 * result.plan.margin, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
        axes.annotate(
            f"margin\n{100 * result.plan.margin:g}%", (1, 100 * result.plan.margin),
            xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points", fontsize=8,
            color=PALETTE["grey"], va="center", annotation_clip=False,
        )  # fmt: skip
    _dates(axes)
    axes.set_xlabel("leads first sent to until")
    axes.set_ylabel(f"% of {clip(result.plan.control, 16)}'s rate")
    axes.set_title(f"{clip(treatment)} as the days went by")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    return Plot(
        figure, pd.DataFrame([point._asdict() for point in series]),
        "Ratio of the reply rates of all mature leads first sent to until each day. The band "
        f"({100 * (1 - 2 * result.plan.alpha):g}%) holds at all days together; the dashed lines hold only "
        "for one look that was fixed beforehand, and whoever stops when they first leave 100% is wrong far "
        f"more often than they say.{others}" + simulated_note(result),
    )  # fmt: skip


@house_style()
def weeks_figure(result: AbResult) -> Plot | None:
    """Reply rates of the arms by week; None before a look, or of less than two weeks."""
    import pandas as pd

    from llmbench.stats import wilson_interval

    counted: dict[tuple[str, Any], list[int]] = {}
    for row in result.counts.days if result.shows_effect else ():
        found = counted.setdefault((row.arm, row.day - timedelta(days=row.day.weekday())), [0, 0])
        found[0] += row.units
        found[1] += row.replied
    frame = pd.DataFrame(
        [
            {
                "week": week, "arm": arm, "units": n, "replied": x, "rate": x / n,
                **wilson_interval(x, n, result.plan.confidence)._asdict(),
            }
            for (arm, week), (n, x) in sorted(counted.items(), key=lambda item: (item[0][1], item[0][0]))
            if n
        ]
    )  # fmt: skip
    if frame.empty or frame["week"].nunique() < 2:
        return None
    # Of a week with a handful of leads nothing is seen but its interval; the CSV has it.
    drawn = frame[frame["units"] * (result.pooled_rate or 0.0) >= _LEAST_WEEK_REPLIES]
    if drawn["week"].nunique() < 2:
        return None
    left = len(frame) - len(drawn)
    note = f" Of {len(frame)} points {left} with few leads are not drawn; the CSV has all." if left else ""
    figure, axes = new_figure(height=2.8)
    arms = [arm.arm for arm in result.arms]
    colours = [PALETTE[name] for name in ("blue", "grey", "orange", "green")]
    for number, arm in enumerate(arms):
        mine = drawn[drawn["arm"] == arm]
        place: Any = [week + timedelta(hours=20 * number) for week in mine["week"]]
        colour = colours[number % 4]
        axes.vlines(place, 100 * mine["low"], 100 * mine["high"], color=colour, linewidth=1.4, alpha=0.6)
        axes.plot(
            place, 100 * mine["rate"], color=colour, marker="o", markersize=4, linewidth=1.4,
            linestyle=STROKES[number % 4], label=clip(arm),
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    _dates(axes)
    axes.set_xlabel("week of the first message")
    axes.set_ylabel("leads that replied, %")
    axes.set_title("Week by week")
    axes.legend(frameon=False, fontsize=8)
    return Plot(
        figure, frame,
        f"Share of leads that replied, by the week (from Monday) of their first message, with "
        f"{100 * result.plan.confidence:g}% intervals. A base rate that drifts moves both arms; a treatment "
        f"that is only new loses its lead over the weeks.{note}" + simulated_note(result),
    )  # fmt: skip


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _top(points: Sequence[Any]) -> float:
    """As high as the last half of the days needs, so that the first ones do not flatten the rest."""
    later = points[len(points) // 2 :]
    highs = [point.high for point in later if math.isfinite(point.high)]
    return max(1.5, min(4.0, 1.1 * max(highs, default=2.0)))
