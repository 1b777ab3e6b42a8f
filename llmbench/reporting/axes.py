"""Axes and labels that several figures share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from llmbench.reporting.figures import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SERIES", "STROKES", "label_points", "log_axis", "series_style"]

SERIES = ("blue", "orange", "green", "grey")
"""Names in `PALETTE`, in the order in which lines take them."""
STROKES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
"""Of lines, in the same order."""
_POINT = 4
"""Half of a marker's width, pixels."""
_PLACES = tuple(
    ((across, up), side) for up in (7, -14, 20, -27) for across, side in ((6, "left"), (-6, "right"))
)
"""Where a name may stand beside its point, points; the first is tried first."""


def log_axis(
    axes: Axes,
    text: str | Callable[[float, float], str] = "{x:,g}",
    *,
    side: Literal["x", "y"] = "x",
    steps: Sequence[float] = (1.0, 2.0, 5.0),
) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5 times powers of ten (or at other `steps`), written as
    `text` says: a format of x, or a function of the value and its place.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set(**{f"{side}scale": "log"})
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=tuple(steps)))
    axis.set_major_formatter(text)
    axis.set_minor_formatter(NullFormatter())


def series_style(place: int) -> tuple[str, Any]:
    """Colour and stroke of the line at `place`: lines of one colour differ in their stroke.

    >>> series_style(1), series_style(5)
    (('#D55E00', '-'), ('#D55E00', (0, (5, 2))))
    """
    return PALETTE[SERIES[place % len(SERIES)]], STROKES[place // len(SERIES) % len(STROKES)]


def label_points(axes: Axes, labels: Sequence[tuple[str, float, float]]) -> None:
    """A name beside each point (name, x, y), once the scales are set, where it covers no other name and
    no point, if there is such a place. The first ones choose first.
    """
    from matplotlib.transforms import Bbox

    figure: Any = axes.figure
    figure.draw_without_rendering()  # sizes in pixels are known from here on
    renderer = figure.canvas.get_renderer()
    taken = []
    for _, x, y in labels:
        across, up = axes.transData.transform((x, y))
        taken.append(Bbox.from_extents(across - _POINT, up - _POINT, across + _POINT, up + _POINT))
    for text, x, y in labels:
        best, least = None, math.inf
        for offset, side in _PLACES:
            note = axes.annotate(
                text,
                (x, y),
                xytext=offset,
                textcoords="offset points",
                fontsize=8,
                ha=side,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            )
            box = note.get_window_extent(renderer)
            covered = sum(bool(box.overlaps(other)) for other in taken)
            outside = box.x0 < axes.bbox.x0 or box.x1 > figure.bbox.x1 or box.y0 < axes.bbox.y0
            bad = covered + len(labels) * outside
            if bad < least:
                if best is not None:
                    best.remove()
                best, least, kept = note, bad, box
            else:
                note.remove()
            if not bad:
                break
        taken.append(kept)
