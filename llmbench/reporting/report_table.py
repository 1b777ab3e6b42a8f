"""A table of a report, as the functions that make one hand it to `Report.table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ReportTable"]


class ReportTable(NamedTuple):
    """A table twice: the numbers for a file, and what a reader sees."""

    frame: pd.DataFrame
    shown: pd.DataFrame
    numbers: tuple[str, ...] = ()
    """Columns of what is shown that are numbers with a unit or an interval."""
