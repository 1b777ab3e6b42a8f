"""A report as Markdown: as GitHub, pandoc and Quarto read it, with pipe tables and links to its figures.

Every character that Markdown would take for its own is escaped: what a model answered stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from llmbench.reporting.document import (
    Block,
    Cell,
    Code,
    Document,
    DocumentTable,
    Heading,
    Item,
    NewPage,
    Paragraph,
    Picture,
    Span,
    VerdictBox,
)

__all__ = ["markdown"]

_MARKS = re.compile(r"[\\`*\[\]<>|~$]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_LINE_START = re.compile(r"\A(\s*)(?:([#+=-])|(\d{1,9})([.)]))")
_HARD = "\\\n"


def markdown(document: Document, link: Callable[[Picture], str]) -> str:
    r"""The text; `link` gives the address of a picture, relative to the file.

    >>> from llmbench.reporting.document import read_document
    >>> print(markdown(read_document("<main><h1>A*b</h1><p><b>c</b> 1_000</p></main>"), lambda picture: ""))
    # A\*b
    <BLANKLINE>
    **c** 1_000
    <BLANKLINE>
    """
    parts = [_block(block, link) for block in document.blocks]
    text = parts[0] if parts else ""
    for (before, after), part in zip(pairwise(document.blocks), parts[1:], strict=True):
        together = isinstance(before, Item) and isinstance(after, Item)
        text += ("\n" if together else "\n\n") + part if part else ""
    return text.strip("\n") + "\n"


def _block(block: Block, link: Callable[[Picture], str]) -> str:
    match block:
        case Heading(level, spans):
            return f"{'#' * level} {_inline(spans, ' ')}"
        case Paragraph(spans):
            return _start(_inline(spans, _HARD))
        case Item(spans, depth, number):
            mark = "-" if number is None else f"{number}."
            return f"{'    ' * depth}{mark} {_start(_inline(spans, ' '))}"
        case DocumentTable():
            return _table(block)
        case Picture(_, _, alternative, caption):
            image = f"![{_escape(' '.join(alternative.split()))}](<{link(block)}>)"
            return f"{image}\n\n*{_escape(caption)}*" if caption else image
        case VerdictBox(spans, reasons, _):
            lines = [_inline(spans, " "), *([""] if reasons else [])]
            lines += [f"- {_start(_inline(reason, ' '))}" for reason in reasons]
            return "\n".join(f"> {line}".rstrip() for line in lines)
        case Code(text):
            fence = _fence(text, 3)
            return f"{fence}text\n{text}\n{fence}"
        case NewPage():
            return "---"


def _table(table: DocumentTable) -> str:
    width = len(table.head or table.rows[0]) if table.head or table.rows else 0
    if not width:
        return ""
    first = table.head or tuple(Cell(()) for _ in range(width))
    body = table.rows or (table.head,)
    rule = ["---:" if all(row[column].right for row in body) else "---" for column in range(width)]
    lines = [_row(first), f"| {' | '.join(rule)} |", *map(_row, table.rows)]
    text = "\n".join(lines)
    return f"*{_escape(table.name)}*\n\n{text}" if table.shown and table.name else text


def _row(cells: Iterable[Cell]) -> str:
    # A pipe table divides before it looks for code, so that a bar is escaped there, too.
    return f"| {' | '.join(_inline(cell.spans, '<br>', bars=True) for cell in cells)} |"


def _inline(spans: Iterable[Span], line_end: str, *, bars: bool = False) -> str:
    return "".join(_span(span, line_end, bars) for span in spans)


def _span(span: Span, line_end: str, bars: bool) -> str:
    before = span.text[: len(span.text) - len(span.text.lstrip())]
    core = span.text.strip()
    after = span.text[len(before) + len(core) :]
    if not core:
        return span.text.replace("\n", line_end)
    if span.code:
        fence = _fence(core, 1)
        pad = " " if core[0] == "`" or core[-1] == "`" else ""
        text = f"{fence}{pad}{' '.join(core.split())}{pad}{fence}"
        text = text.replace("|", "\\|") if bars else text
    else:
        text = _escape(core).replace("\n", line_end)
    text = f"*{text}*" if span.italic else text
    text = f"**{text}**" if span.bold else text
    if span.link:
        target = re.sub(r"[<>\s|\\]", lambda found: f"%{ord(found[0]):02X}", span.link)
        text = f"[{text}](<{target}>)"
    return before.replace("\n", line_end) + text + after.replace("\n", line_end)


def _escape(text: str) -> str:
    return _MARKS.sub(lambda found: f"\\{found[0]}", text)


def _start(text: str) -> str:
    """What would begin a heading, a list or a rule at the start of a line."""
    return _LINE_START.sub(lambda m: f"{m[1]}{m[3] or ''}\\{m[2] or m[4]}", text, count=1)


def _fence(text: str, least: int) -> str:
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))
