"""Figures of the first screen of the notebook `ab_test`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmbench.money import dollars
from llmbench.reporting.ab_figures import EffectRow, effect_forest, shade_margin, simulated_note
from llmbench.reporting.ab_wording import fine_points
from llmbench.reporting.axes import series_style
from llmbench.reporting.figures import DASHED, EDGE, PALETTE, VERDICT_COLOURS, Plot, house_style, new_figure
from llmbench.reporting.wording import clip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from llmbench.abtest import AbResult

__all__ = [
    "acceptability_figure",
    "effect_figure",
    "first_figures",
    "progress_figure",
]

_OVER_LOOKS = " Held over all looks at the experiment, as repeated p-values are."
_DOTTED = " Dotted: from here on the saving is larger than the value of the replies that are lost."


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
        # An arm that left the source after it was decided has no units there.
        label = f"{clip(c.treatment)}\nn = {units.get(c.treatment, 0):,} against {units[c.control]:,}"
        shown = f"{100 * value:.1f}%" if ratio else fine_points(value)
        rows.append(
            EffectRow(
                label, 100 * value, 100 * interval.low, 100 * interval.high,
                VERDICT_COLOURS[c.verdict], f"{shown}: {c.verdict}",
            )
        )  # fmt: skip
        frames.append(
            {
                "control": c.control, "treatment": c.treatment, "scale": plan.scale, "estimate": value,
                "low": interval.low, "high": interval.high, "margin": plan.margin, "verdict": c.verdict,
                "n_treatment": units.get(c.treatment, 0), "n_control": units[c.control],
            }
        )  # fmt: skip
    if not rows:
        return None
    figure, axes = new_figure(height=1.3 + 0.62 * max(2, len(rows)))
    margin = 100 * plan.margin
    shade_margin(axes, plan)
    axes.axvline(margin, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
    effect_forest(axes, rows, plan)
    marks = [(margin, f"margin {margin:g}%" if ratio else f"margin {margin:g}")]
    economic = _economic(result)
    if economic is not None and axes.get_xlim()[0] < 100 * economic < axes.get_xlim()[1]:
        axes.axvline(100 * economic, color=PALETTE["green"], linewidth=1.2, linestyle=(0, (1, 1.5)))
        marks.append(
            (
                100 * economic,
                f"pays from {100 * economic:.1f}%" if ratio else f"pays from {fine_points(economic)}",
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
        f"{plan.control}, in {between}, with {100 * (1 - 2 * plan.alpha):g}% intervals; {kind}. Shaded: what "
        "the margin lets be lost. Not worse: an interval wholly right of the dashed line."
        + (_DOTTED if len(marks) > 1 else "")
        + simulated_note(result),
    )  # fmt: skip


@house_style()
def acceptability_figure(result: AbResult) -> Plot | None:
    """Probability that a treatment is worth more, against what a reply is worth; None without money."""
    import pandas as pd

    if not result.money:
        return None
    figure, axes = new_figure(height=2.9)
    frames = []
    low, high = math.inf, 0.0
    for number, (treatment, money) in enumerate(result.money.items()):
        values = [value for value, _ in money.acceptability]
        shares = [share for _, share in money.acceptability]
        low, high = min(low, values[0]), max(high, values[-1])
        colour, stroke = series_style(number)
        axes.plot(
            values, [100 * share for share in shares], color=colour, linestyle=stroke, linewidth=1.8,
            label=clip(treatment),
        )  # fmt: skip
        frames.append(
            pd.DataFrame({"treatment": treatment, "value_per_reply_usd": values, "probability": shares})
        )
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(-2, 102)
    axes.xaxis.set_major_formatter(lambda value, _: dollars(value).removesuffix(".00"))
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.axhline(95, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
    axes.annotate(
        "95%: money decided", (0.99, 95), xycoords=("axes fraction", "data"), xytext=(0, -10),
        textcoords="offset points", fontsize=8, color=PALETTE["grey"], ha="right",
    )  # fmt: skip
    given = result.plan.value_per_reply_usd
    if given is not None:
        axes.axvline(given, color=PALETTE["ink"], linewidth=1)
        axes.annotate(
            f"at {dollars(given)}", (given, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 2),
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
        f"Share of bootstrap samples of leads ({result.plan.bootstrap:,}) in which the value of the replies "
        f"minus the cost of the messages is higher than with {result.plan.control}, by what a reply is worth."
        + ("" if result.plan.stopping_rule == "fixed" else _OVER_LOOKS)
        + simulated_note(result),
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
        "and not in between." + simulated_note(result),
    )  # fmt: skip


def _marks(axes: Axes, marks: Sequence[tuple[float, str]]) -> None:
    """Labels at the foot of vertical lines, growing away from each other."""
    low, high = axes.get_xlim()
    for number, (x, text) in enumerate(marks):
        right = (x - low) / (high - low) < EDGE or (number > 0 and (x - low) / (high - low) < 1 - EDGE)
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
