"""Figures of the notebook `break_even` behind its first screen."""

from __future__ import annotations

import math
from dataclasses import replace

from llmbench.economics import BreakEvenStudy, cheapest, tornado
from llmbench.reporting.axes import log_axis, series_style
from llmbench.reporting.break_even_charts import short_number, whole_dollars
from llmbench.reporting.break_even_inputs import Question
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure

__all__ = [
    "probability_figure",
    "rival_of",
    "tornado_figure",
    "week_figure",
]

_VOLUMES = 33
_DRAWS = 4000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WORDS = {
    "messages": "messages a month",
    "input_tokens": "tokens read",
    "output_tokens": "tokens written",
    "peak_to_mean": "peak over mean",
    "gpu_price": "GPU prices",
    "api_price": "API price",
    "operations_hours": "people's hours",
    "throughput": "throughput",
}


def rival_of(question: Question) -> str:
    """The API still sold against which the answer is least clear: whose break-even lies nearest to the
    volume; the baseline where none is met.
    """
    study = question.study
    volume = study.load.messages_per_month
    known = {
        name: abs(math.log(pays.messages_per_month / volume))
        for name, pays in study.pays.items()
        if pays.messages_per_month and not study.line(name).ended(question.today)
    }
    return min(known, key=lambda name: known[name]) if known else study.baseline


@house_style()
def probability_figure(study: BreakEvenStudy) -> Plot:
    """How sure it is, by volume, that one's own machines cost less than each API."""
    import numpy as np
    import pandas as pd

    figure, axes = new_figure(width=7.2, height=3.8)
    names = study.compared
    stated = study.load.messages_per_month
    volumes = np.geomspace(stated / 12, stated * 1000, _VOLUMES)
    few = replace(study, draws=min(study.draws, _DRAWS))
    found: dict[str, list[float]] = {name: [] for name in names}
    for volume in volumes:
        load = replace(study.load, messages_per_month=float(volume))
        option, _ = cheapest(study.working, load, study.costs, study.fallback_usd)
        drawn = few.simulate(float(volume), [option])
        for name in names:
            found[name].append(drawn.probability_cheaper(option.name, name))
    for place, name in enumerate(names):
        shares = 100 * np.array(found[name])
        colour, stroke = series_style(place)
        axes.plot(volumes, shares, color=colour, linewidth=1.8, linestyle=stroke, label=name)
    axes.axvline(stated, color=PALETTE["ink"], linewidth=1, linestyle=DASHED)
    axes.axhline(50, color=PALETTE["grey"], linewidth=0.8)
    log_axis(axes, short_number, steps=(1.0,))
    axes.set_ylim(-3, 103)
    axes.set_xlabel("messages a month")
    axes.set_ylabel("draws in which own machines are cheaper, %")
    axes.set_title("How sure it is")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8.5)
    frame = pd.DataFrame({"messages_per_month": volumes, **{f"probability_{n}": v for n, v in found.items()}})
    return Plot(
        figure,
        frame,
        (
            f"Share of {few.draws:,} draws of volume, lengths, prices, hours and throughput (seed "
            f"{study.seed}) in which "
            f"{study.model} on the cheapest machines for each volume costs less than that API; "
            f"{_together(study.uncertainty.correlation)}. "
            f"Dashed: the stated volume."
        ),
    )


def _together(correlation: float) -> str:
    """How the unknowns of demand are taken to go together."""
    if not correlation:
        return "volume, lengths and peak are drawn apart"
    return f"volume, lengths and peak are taken to be correlated by {correlation:g}"


@house_style()
def tornado_figure(study: BreakEvenStudy, against: str) -> Plot:
    """What each unknown alone moves the saving by."""
    import pandas as pd

    rows = tornado(
        study.best[0],
        study.prices[against],
        study.load,
        study.costs,
        uncertainty=study.uncertainty,
        fallback=study.prices[study.fallback] if study.fallback else None,
    )
    stated = study.usd_per_month(against) - study.best[1].usd
    figure, axes = new_figure(width=7.2, height=0.9 + 0.36 * len(rows))
    for position, row in enumerate(rows):
        low, high = sorted((row.low_usd, row.high_usd))
        axes.barh(position, high - low, left=low, height=0.6, color=PALETTE["blue"], alpha=0.85)
        if row.swing > 0.5:
            axes.annotate(
                whole_dollars(row.swing),
                (high, position),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
    axes.axvline(stated, color=PALETTE["ink"], linewidth=1)
    axes.axvline(0, color=PALETTE["green"], linewidth=1.4)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.04 * abs(low)), max(high, 0) + 0.12 * (max(high, 0) - low))
    axes.set_yticks(range(len(rows)), [_WORDS.get(row.what, row.what) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(whole_dollars)
    axes.set_xlabel(f"saved a month against {against}")
    axes.set_title("What the answer hangs on")
    frame = pd.DataFrame([{**row._asdict(), "swing_usd": row.swing} for row in rows])
    return Plot(
        figure,
        frame,
        (
            f"What is saved a month against {against} on {study.best[0].hardware}, with one unknown "
            f"at a time at its 10% "
            "and 90% quantile. Black: as stated. Green: both cost the same."
        ),
    )


@house_style()
def week_figure(study: BreakEvenStudy) -> Plot:
    """How busy the serving machines are in each hour of the week."""
    import numpy as np
    import pandas as pd

    option, month = study.best
    hours = np.array(study.load.hours).reshape(7, 24)
    busy = 100 * hours * month.utilisation
    figure, axes = new_figure(width=7.2, height=2.9)
    top = 100 * option.limit(study.costs)
    image = axes.imshow(busy, aspect="auto", cmap="Blues", vmin=0, vmax=max(float(busy.max()), 1e-9))
    axes.set_yticks(range(7), _DAYS)
    axes.set_xticks(range(0, 24, 3))
    axes.grid(visible=False)
    axes.set_xlabel("hour of the day")
    bar = figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label("busy, %")
    axes.set_title(f"The week on {month.serving} x {option.hardware}, the spare not counted")
    frame = pd.DataFrame(
        {
            "hour_of_week": range(168),
            "messages_per_hour": hours.ravel() * study.load.messages_per_month / study.costs.month_hours,
            "busy_percent": busy.ravel(),
        }
    )
    peak = float(hours.max()) * study.load.messages_per_month / study.costs.month_hours
    return Plot(
        figure,
        frame,
        (
            f"Share of the serving machines' time that is used, by hour. The busiest hour has "
            f"{peak:,.0f} messages and uses "
            f"{float(busy.max()):.1f}%; up to {top:.0f}% answers do not wait."
        ),
    )
