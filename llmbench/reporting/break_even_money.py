"""What the notebook `break_even` shows of the months to come: cash, payback, and net present value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmbench.economics import BreakEvenStudy
from llmbench.reporting.axes import SERIES, STROKES
from llmbench.reporting.break_even_charts import whole_dollars
from llmbench.reporting.break_even_words import usd_text
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cash_figure", "money_table"]

_FALLS = (1.0, 3.0, 10.0)
"""By what factor an API's price may fall in a year."""


@house_style()
def cash_figure(study: BreakEvenStudy, against: str) -> Plot:
    """All cash up to each month of the horizon, at three rates of the API price's fall."""
    import pandas as pd

    figure, axes = new_figure(width=7.2, height=3.6)
    columns: dict[str, Any] = {}
    ends: list[tuple[float, str, str]] = []
    for place, fall in enumerate(_FALLS):
        flow = study.flow(against, api_fall=fall)
        months = range(len(flow.cumulative))
        columns["month"] = list(months)
        columns[f"cumulative_usd_fall_{fall:g}"] = flow.cumulative
        label = "its price stays" if fall == 1 else f"falls {fall:g}-fold a year"
        colour = PALETTE[SERIES[place]]
        axes.plot(months, flow.cumulative, color=colour, linewidth=1.8, linestyle=STROKES[place])
        ends.append((flow.cumulative[-1], f"{label}: NPV {whole_dollars(flow.npv)}", colour))
    _end_labels(axes, ends)
    axes.axhline(0, color=PALETTE["ink"], linewidth=1)
    axes.set_xlim(0, study.money.months)
    axes.yaxis.set_major_formatter(whole_dollars)
    axes.set_xlabel("months from now")
    axes.set_ylabel("saved in all")
    axes.set_title(f"Over time, against {against}")
    return Plot(
        figure,
        pd.DataFrame(columns),
        (
            f"Migration ({whole_dollars(study.money.migration_usd)}) and monthly savings of own machines "
            f"against {against}, added "
            f"up and not discounted. NPV at {study.money.discount_per_year:.0%} a year over "
            f"{study.money.months} months."
        ),
    )


def _end_labels(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Names right of the lines' ends, from the top down, none over another."""
    low, high = axes.get_ylim()
    room = 2.0
    for value, text, colour in sorted(ends, reverse=True):
        at = min((value - low) / (high - low), room - 0.075)
        room = at
        axes.annotate(
            text,
            (1.0, at),
            xycoords="axes fraction",
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
        )


def money_table(study: BreakEvenStudy) -> ReportTable:
    """Payback and net present value against each API, at three rates of its price's fall."""
    import pandas as pd

    rows, shown = [], []
    for name in study.cheapest_first:
        columns = {"against": name}
        for fall in _FALLS:
            flow = study.flow(name, api_fall=fall)
            rows.append(
                {
                    "against": name,
                    "api_fall_per_year": fall,
                    "npv_usd": flow.npv,
                    "payback_month": flow.payback_month,
                }
            )
            label = "price stays" if fall == 1 else f"falls {fall:g}-fold a year"
            back = (
                f"month {flow.payback_month}"
                if flow.payback_month
                else "at once"
                if flow.payback_month == 0
                else "never"
            )
            columns[f"NPV, {label}"] = usd_text(flow.npv)
            columns[f"payback, {label}"] = back
        shown.append(columns)
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))
