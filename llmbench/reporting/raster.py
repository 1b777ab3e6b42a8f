"""Figures as PNG, for documents that not every program shows an SVG in."""

from __future__ import annotations

import re
from typing import NamedTuple

from llmbench.reporting.document import Picture

__all__ = ["Raster", "rasterise"]

_PIXELS = 1400
"""Width: 250 dots an inch of what a figure takes on a page."""
_POINTS_A_PIXEL = 0.75
_HREF = re.compile(r"\bhref\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_OWN = re.compile(r"[\"']?(?:#[\w.-]*|data:image/(?:png|jpeg);base64,[\w+/=\s]*)[\"']?")
_SIZE = re.compile(r"<svg\b[^>]*?\swidth=\"([\d.]+)(pt|px)?\"", re.DOTALL)


class Raster(NamedTuple):
    """A picture that every word processor shows."""

    content: bytes
    width_points: float | None
    """Its natural width; None where it has only pixels."""


def rasterise(picture: Picture) -> Raster | None:
    """`picture` as PNG, or as it is where it has pixels already; None where it cannot be drawn.

    An SVG that asks for anything outside of itself is not drawn: it might be a file of this machine.
    """
    if picture.kind in {"png", "jpeg", "gif"}:
        return Raster(picture.content, None)
    if picture.kind != "svg+xml":
        return None
    import resvg_py

    try:
        svg = picture.content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "<!ENTITY" in svg or not all(_OWN.fullmatch(target) for target in _HREF.findall(svg)):
        return None
    try:
        content = bytes(
            resvg_py.svg_to_bytes(svg_string=svg, dpi=96.0, width=_PIXELS, skip_system_fonts=True)
        )
    except ValueError:
        return None
    size = _SIZE.search(svg)
    width = float(size[1]) * (1.0 if size[2] == "pt" else _POINTS_A_PIXEL) if size else None
    return Raster(content, width)
