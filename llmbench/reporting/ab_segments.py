"""Effects by segment, and unwanted events, in the notebook `ab_test`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.reporting.ab_figures import EffectRow, effect_forest, shade_margin, simulated_note
from llmbench.reporting.ab_wording import fine_points, ratio_words
from llmbench.reporting.figures import Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import clip, estimate, limits, p_value
from llmbench.unknown import NONE

if TYPE_CHECKING:
    from llmbench.abtest import AbResult

__all__ = [
    "guardrail_table",
    "segment_figure",
    "segment_sentence",
    "segment_table",
]

_MOST_SEGMENTS = 20


def segment_sentence(result: AbResult) -> str:
    """Interaction tests, and what is hidden."""
    found = result.segments
    if found is None:
        return "Segments are shown with the effect, and not before."
    if not found.effects and not found.hidden:
        return "The source names no segments (segments)."
    told = [
        f"Whether the effect of {i.treatment} is the same in all {i.segments} segments of {i.column}: "
        + (f"nothing speaks against it (p = {i.p_adjusted:.2g})." if i.p_adjusted >= 0.05 else
           f"probably not (p = {i.p_adjusted:.2g}); a new test in that segment would tell.")
        for i in found.interactions
    ]  # fmt: skip
    if found.hidden:
        told.append(
            f"Not shown, with fewer than {result.plan.min_segment_replies} replies in an arm"
            + (" or in one cluster only: " if result.counts.clusters else ": ")
            + ", ".join(f"{segment} ({column})" for column, segment in found.hidden) + "."
        )  # fmt: skip
    told.append(
        "Segments are looks at parts of the data, not adjusted for the looks at the whole: read them as "
        "hints."
    )
    return " ".join(told)


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
        shown = f"{100 * value:.0f}%" if ratio else fine_points(value)
        rows.append(
            EffectRow(
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
    shade_margin(axes, result.plan)
    effect_forest(axes, rows, result.plan)
    axes.set_title("Effect by segment")
    left = len(frames) - len(rows)
    note = f" The first {len(rows)} of {len(frames)}; the CSV has all." if left else ""
    return Plot(
        figure, pd.DataFrame(frames),
        f"Effect in each segment with {100 * result.plan.confidence:g}% intervals, not adjusted for their "
        f"number or for looks: hints, no claims.{note}" + simulated_note(result),
    )  # fmt: skip


def segment_table(result: AbResult) -> ReportTable | None:
    """Effects by segment; None where there is none to show."""
    import pandas as pd

    if result.segments is None or not result.segments.effects:
        return None
    rows, shown = [], []
    ratio = result.plan.scale == "ratio"
    for e in result.segments.effects:
        found = e._asdict()
        for name in ("ratio_ci", "difference_ci"):
            found[f"{name[:-3]}_low"], found[f"{name[:-3]}_high"] = found.pop(name)
        rows.append(found)
        shown.append(
            {
                "column": e.column,
                "segment": e.segment,
                "treatment": e.treatment,
                "replied / leads": f"{e.replies:,} / {e.units:,}",
                "of the control": f"{e.control_replies:,} / {e.control_units:,}",
                "ratio" if ratio else "difference, points": (
                    estimate(e.ratio, e.ratio_ci, ratio_words)
                    if ratio
                    else estimate(e.difference, e.difference_ci, fine_points)
                ),
                "p": p_value(e.p_value),
                "p adjusted": p_value(e.p_adjusted),
            }
        )
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[3:]))


def guardrail_table(result: AbResult) -> ReportTable | None:
    """Unwanted events; None where the source tells of none."""
    import pandas as pd

    if not result.guardrails:
        return None
    rows, shown = [], []
    for g in result.guardrails:
        low, high = limits(g.ratio_ci)
        rows.append(g._asdict() | {"ratio_low": low, "ratio_high": high, "as_of": f"{result.as_of:%Y-%m-%d}"})
        shown.append(
            {
                "event": g.guardrail,
                "treatment": g.treatment,
                "leads with it": f"{g.events:,} of {g.units:,}",
                "in the control": f"{g.control_events:,} of {g.control_units:,}",
                "ratio": NONE if g.ratio is None else estimate(g.ratio, g.ratio_ci, ratio_words),
                "at most": NONE if g.margin is None else f"{g.margin:g}",
                "p": p_value(g.p_value),
                "verdict": g.verdict,
            }
        )
    frame, table = pd.DataFrame(rows).drop(columns="ratio_ci"), pd.DataFrame(shown)
    if result.as_of != result.counts.as_of:
        # All else is of the look that decided.
        table["data up to"] = f"{result.as_of:%Y-%m-%d}"
    return ReportTable(frame, table, ("leads with it", "in the control", "ratio", "at most", "p"))
