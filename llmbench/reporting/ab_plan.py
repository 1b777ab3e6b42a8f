"""The plan in the notebook `ab_test`: the leads that it takes, those that are to come, and the looks."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from llmbench.reporting.ab_figures import simulated_lines, simulated_note
from llmbench.reporting.ab_wording import count, ratio_words, so_far
from llmbench.reporting.axes import STROKES
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import span
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    from llmbench.abtest import AbResult

__all__ = [
    "looks_table",
    "needed_table",
    "plan_sentence",
    "plan_text",
    "planned_sizes",
    "power_figure",
    "sizes_table",
    "split_words",
]


def plan_text(result: AbResult) -> str:
    """The needed sample sizes, which are printed before anything else."""
    lines = [f"{'margin':<8}{'leads, planned split':>22}{'leads, equal arms':>20}"]
    for margin, units, equal in planned_sizes(result):
        lines.append(f"{margin:<8g}{count(units):>22}{count(equal):>20}")
    return "\n".join([*lines, *simulated_lines(result)])


def plan_sentence(result: AbResult) -> str:
    """Hypothesis, unit, outcome, margin with its reason, and the stopping rule."""
    plan = result.plan
    others = " and ".join(c.treatment for c in result.comparisons) or "the treatment"
    if plan.scale == "ratio":
        margin = f"keeps at least {100 * plan.margin:g}% of {plan.control}'s reply rate"
    else:
        margin = f"loses at most {-100 * plan.margin:g} points of {plan.control}'s reply rate"
    because = plan.margin_reason.rstrip(".")
    reason = f" Why so much may be lost: {because}." if because else " No reason for the margin was given."
    rules = {
        "group-sequential": f"looked at {plan.looks} times at most, at equal steps of information",
        "fixed": "read once, when all planned leads are there",
        "anytime": "looked at as often as one likes; the numbers of leads are those of the always-valid "
        "test, with 20 looks on the way",
    }
    return (
        f"Asked is whether {others} {margin}. A lead counts as replied to with at least one human reply "
        f"within {plan.window_days:g} days of its first delivered message; leads younger than that do not "
        f"count yet. Leads are counted by the arm that they were assigned to.{reason} The test is "
        f"{rules[plan.stopping_rule]}; it is wrong with at most {100 * plan.alpha:g}% probability when it "
        "says "
        f'"not worse", and meant to find that with {100 * plan.power:g}% if the arms are '
        f"equal.{_short(result)}"
    )


def _design_words(result: AbResult) -> str:
    effects = [value for value, _ in (result.design_effects or {}).values()]
    design = max([result.plan.design_effect, *effects])
    return f", with a design effect of {design:.2f} of leads that reply alike" if design > 1.005 else ""


def _short(result: AbResult) -> str:
    if not result.plan_is_short:
        return ""
    power = 100 * (result.planned_power or 0.0)
    planned = count(result.planned_units)
    return f" With the {planned} leads that are planned it finds it with {power:.0f}%{so_far(result)}."


def sizes_table(result: AbResult) -> ReportTable:
    """Leads that margins take, at the planned split and with equal arms."""
    import pandas as pd

    rows = planned_sizes(result)
    frame = pd.DataFrame(rows, columns=["margin", "units", "units_equal_arms"])
    ratio = result.plan.scale == "ratio"
    shown = pd.DataFrame(
        {
            "margin": [
                (f"keeps {100 * m:g}%" if ratio else f"loses {-100 * m:g} points")
                + (" (this test)" if m == result.plan.margin else "")
                for m, _, _ in rows
            ],
            f"leads at {split_words(result)}": [count(u) for _, u, _ in rows],
            "leads with equal arms": [count(u) for _, _, u in rows],
        }
    )  # fmt: skip
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


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
            linestyle=STROKES[number % 4], linewidth=1.8, label=label,
        )  # fmt: skip
        frames.append(pd.DataFrame({"split": label, "units": units, "power": powers}))
    axes.axhline(100 * result.plan.power, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
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
    looked = "in one look at the end"
    if result.plan.stopping_rule == "anytime":
        looked = f"looked at {len(curves[0][1])} times over the width of the figure"
    return Plot(
        figure, pd.concat(frames),
        f"Probability to show that the margin ({margin}) is kept, if all arms truly have a reply rate of "
        f"{rate:.2f}%, {looked}{_design_words(result)}. Dashed: the power asked for."
        + simulated_note(result),
    )  # fmt: skip


def needed_table(result: AbResult) -> ReportTable:
    """Leads and days to each goal."""
    import pandas as pd

    rows = pd.DataFrame([each._asdict() for each in result.needed])
    order = " / ".join([*(arm for arm in result.shares if arm != result.plan.control), result.plan.control])
    shown = pd.DataFrame(
        {
            "goal": [each.goal for each in result.needed],
            f"split, % ({order})": [each.split for each in result.needed],
            "mature leads in all": [count(each.units) for each in result.needed],
            "still to send to": [count(each.more) for each in result.needed],
            "days": [UNKNOWN if each.days is None else f"{math.ceil(each.days):,}" for each in result.needed],
        }
    )
    return ReportTable(rows, shown, tuple(shown.columns[1:]))


def looks_table(result: AbResult) -> ReportTable | None:
    """When the effect was seen, and what it was; None where it never was."""
    import pandas as pd

    if not result.looks:
        return None
    rows, shown = [], []
    for look in result.looks:
        for c in look.comparisons:
            rows.append(
                {
                    "look": look.number, "cut_off": look.cut_off.isoformat(), "units": look.units,
                    "information": look.information, "treatment": c["treatment"], "ratio": c["ratio"],
                    "ratio_ci": c["ratio_ci"], "verdict": c["verdict"],
                }
            )  # fmt: skip
            low, high = c["ratio_ci"] or (None, None)
            shown.append(
                {
                    "look": str(look.number),
                    "data up to": f"{look.cut_off:%Y-%m-%d}",
                    "leads": look.units,
                    "information": f"{look.information:.0%}",
                    "treatment": c["treatment"],
                    "ratio": UNKNOWN if c["ratio"] is None else span(c["ratio"], low, high, ratio_words),
                    "verdict": c["verdict"],
                }
            )
    return ReportTable(pd.DataFrame(rows), pd.DataFrame(shown), ("information", "ratio"))


def planned_sizes(result: AbResult) -> list[tuple[float, float, float]]:
    """Margin, leads at the planned split and with equal arms: of the usual margins and the test's own."""
    from llmbench.abtest import planned_units

    plan = result.plan
    rate = result.planning_rate or 0.0
    usual = {0.8, 0.9, 0.95} if plan.scale == "ratio" else {plan.margin / 2, plan.margin * 2}
    equal = dict.fromkeys(result.shares, 1.0)
    return [
        (
            margin,
            planned_units(dataclasses.replace(plan, margin=margin), rate, result.shares),
            planned_units(dataclasses.replace(plan, margin=margin), rate, equal),
        )
        for margin in sorted({*usual, plan.margin})
    ]


def split_words(result: AbResult) -> str:
    """The arms' planned shares in percent, the control's last."""
    order = [arm for arm in result.shares if arm != result.plan.control] + [result.plan.control]
    return " / ".join(f"{100 * result.shares[arm]:.3g}" for arm in order)
