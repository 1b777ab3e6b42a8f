"""Pictures that commands leave beside their numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmbench.whole_file import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_png"]

_DPI = 144


def write_png(figure: Figure, path: Path) -> None:
    """Put the figure at `path` in one step, the same bytes for the same numbers. Raises OSError."""
    from llmbench.reporting.figures import house_style

    with house_style(), replacing(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
