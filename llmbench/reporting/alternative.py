"""What a figure shows, in words, for those who do not see it: its title, its axes, its rows and its lines.

The caption says what is estimated and is read to everybody; this says what there is to be seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["describe_figure"]

_NAMED = 12
"""Rows or lines that are named one by one; the file of numbers beside the figure has all."""


def describe_figure(figure: Figure) -> str:
    """A sentence or a few; "" where nothing in the figure has a name.

    >>> from llmbench.reporting.figures import ForestRow, forest
    >>> rows = [ForestRow("a", 0.5, 0.4, 0.6, 10), ForestRow("b", 0.4, None, None, 1)]
    >>> describe_figure(forest(rows, xlabel="score, %", title="Score").figure)
    'Chart “Score”. Across: score, %. Rows: a, n = 10; b, n = 1.'
    """
    charts = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    return " ".join(text for text in map(_describe, charts) if text)


def _describe(axes: Axes) -> str:
    title = _line(axes.get_title("left") or axes.get_title() or axes.get_title("right"))
    parts = [f"Across: {_line(axes.get_xlabel())}" if axes.get_xlabel() else ""]
    parts.append(f"Upwards: {_line(axes.get_ylabel())}" if axes.get_ylabel() else "")
    parts.append(_listed("Columns", _names(axes.xaxis)))
    parts.append(_listed("Rows", _names(axes.yaxis)))
    legend = axes.get_legend()
    parts.append(_listed("Marked", [_line(text.get_text()) for text in legend.get_texts()] if legend else []))
    known = [part for part in parts if part]
    if not title and not known:
        return ""
    return ". ".join([f"Chart “{title}”" if title else "Chart", *known]) + "."


def _names(axis: Axis) -> list[str]:
    """The labels of an axis of names; [] for one of numbers."""
    from matplotlib.ticker import FixedLocator

    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    labels = [_line(label.get_text()) for label in axis.get_ticklabels()]
    return [label for label in labels if any(letter.isalpha() for letter in label)]


def _listed(what: str, names: Iterable[str]) -> str:
    known = [name for name in names if name]
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"{what}: {'; '.join(known[:_NAMED])}{more}" if known else ""


def _line(text: str) -> str:
    return ", ".join(part.strip().rstrip(",") for part in text.splitlines() if part.strip())
