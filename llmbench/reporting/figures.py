"""One style for every figure, and the two figures of a comparison.

Figures are drawn by matplotlib's Agg and SVG back ends without pyplot, so nothing depends on the
back end of the kernel, and the same numbers give the same bytes. Colours are Okabe and Ito's, which
colour-blind readers can tell apart; no meaning is carried by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from llmbench.errors import UsageError
from llmbench.numbers import signed_points
from llmbench.reporting.wording import clip

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DASHED",
    "EDGE",
    "PALETTE",
    "VERDICT_COLOURS",
    "DifferenceRow",
    "ForestRow",
    "Plot",
    "difference_forest",
    "figure_svg",
    "forest",
    "house_style",
    "label_value",
    "new_figure",
]

PALETTE = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "grey": "#6B7280",
    "light": "#E5E7EB",
    "ink": "#111827",
}
DASHED: Any = (0, (4, 3))
"""The stroke of what is no line of the data: a margin, an aim, what was stated."""
_READABLE = {PALETTE["orange"]: "#A84300", PALETTE["green"]: "#00674B"}
"""Small letters need more contrast (4.5 to 1 by WCAG 2.2, 1.4.3) than lines do (3 to 1, 1.4.11)."""
_STYLE: dict[str, Any] = {
    "axes.edgecolor": "#9CA3AF",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": PALETTE["ink"],
    "axes.labelsize": 10,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 10,
    "grid.color": PALETTE["light"],
    "grid.linewidth": 0.8,
    "svg.fonttype": "path",
    "svg.hashsalt": "llmbench",
    "text.parse_math": False,  # a label with two dollar signs is not a formula
    "xtick.color": PALETTE["ink"],
    "ytick.color": PALETTE["ink"],
    "ytick.left": False,
}
_WIDTH_INCHES = 6.4
_ROW_INCHES = 0.5
_MANY_ROWS = 20
"""More rows than this have their labels on one line."""
_CLOSE_INCHES = 0.32
_LABEL_CHARACTERS = 40
EDGE = 0.25
"""Part of the plot's width at each edge in which a text would not fit if centred: it grows inwards."""
_BELOW = 0.22
"""Rows between an interval and the bar below it."""
VERDICT_COLOURS = {"better": "green", "not worse": "blue", "worse": "orange", "cannot tell": "grey"}
"""Of each verdict of a comparison, a name in `PALETTE`."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """An estimate with its interval; `low` and `high` are None where there is none (n < 2)."""

    label: str
    estimate: float
    low: float | None
    high: float | None
    n: int
    highlight: bool = False
    """Drawn apart: the baseline."""


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """Candidate minus baseline on the same items, in the unit of the score."""

    label: str
    difference: float
    low: float | None
    high: float | None
    n: int
    mde: float | None
    """The smallest true difference that these n items would detect."""
    verdict: str


class Plot(NamedTuple):
    """A figure, the numbers in it, and what it estimates: `report.figure("scores", *plot)`."""

    figure: Figure
    frame: pd.DataFrame
    caption: str


@contextmanager
def house_style() -> Iterator[None]:
    """Texts and lines added to a figure take their style when they are made: make them in here."""
    import matplotlib as mpl

    with mpl.rc_context(cast("Any", _STYLE)):
        yield


def new_figure(width: float = _WIDTH_INCHES, height: float = 3.0) -> tuple[Figure, Axes]:
    """An empty figure in the house style, inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.add_subplot()


def figure_svg(figure: Figure) -> bytes:
    """The figure as SVG: no date, no random ids, the same bytes for the same numbers.

    Words in the colour of a line get a darker one of its kind.
    """
    from matplotlib.colors import to_hex
    from matplotlib.text import Text

    with house_style():
        for text in figure.findobj(Text):
            colour = to_hex(text.get_color()).upper()
            text.set_color(_READABLE.get(colour, colour))
        buffer = BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


@house_style()
def forest(
    rows: Sequence[ForestRow], *, xlabel: str, title: str = "", caption: str = "", percent: bool = True
) -> Plot:
    """Estimates with intervals, one a line, best first as given; n stands in each label.

    Raises UsageError when there is no row.
    """
    import pandas as pd

    _need(rows)
    figure, axes = new_figure(height=_height(len(rows)))
    scale = 100.0 if percent else 1.0
    for position, row in enumerate(rows):
        _interval(axes, position, row.estimate, row.low, row.high, scale, "grey" if row.highlight else "blue")
    labels = [
        _row_label(row.label, f"{'baseline, ' if row.highlight else ''}n = {row.n:,}", len(rows))
        for row in rows
    ]
    _finish(axes, labels, xlabel, title)
    if percent:
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -2.0), min(high, 102.0))
    for position, row in enumerate(rows):
        label_value(axes, _number(row.estimate * scale, percent), row.estimate * scale, position)
    return Plot(figure, pd.DataFrame([asdict(row) for row in rows]), caption)


