"""Tables on the terminal: plain text where the output is a pipe or a file, 80 columns there."""

from __future__ import annotations

from llmbench.plain_table import PlainTable

__all__ = ["show"]

_NARROWEST = 12
"""Characters that a column of words keeps on a narrow terminal."""
_NARROWEST_FIRST = 24
"""The same of the first column, which names what the row is about."""


def show(table: PlainTable, colours: dict[str, str] | None = None) -> None:
    """Print `table`; `colours` gives the style of cells by their whole text, seen on a terminal only."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, title in enumerate(table.head):
        longest = max((len(row[number]) for row in table.rows), default=0)
        if number < table.texts:
            least = _NARROWEST if number else _NARROWEST_FIRST
            drawn.add_column(title, overflow="fold", min_width=min(least, max(longest, len(title))))
        else:
            drawn.add_column(title.replace(" ", "\n"), justify="right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*(Text(cell, style=(colours or {}).get(cell, "")) for cell in row))
    Console(highlight=False).print(drawn)
