"""A small line of numbers in a page, as SVG without script or style from outside."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["sparkline"]

_WIDTH, _HEIGHT, _EDGE = 120.0, 24.0, 3.0


def sparkline(values: Sequence[float | None], low: float | None = None, high: float | None = None) -> str:
    """The values in equal steps from left to right; a gap where one is None, a dot at the last known.

    The scale goes from `low` to `high`, by default the least to the greatest value; "" where none is known.
    It is decoration: what it shows stands in words beside it, and a screen reader passes over it.

    >>> sparkline([None])
    ''
    >>> sparkline([1.0, 3.0]).count("<polyline")
    1
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high
    places = [
        None if value is None else _place(number, len(values), value, bottom, top)
        for number, value in enumerate(values)
    ]
    last = [place for place in places if place is not None][-1]
    lines = "".join(
        '<polyline fill="none" stroke="currentColor" stroke-width="1.5" points="'
        + " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)
        + '"/>'
        for piece in _pieces(places)
    )
    return (
        f'<svg aria-hidden="true" width="{_WIDTH:.0f}" height="{_HEIGHT:.0f}" '
        f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}">{lines}'
        f'<circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2.5" fill="currentColor"/></svg>'
    )


def _place(number: int, total: int, value: float, bottom: float, top: float) -> tuple[float, float]:
    across = number / (total - 1) if total > 1 else 0.5
    upward = (value - bottom) / (top - bottom) if top > bottom else 0.5
    return (
        _EDGE + across * (_WIDTH - 2 * _EDGE),
        _HEIGHT - _EDGE - min(max(upward, 0.0), 1.0) * (_HEIGHT - 2 * _EDGE),
    )


def _pieces(places: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Runs of known places, in order; one alone is a short stroke."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for place in places:
        if place is None:
            pieces.append([])
        else:
            pieces[-1].append(place)
    return [
        piece if len(piece) > 1 else [(piece[0][0] - 1, piece[0][1]), piece[0]] for piece in pieces if piece
    ]
