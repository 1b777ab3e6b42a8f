"""Figures of a simulated experiment: its power, when it ends, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.abtest.simulation_result import DECISIONS, AbSimulation, Outcome
from llmbench.numbers import signed
from llmbench.reporting.figures import DASHED, PALETTE, VERDICT_COLOURS, Plot, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["boundary_figure", "power_figure", "stopping_figure"]

_MOST_POINTS = 30
"""Up to here looks are drawn as points."""
_BEYOND = 1.06
"""The axis of days goes on a little after the last look, where its decisions are seen."""
_FARTHEST, _NEAREST = 0.6, 0.2
"""The observed ratio is drawn so far around 1: what is further away ends no real test."""


@house_style()
def power_figure(simulation: AbSimulation) -> Plot:
    """Share of runs that show the first true ratio to be not worse, against the units of the test."""
    import pandas as pd

    plan = simulation.plan
    frame = pd.DataFrame([point._asdict() for point in simulation.power_curve])
    frame["day"] = np.ceil(frame["units"] / plan.units_per_day) + plan.window_days
    figure, axes = new_figure(height=3.4)
    few = len(frame) <= _MOST_POINTS
    axes.fill_between(
        frame["units"],
        100 * frame["low"],
        100 * frame["high"],
        color=PALETTE["blue"],
        alpha=0.15,
        linewidth=0,
    )
    axes.plot(
        frame["units"], 100 * frame["power"], color=PALETTE["blue"], marker="o" if few else "", markersize=5
    )
    axes.axhline(100 * plan.power, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
    axes.axvline(simulation.planned_units, color=PALETTE["ink"], linewidth=1)
    axes.set_ylim(0, 104)
    axes.set_xlim(0, frame["units"].max() * 1.04)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _note(axes, f"aim {plan.power:.0%}", (0, 100 * plan.power), (4, 4), "left", PALETTE["grey"])
    _note(
        axes,
        f"planned: {simulation.planned_units:,} units,\nday {simulation.days_to_the_end:,.0f}",
        (simulation.planned_units, 8),
        (6, 0),
        "left",
    )
    axes.set_xlabel("units of all arms when the test ends")
    axes.set_ylabel("shown to be not worse, % of runs")
    axes.set_title("How large the test must be")
    return Plot(
        figure,
        frame,
        (
            f"True rate of the {'first ' if simulation.families else ''}treatment: "
            f"{simulation.outcomes[0].ratio:g} of the control's {plan.control_rate:.2%}. "
            f"{plan.runs:,} simulated runs a point, seed {plan.seed}; the band is its 95% interval."
        ),
    )


@house_style()
def stopping_figure(simulation: AbSimulation) -> Plot:
    """Share of the runs that are decided by each day, by decision, one panel per true ratio."""
    import pandas as pd

    outcomes = simulation.outcomes
    figure, first = new_figure(height=1.3 + 1.25 * len(outcomes))
    first.remove()
    panels = figure.subplots(len(outcomes), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    days = np.array([look.day for look in simulation.looks])
    end = days[-1] * _BEYOND
    rows = []
    for axes, outcome in zip(panels, outcomes, strict=True):
        decided = np.cumsum(outcome.stops, axis=0) / outcome.runs
        steps = np.concatenate([np.zeros((1, len(DECISIONS))), decided, decided[-1:]])
        at = np.concatenate([[0.0], days, [end]])
        bottom = np.zeros(len(at))
        for place, decision in enumerate(DECISIONS):
            top = bottom + 100 * steps[:, place]
            axes.fill_between(
                at,
                bottom,
                top,
                step="post",
                color=PALETTE[VERDICT_COLOURS[decision]],
                label=decision,
                linewidth=0,
            )
            bottom = top
            which = {"treatment": outcome.treatment} if simulation.families else {}
            rows += [
                {
                    **which,
                    "true_ratio": outcome.ratio,
                    "day": day,
                    "decision": decision,
                    "share_by_then": share,
                }
                for day, share in zip(days, decided[:, place], strict=True)
            ]
        axes.axvline(outcome.mean_day, color=PALETTE["ink"], linewidth=1, linestyle=DASHED)
        axes.set_title(_truth(simulation, outcome), fontsize=9, fontweight="normal")
        axes.set_ylabel("% of runs")
    panels[0].set_ylim(0, 100)
    panels[0].set_xlim(0, end)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    figure.suptitle("Decided by which day, and how", x=0.01, ha="left", fontsize=11, fontweight="bold")
    panels[-1].set_xlabel("day from the start, reply window included")
    return Plot(
        figure,
        pd.DataFrame(rows),
        (
            f"{simulation.plan.runs:,} simulated runs a panel, seed {simulation.plan.seed}. White: still "
            "under way. The dashed line is the mean day."
        ),
    )


@house_style()
def boundary_figure(simulation: AbSimulation) -> Plot:
    """What must be observed at a look for the test to stop there."""
    import pandas as pd

    plan = simulation.plan
    frame = pd.DataFrame([look._asdict() for look in simulation.looks])
    ratio = plan.scale == "ratio"
    scale, equal = (1.0, 1.0) if ratio else (100.0, 0.0)
    units = frame["units"].to_numpy(dtype=float)
    upper, lower = (scale * frame[name].to_numpy(dtype=float) for name in ("not_worse_from", "worse_up_to"))
    unit = 1.0 if ratio else scale * plan.control_rate
    distance = np.nanmax(np.abs(np.concatenate([upper, lower, [scale * plan.margin]]) - scale * equal))
    limit = float(np.clip(1.2 * distance, _NEAREST * unit, _FARTHEST * unit))
    least, most = equal * scale - limit, equal * scale + limit
    figure, axes = new_figure(height=3.6)
    few = len(frame) <= _MOST_POINTS
    for bound, edge, colour, name in (
        (upper, most, "blue", "stop: not worse"),
        (lower, least, "orange", "stop: worse"),
    ):
        if len(units) > 1:
            shaded = np.nan_to_num(bound, nan=edge)
            axes.fill_between(units, shaded, edge, color=PALETTE[colour], alpha=0.12, linewidth=0)
        axes.plot(units, bound, color=PALETTE[colour], marker="o" if few else "", markersize=5, label=name)
    axes.axhline(scale * plan.margin, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
    axes.axhline(scale * equal, color=PALETTE["ink"], linewidth=1)
    axes.set_ylim(least, most)
    axes.set_xlim(0, units[-1] * 1.04)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _note(axes, "equal rates", (0, scale * equal), (4, 4), "left")
    _note(axes, f"margin {scale * plan.margin:g}", (0, scale * plan.margin), (4, 4), "left", PALETTE["grey"])
    if few:
        for look, (x, value) in enumerate(zip(units, upper, strict=True)):
            if least < value < most:
                text = f"look {look + 1}: {f'{value:.3f}' if ratio else signed(value, '+.2f')}"
                last = look == len(units) - 1
                _note(axes, text, (x, value), (8, -16) if last else (4, 7), "right" if last else "left")
    axes.legend(loc="upper right", frameon=False, fontsize=9)
    axes.set_xlabel("units of all arms whose reply window is over")
    axes.set_ylabel("observed ratio of rates" if ratio else "observed difference, points")
    axes.set_title("What ends the test")
    return Plot(
        figure,
        frame,
        (
            "Where the control shows its expected rate. Between the two lines the test goes on; at the last "
            'look what lies between them is "cannot tell".'
        ),
    )


def _note(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float],
    align: Any,
    colour: str = PALETTE["ink"],
) -> None:
    axes.annotate(
        text,
        place,
        xytext=offset,
        textcoords="offset points",
        ha=align,
        fontsize=8.5,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
    )


def _truth(simulation: AbSimulation, outcome: Outcome) -> str:
    if simulation.families:
        ratios = " / ".join(f"{ratio:.4g}" for ratio in outcome.truth)
        return (
            f"true ratios {ratios}, treatment {outcome.treatment}: not worse {outcome.power:.1%}, "
            f"worse {outcome.shares['worse']:.1%}, mean day {outcome.mean_day:,.0f}"
        )
    about = {1.0: " (equal)", simulation.plan.ratio_at_margin: " (the margin)"}.get(outcome.ratio, "")
    return (
        f"true ratio {outcome.ratio:.4g}{about}: not worse {outcome.power:.1%}, "
        f"worse {outcome.shares['worse']:.1%}, mean day {outcome.mean_day:,.0f}"
    )
