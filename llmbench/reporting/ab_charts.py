"""Figures of the notebook `ab_test`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.money import dollars
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.wording import clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from llmbench.abtest import AbResult

__all__ = [
    "acceptability_figure",
    "cumulative_figure",
    "effect_figure",
    "first_figures",
    "power_figure",
    "progress_figure",
    "segment_figure",
    "weeks_figure",
]

_VERDICT_COLOURS = {"better": "green", "not worse": "blue", "worse": "orange", "cannot tell": "grey"}
_LINES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1, 1, 1)))
_EDGE = 0.25
_MOST_SEGMENTS = 20
_LEAST_WEEK_REPLIES = 3
_DOTTED = " Dotted: from here on the saving is larger than the value of the replies that are lost."


class _Row(NamedTuple):
    label: str
    estimate: float
    low: float
    high: float
    colour: str
    text: str


def first_figures(result: AbResult) -> list[tuple[str, Plot]]:
    """The one or two figures of the first screen, by name."""
    if not result.shows_effect:
        found = [("progress", progress_figure(result))]
    else:
        found = [("effect", effect_figure(result)), ("acceptability", acceptability_figure(result))]
    return [(name, figure) for name, figure in found if figure is not None]


@house_style()
def effect_figure(result: AbResult) -> Plot | None:
    """The effect of each treatment with the margin; None where no effect is shown."""
    import pandas as pd

    plan = result.plan
    ratio = plan.scale == "ratio"
    units = {arm.arm: arm.units for arm in result.arms}
    rows, frames = [], []
    for c in result.comparisons:
        value, interval = (c.ratio, c.ratio_ci) if ratio else (c.difference, c.difference_ci)
        if value is None or interval is None:
            continue
        label = f"{clip(c.treatment)}\nn = {units[c.treatment]:,} against {units[c.control]:,}"
        shown = f"{100 * value:.1f}%" if ratio else f"{100 * value:+.2f}".replace("-", "−")
        rows.append(
            _Row(label, 100 * value, 100 * interval.low, 100 * interval.high, _VERDICT_COLOURS[c.verdict],
                 f"{shown}: {c.verdict}")
        )  # fmt: skip
        frames.append(
            {
                "control": c.control, "treatment": c.treatment, "scale": plan.scale, "estimate": value,
                "low": interval.low, "high": interval.high, "margin": plan.margin, "verdict": c.verdict,
                "n_treatment": units[c.treatment], "n_control": units[c.control],
            }
        )  # fmt: skip
    if not rows:
        return None
    figure, axes = new_figure(height=1.3 + 0.62 * max(2, len(rows)))
    null, margin = 100 * plan.null, 100 * plan.margin
    axes.axvspan(margin, null, color=PALETTE["light"], zorder=0, linewidth=0)
    axes.axvline(null, color=PALETTE["ink"], linewidth=1)
    axes.axvline(margin, color=PALETTE["grey"], linewidth=1, linestyle=(0, (4, 3)))
    unit = f"reply rate, % of {clip(plan.control, 24)}'s" if ratio else "difference of reply rates, points"
    _forest(axes, rows, unit)
    marks = [(margin, f"margin {margin:g}%" if ratio else f"margin {margin:g}")]
    economic = _economic(result)
    if economic is not None and axes.get_xlim()[0] < 100 * economic < axes.get_xlim()[1]:
        axes.axvline(100 * economic, color=PALETTE["green"], linewidth=1.2, linestyle=(0, (1, 1.5)))
        marks.append(
            (
                100 * economic,
                f"pays from {100 * economic:.1f}%" if ratio else f"pays from {100 * economic:+.2f}",
            )
        )
    _marks(axes, marks)
    axes.set_title("Replies against the margin")
    frame = pd.DataFrame(frames)
    frame["economic_margin"] = economic if len(rows) == 1 else None
    kind = {
        "group-sequential": "they hold at all looks together",
        "fixed": "for one look",
        "anytime": "they hold however often one looks",
    }[plan.stopping_rule]
    between = "parts of the control's reply rate" if ratio else "points"
    return Plot(
        figure, frame,
        f"{'Ratio' if ratio else 'Difference'} of the shares of leads that replied, treatment against "
        f"{plan.control}, in {between}, with {100 * (1 - 2 * plan.alpha):g}% intervals; {kind}. Shaded: "
        "what the "
        "margin lets be lost. Not worse: an interval wholly right of the dashed line."
        + (_DOTTED if len(marks) > 1 else "")
        + _simulated(result),
    )  # fmt: skip


@house_style()
def acceptability_figure(result: AbResult) -> Plot | None:
    """Probability that a treatment is worth more, against what a reply is worth; None without money."""
    import pandas as pd

    if not result.money:
        return None
    figure, axes = new_figure(height=2.9)
    frames = []
    colours = [PALETTE[name] for name in ("blue", "orange", "green", "grey")]
    low, high = math.inf, 0.0
    for number, (treatment, money) in enumerate(result.money.items()):
        values = [value for value, _ in money.acceptability]
        shares = [share for _, share in money.acceptability]
        low, high = min(low, values[0]), max(high, values[-1])
        axes.plot(
            values, [100 * share for share in shares], color=colours[number % 4],
            linestyle=_LINES[number // 4 % 4], linewidth=1.8, label=clip(treatment),
        )  # fmt: skip
        frames.append(
            pd.DataFrame({"treatment": treatment, "value_per_reply_usd": values, "probability": shares})
        )
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(-2, 102)
    axes.xaxis.set_major_formatter(lambda value, _: dollars(value).removesuffix(".00"))
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.axhline(95, color=PALETTE["grey"], linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        "95%: money decided", (0.99, 95), xycoords=("axes fraction", "data"), xytext=(0, -10),
        textcoords="offset points", fontsize=8, color=PALETTE["grey"], ha="right",
    )  # fmt: skip
    given = result.plan.value_per_reply_usd
    if given is not None:
        axes.axvline(given, color=PALETTE["ink"], linewidth=1)
        axes.annotate(
            f"given: {dollars(given)}", (given, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 2),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    if len(result.money) > 1:
        axes.legend(frameon=False, fontsize=8)
    axes.set_xlabel("value of a reply")
    axes.set_ylabel("probability, %")
    name = next(iter(result.money)) if len(result.money) == 1 else "the treatment"
    axes.set_title(f"How sure is it that {clip(name, 24)} is worth more?")
    return Plot(
        figure, pd.concat(frames),
        f"Share of bootstrap samples of leads ({result.plan.bootstrap:,}) in which the value of the "
        "replies minus "
        f"the cost of the messages is higher than with {result.plan.control}, by what a reply is worth."
        + _simulated(result),
    )  # fmt: skip


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
        axes.plot(days, within(values), color=PALETTE["orange"], linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(
        [],
        [],
        color=PALETTE["orange"],
        linewidth=1,
        linestyle=(0, (4, 3)),
        label="fixed-n limits: do not peek",
    )
    axes.plot(days, within([p.ratio for p in mine]), color=PALETTE["blue"], linewidth=1.8, label="so far")
    axes.axhline(100, color=PALETTE["ink"], linewidth=1)
    axes.set_ylim(0, 100 * top)
    if result.plan.scale == "ratio":
        axes.axhline(100 * result.plan.margin, color=PALETTE["grey"], linewidth=1, linestyle=(0, (4, 3)))
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
        f"Ratio of the reply rates of all mature leads first sent to until each day. The band "
        f"({100 * (1 - 2 * result.plan.alpha):g}%) holds at all days together; the dashed lines hold only "
        "for one "
        "look that was fixed beforehand, and whoever stops when they first leave 100% is wrong far more "
        "often "
        "than they say." + _simulated(result),
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
            linestyle=_LINES[number % 4], label=clip(arm),
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
        "that is only new loses its lead over the weeks." + _simulated(result),
    )  # fmt: skip


@house_style()
def segment_figure(result: AbResult) -> Plot | None:
    """Effects by segment; None where there is none to show."""
    import pandas as pd

    if result.segments is None or not result.segments.effects:
        return None
    ratio = result.plan.scale == "ratio"
    rows, frames = [], []
    several = len(result.comparisons) > 1
    for e in result.segments.effects:
        value, interval = (e.ratio, e.ratio_ci) if ratio else (e.difference, e.difference_ci)
        name = f"{e.column}: {e.segment}" + (f", {e.treatment}" if several else "")
        shown = f"{100 * value:.0f}%" if ratio else f"{100 * value:+.2f}".replace("-", "−")
        rows.append(
            _Row(
                f"{clip(name)}\nn = {e.units:,} against {e.control_units:,}",
                100 * value,
                100 * interval.low,
                100 * interval.high,
                "blue",
                shown,
            )
        )
        frames.append(
            {
                "column": e.column,
                "segment": e.segment,
                "treatment": e.treatment,
                "estimate": value,
                "low": interval.low,
                "high": interval.high,
                "n_treatment": e.units,
                "n_control": e.control_units,
            }
        )
    rows = rows[:_MOST_SEGMENTS]
    figure, axes = new_figure(height=1.2 + 0.55 * max(2, len(rows)))
    null, margin = 100 * result.plan.null, 100 * result.plan.margin
    axes.axvspan(margin, null, color=PALETTE["light"], zorder=0, linewidth=0)
    axes.axvline(null, color=PALETTE["ink"], linewidth=1)
    unit = (
        f"reply rate, % of {clip(result.plan.control, 24)}'s"
        if ratio
        else "difference of reply rates, points"
    )
    _forest(axes, rows, unit)
    axes.set_title("Effect by segment")
    left = len(frames) - len(rows)
    note = f" The first {len(rows)} of {len(frames)}; the CSV has all." if left else ""
    return Plot(
        figure, pd.DataFrame(frames),
        f"Effect in each segment with {100 * result.plan.confidence:g}% intervals, not adjusted for their "
        "number or "
        f"for looks: hints, no claims.{note}" + _simulated(result),
    )  # fmt: skip


@house_style()
def power_figure(result: AbResult) -> Plot | None:
    """Chance to show "not worse" if the arms are equal, against leads; None without a rate."""
    import pandas as pd

    from llmbench.abtest import power_curve

    curves = power_curve(result)
    if not curves:
        return None
    figure, axes = new_figure(height=3.0)
    frames = []
    for number, (label, units, powers) in enumerate(curves):
        axes.plot(
            units, [100 * power for power in powers], color=PALETTE["blue" if number == 0 else "green"],
            linestyle=_LINES[number % 4], linewidth=1.8, label=label,
        )  # fmt: skip
        frames.append(pd.DataFrame({"split": label, "units": units, "power": powers}))
    axes.axhline(100 * result.plan.power, color=PALETTE["grey"], linewidth=1, linestyle=(0, (4, 3)))
    now = sum(arm.units for arm in result.arms)
    axes.axvline(now, color=PALETTE["ink"], linewidth=1)
    axes.annotate(
        f"now: {now:,}", (now, 0.03), xycoords=("data", "axes fraction"), xytext=(4, 0),
        textcoords="offset points", fontsize=8,
    )  # fmt: skip
    axes.set_ylim(0, 102)
    axes.set_xlim(0, max(max(units) for _, units, _ in curves))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("mature leads of all arms")
    axes.set_ylabel("power, %")
    axes.set_title("How many leads it takes")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    rate = 100 * (result.planning_rate or 0.0)
    margin = (
        f"{100 * result.plan.margin:g}%"
        if result.plan.scale == "ratio"
        else f"{100 * result.plan.margin:g} points"
    )
    return Plot(
        figure, pd.concat(frames),
        f"Probability to show that the margin ({margin}) is kept, if all arms truly have a reply rate of "
        f"{rate:.2f}%, "
        f"in one look at the end. Dashed: the power asked for." + _simulated(result),
    )  # fmt: skip


@house_style()
def progress_figure(result: AbResult) -> Plot | None:
    """How far the test is, where nothing else may be shown; None for an open-ended one."""
    import pandas as pd

    if result.plan.stopping_rule == "anytime" or not math.isfinite(result.planned_units):
        return None
    done = min(1.0, result.occasion.information)
    looks = result.plan.looks if result.plan.stopping_rule == "group-sequential" else 1
    marks = [(number + 1) / looks for number in range(looks)]
    figure, axes = new_figure(height=1.5)
    axes.barh([0], [100], color=PALETTE["light"], height=0.5)
    axes.barh([0], [100 * done], color=PALETTE["blue"], height=0.5)
    for number, mark in enumerate(marks):
        axes.plot([100 * mark] * 2, [-0.32, 0.32], color=PALETTE["ink"], linewidth=1)
        axes.annotate(
            f"look {number + 1}" if looks > 1 else "reading",
            (100 * mark, 0.36),
            ha="center" if mark < 1 else "right",
            fontsize=8,
        )
    axes.set_yticks([])
    axes.set_ylim(-0.5, 0.75)
    axes.set_xlim(0, 100.5)
    axes.grid(visible=False)
    axes.set_xlabel("% of the planned information")
    axes.set_title("How far the test is")
    frame = pd.DataFrame({"look": range(1, looks + 1), "information": marks})
    frame["reached"] = result.occasion.information
    return Plot(
        figure, frame,
        "Information of the mature leads over that of the planned ones. The effect is shown at the looks, "
        "and "
        "not in between." + _simulated(result),
    )  # fmt: skip


def _forest(axes: Axes, rows: Sequence[_Row], xlabel: str) -> None:
    finite = [v for row in rows for v in (row.low, row.high, row.estimate) if math.isfinite(v)]
    left, right = min(finite), max(finite)
    low, high = axes.get_xlim()
    left, right = min(left, low), max(right, high)
    room = 0.08 * (right - left)
    axes.set_xlim(left - room, right + room)
    for position, row in enumerate(rows):
        # An interval without a limit goes to the edge.
        start = row.low if math.isfinite(row.low) else left - room
        stop = row.high if math.isfinite(row.high) else right + room
        axes.hlines(position, start, stop, color=PALETTE[row.colour], linewidth=2.4)
        axes.plot(row.estimate, position, marker="o", markersize=6, color=PALETTE[row.colour])
        place = (row.estimate - left) / (right - left)
        axes.annotate(
            row.text, (row.estimate, position), xytext=(0, 8), textcoords="offset points",
            ha="left" if place < _EDGE else "right" if place > 1 - _EDGE else "center", fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85},
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(len(rows) - 0.3, -0.8)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)


def _dates(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _marks(axes: Axes, marks: Sequence[tuple[float, str]]) -> None:
    """Labels at the foot of vertical lines, growing away from each other."""
    low, high = axes.get_xlim()
    for number, (x, text) in enumerate(marks):
        right = (x - low) / (high - low) < _EDGE or (number > 0 and (x - low) / (high - low) < 1 - _EDGE)
        axes.annotate(
            text, (x, 0), xycoords=("data", "axes fraction"), xytext=(3 if right else -3, 3 + 11 * number),
            textcoords="offset points", ha="left" if right else "right", fontsize=8,
            color=PALETTE["grey" if number == 0 else "green"],
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )  # fmt: skip


def _economic(result: AbResult) -> float | None:
    if len(result.money) != 1:
        return None
    return next(iter(result.money.values())).economic_margin


def _top(points: Sequence[Any]) -> float:
    """As high as the last half of the days needs, so that the first ones do not flatten the rest."""
    later = points[len(points) // 2 :]
    highs = [point.high for point in later if math.isfinite(point.high)]
    return max(1.5, min(4.0, 1.1 * max(highs, default=2.0)))


def _simulated(result: AbResult) -> str:
    return " Simulated data." if result.counts.simulated else ""