@house_style()
def difference_forest(
    rows: Sequence[DifferenceRow],
    *,
    margin: float,
    baseline: str,
    xlabel: str,
    title: str = "",
    caption: str = "",
) -> Plot:
    """Paired differences in points against the zero line; what lies between it and the
    non-inferiority margin (a positive number in the unit of the score) is shaded. A bar below each interval
    spans the true differences that its items would miss more often than one time in five.

    For a single comparison, an interval wholly right of the shaded band's left edge is "not worse",
    wholly right of zero "better". Raises UsageError when there is no row.
    """
    import pandas as pd

    _need(rows)
    figure, axes = new_figure(height=_height(len(rows)))
    axes.axvspan(-100 * margin, 0, color=PALETTE["light"], zorder=0, linewidth=0)
    axes.axvline(0, color=PALETTE["ink"], linewidth=1)
    axes.axvline(-100 * margin, color=PALETTE["grey"], linewidth=1, linestyle=DASHED)
    for position, row in enumerate(rows):
        colour = VERDICT_COLOURS.get(row.verdict, "grey")
        if row.mde is not None:
            band = (-100 * row.mde, 100 * row.mde)
            axes.hlines(position + _BELOW, *band, color=PALETTE["grey"], linewidth=4, alpha=0.35)
        _interval(axes, position, row.difference, row.low, row.high, 100.0, colour)
    labels = [_row_label(row.label, f"n = {row.n:,}{_detects(row.mde)}", len(rows)) for row in rows]
    _finish(axes, labels, xlabel, title)
    for position, row in enumerate(rows):
        label_value(axes, f"{signed_points(row.difference)}: {row.verdict}", 100 * row.difference, position)
    inside = _place(axes, -100 * margin) < EDGE
    axes.annotate(
        f"margin {100 * margin:g}",
        (-100 * margin, 0),
        xycoords=("data", "axes fraction"),
        xytext=(3 if inside else -3, 3),
        textcoords="offset points",
        ha="left" if inside else "right",
        fontsize=8,
        color=PALETTE["grey"],
    )
    frame = pd.DataFrame([asdict(row) for row in rows])
    frame.insert(0, "baseline", baseline)
    frame["margin"] = margin
    return Plot(figure, frame, caption)


def _need(rows: Sequence[object]) -> None:
    if not rows:
        raise UsageError("A figure needs at least one row; check that the run has results.")


def _height(rows: int) -> float:
    return 1.1 + (_CLOSE_INCHES if rows > _MANY_ROWS else _ROW_INCHES) * max(rows, 2)


def _interval(
    axes: Axes,
    position: int,
    estimate: float,
    low: float | None,
    high: float | None,
    scale: float,
    colour: str,
) -> None:
    if low is not None and high is not None:
        axes.hlines(position, low * scale, high * scale, color=PALETTE[colour], linewidth=2.2)
    axes.plot(estimate * scale, position, marker="o", markersize=6, color=PALETTE[colour])


def label_value(axes: Axes, text: str, x: float, position: int) -> None:
    """A value above its point, once the limits are set: near an edge it grows inwards, so that it
    never overprints the labels of the rows.
    """
    place = _place(axes, x)
    axes.annotate(
        text,
        (x, position),
        xytext=(0, 8),
        textcoords="offset points",
        ha="left" if place < EDGE else "right" if place > 1 - EDGE else "center",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85},
    )


def _place(axes: Axes, x: float) -> float:
    """0 at the left edge of the plot, 1 at the right one."""
    low, high = axes.get_xlim()
    return (x - low) / (high - low)


def _finish(axes: Axes, labels: Sequence[str], xlabel: str, title: str) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.45, -0.75)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set_xlabel(xlabel)
    if title:
        axes.set_title(title)


def _row_label(label: str, about: str, rows: int) -> str:
    between = ", " if rows > _MANY_ROWS else "\n"
    return f"{clip(label, _LABEL_CHARACTERS)}{between}{about}"


def _number(value: float, percent: bool) -> str:
    return f"{value:.1f}%" if percent else f"{value:,.3g}"


def _detects(mde: float | None) -> str:
    return "" if mde is None else f", detects {100 * mde:.1f}"
