"""Maps of the notebook `break_even`: where own machines are cheaper, by volume and by one thing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmbench.economics import BreakEvenStudy, HostingCosts, cheapest
from llmbench.reporting.axes import log_axis
from llmbench.reporting.break_even_charts import short_number
from llmbench.reporting.break_even_words import volume_text
from llmbench.reporting.figures import PALETTE, Plot, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["operations_figure", "utilisation_figure"]

_HOURS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 30.0, 40.0)
_BUSY = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_VOLUMES = 41


@house_style()
def operations_figure(study: BreakEvenStudy, against: str) -> Plot:
    """Where own machines are cheaper, by volume and by people's hours, which calculators leave out."""
    costs = [replace(study.costs, operations_hours=hours) for hours in _HOURS]
    figure, axes, frame = _map(study, against, "operations_hours", _HOURS, costs)
    axes.set_yticks(range(len(_HOURS)), [f"{each:g}" for each in _HOURS])
    _mark_stated(axes, study, study.costs.operations_hours, _HOURS)
    axes.set_ylabel("people's hours a month")
    axes.set_title(f"Volume and people, against {against}")
    return Plot(
        figure,
        frame,
        (
            f"What own machines cost over what {against} costs: blue where they are cheaper, red where they "
            f"are dearer. The cross is what was asked, {volume_text(study.load.messages_per_month)} messages "
            f"and {study.costs.operations_hours:g} hours at ${study.costs.operations_usd_per_hour:g}."
        ),
    )


@house_style()
def utilisation_figure(study: BreakEvenStudy, against: str) -> Plot:
    """Where own machines are cheaper, by volume and by how busy a serving one is over the whole month."""
    # So busy on average is so full in the busiest hour, for a week of any shape.
    peak = study.load.peak_to_mean
    reached = min(study.costs.utilisation_limit, study.best[0].queue_limit) / peak
    flat = replace(study.load, profile=())
    even = replace(study, load=flat)
    costs = [replace(study.costs, utilisation_limit=busy) for busy in _BUSY]
    options = [replace(option, queue_limit=1.0) for option in study.working]
    figure, axes, frame = _map(even, against, "mean_utilisation", _BUSY, costs, options)
    axes.set_yticks(range(len(_BUSY)), [f"{each:.0%}" for each in _BUSY])
    _mark_stated(axes, study, reached, _BUSY)
    axes.set_ylabel("how busy a serving one can be")
    axes.set_title(f"Volume and utilisation, against {against}")
    return Plot(
        figure,
        frame,
        (
            f"What own machines cost over what {against} costs, if a serving one can be so busy on average "
            f"over the month. The cross is what the week's peaks ({peak:g} times the mean) and the wait for "
            f"a place leave here, {reached:.0%}. Below the volume that fills one machine it makes no "
            "difference: the rent is the same."
        ),
    )


def _map(
    study: BreakEvenStudy,
    against: str,
    name: str,
    values: Sequence[float],
    costs: Sequence[HostingCosts],
    options: Any = None,
) -> tuple[Any, Axes, Any]:
    """Cost over the API's, one row of colours for each of `costs`."""
    import numpy as np
    import pandas as pd

    stated = study.load.messages_per_month
    volumes = np.geomspace(stated / 10, stated * 300, _VOLUMES)
    each = study.usd_per_message(against)
    ratio = np.empty((len(values), len(volumes)))
    for row, terms in enumerate(costs):
        for column, volume in enumerate(volumes):
            load = replace(study.load, messages_per_month=float(volume))
            _, month = cheapest(options or study.working, load, terms, study.fallback_usd)
            ratio[row, column] = month.usd / (volume * each)
    figure, axes = new_figure(width=7.2, height=3.6)
    level = np.clip(np.log10(ratio), -1, 1)
    image = axes.pcolormesh(
        volumes, np.arange(len(values) + 1) - 0.5, level[:, :-1], cmap="RdBu_r", vmin=-1, vmax=1
    )
    log_axis(axes, short_number, steps=(1.0,))
    axes.grid(visible=False)
    bar = figure.colorbar(image, ax=axes, pad=0.02, ticks=[-1, -0.477, 0, 0.477, 1])
    bar.ax.set_yticklabels(["1/10", "1/3", "same", "3x", "10x"])
    bar.set_label("own machines over API")
    axes.set_xlabel("messages a month")
    frame = pd.DataFrame(
        [
            {name: value, "messages_per_month": volume, "own_over_api": ratio[row, column]}
            for row, value in enumerate(values)
            for column, volume in enumerate(volumes)
        ]
    )
    return figure, axes, frame


def _mark_stated(axes: Axes, study: BreakEvenStudy, value: float, values: Sequence[float]) -> None:
    import numpy as np

    place = float(np.interp(value, values, range(len(values))))
    axes.plot(
        study.load.messages_per_month, place, "x", color=PALETTE["ink"], markersize=9, markeredgewidth=2.2
    )
