"""A table of finished text: what a result shows in a notebook and on the command line alike."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from llmbench.unknown import UNKNOWN

__all__ = ["PlainTable", "count_text"]


class PlainTable(NamedTuple):
    """Columns of text; the first `texts` columns are words, the rest numbers.

    >>> PlainTable(("model", "USD"), [("a<b", "$1.00")]).html()
    '<table><thead><tr><th>model</th><th>USD</th></tr></thead><tbody><tr><td>a&lt;b</td><td>$1.00</td></tr></tbody></table>'
    """

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    texts: int = 1

    def html(self) -> str:
        """The table, everything in it escaped."""
        titles = "".join(f"<th>{html.escape(title)}</th>" for title in self.head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def count_text(count: int | None) -> str:
    """A whole number with its thousands apart.

    >>> count_text(1234567), count_text(None)
    ('1,234,567', 'unknown')
    """
    return UNKNOWN if count is None else f"{count:,}"
