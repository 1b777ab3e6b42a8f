"""The figure of a load test: what users wait, against how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.errors import UsageError
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure

if TYPE_CHECKING:
    from llmbench.loadtest.results import LoadTest

__all__ = ["load_figure"]


@house_style()
def load_figure(found: LoadTest) -> Plot:
    """Time to the first token and per further token against the rate, with objectives and knee.

    Raises UsageError where no rate was measured.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    frame = found.to_pandas()
    if frame.empty:
        raise UsageError("A figure needs at least one rate that was measured; there is none.")
    figure, first = new_figure(height=4.6)
    first.remove()
    panels = figure.subplots(2, 1, sharex=True)
    limits = {"ttft": found.objective.ttft_ms, "tpot": found.objective.tpot_ms}
    titles = {"ttft": "first token, ms", "tpot": "each further token, ms"}
    for axes, (name, limit) in zip(panels, limits.items(), strict=True):
        seen = frame.dropna(subset=[f"{name}_p50_ms"])
        low, high = seen[f"{name}_p50_low_ms"], seen[f"{name}_p50_high_ms"]
        axes.vlines(seen["rate"], low, high, color=PALETTE["blue"], linewidth=4, alpha=0.3)
        axes.plot(seen["rate"], seen[f"{name}_p50_ms"], color=PALETTE["blue"], marker="o", label="median")
        tail = frame.dropna(subset=[f"{name}_p95_ms"])
        if len(tail):
            axes.vlines(
                tail["rate"],
                tail[f"{name}_p95_low_ms"],
                tail[f"{name}_p95_high_ms"],
                color=PALETTE["orange"],
                linewidth=4,
                alpha=0.3,
            )
            axes.plot(
                tail["rate"],
                tail[f"{name}_p95_ms"],
                color=PALETTE["orange"],
                marker="s",
                linestyle="--",
                label="95th percentile",
            )
        axes.axhline(limit, color=PALETTE["grey"], linewidth=1, linestyle=DASHED, label="objective")
        if found.knee.kept is not None:
            axes.axvline(found.knee.kept.rate, color=PALETTE["ink"], linewidth=1, label="highest rate kept")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(titles[name])
    panels[0].legend(fontsize=8, frameon=False, ncols=2)
    if len(frame) > 1:
        panels[1].set_xscale("log", base=2)
        panels[1].set_xticks(list(frame["rate"]), [f"{rate:g}" for rate in frame["rate"]])
        panels[1].minorticks_off()
    panels[1].set_xlabel("requests a second, at random moments")
    panels[0].set_title(f"{found.endpoint}/{found.model}")
    return Plot(
        figure,
        frame,
        f"{found.knee} Bars are 95% intervals; the 95th percentile is drawn from 200 requests on. "
        f"Seed {found.seed}.",
    )
