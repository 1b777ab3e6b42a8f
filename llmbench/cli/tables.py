"""Tables on the terminal: plain text where the output is a pipe or a file, 80 columns there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from llmbench.plain_table import PlainTable
from llmbench.reporting.text import visible

__all__ = ["ending_soon", "show"]

_NARROWEST = 12
"""Characters that a column of words keeps on a narrow terminal."""
_NARROWEST_FIRST = 24
"""The same of the first column, which names what the row is about."""
_GAP = 2


def ending_soon(days: Iterable[str | None], today: date) -> dict[str, str]:
    """The style, for `show`, of those of the days (ISO) on which a model has ended or ends soon."""
    from llmbench.catalog.endings import SOON_DAYS

    limit = today + timedelta(days=SOON_DAYS)
    return {day: "red" for day in days if day and date.fromisoformat(day) <= limit}


def show(
    table: PlainTable,
    colours: dict[str, str] | None = None,
    *,
    dispensable: Sequence[str] = (),
    whole: str = "--csv",
) -> None:
    """Print `table`; `colours` gives the style of cells by their whole text, seen on a terminal only.

    Where it is too narrow for all columns, the `dispensable` ones are left out, in that order, and
    named below with the option that gives the `whole`: a number is never cut off for one of them.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    kept, left_out = list(range(len(table.head))), []
    for title in dispensable:
        if sum(_least(table, column) + _GAP for column in kept) - _GAP <= console.width:
            break
        kept.remove(table.head.index(title))
        left_out.append(title)
    drawn = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in kept:
        title = table.head[column]
        if column < table.texts:
            drawn.add_column(title, overflow="fold", min_width=_least(table, column))
        else:
            drawn.add_column(title.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in table.rows:
        cells = (visible(row[column]) for column in kept)
        drawn.add_row(*(Text(cell, style=(colours or {}).get(cell, "")) for cell in cells))
    console.print(drawn)
    if left_out:
        console.print(f"Left out for want of room ({whole} has all): {', '.join(left_out)}.")


def _least(table: PlainTable, column: int) -> int:
    """The width below which the column cannot be read."""
    title = table.head[column]
    longest = max((len(row[column]) for row in table.rows), default=0)
    if column >= table.texts:
        return max(longest, *map(len, title.split()))
    return min(_NARROWEST if column else _NARROWEST_FIRST, max(longest, len(title)))
