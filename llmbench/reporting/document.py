"""The page of a report as headings, paragraphs, lists, tables and figures, for those that are no HTML.

It reads `report.html`, which was cleaned and scrubbed: so that every format says the same, and none shows
what the page would not.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import NamedTuple

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Document",
    "DocumentTable",
    "Heading",
    "Item",
    "NewPage",
    "Paragraph",
    "Picture",
    "Span",
    "VerdictBox",
    "plain",
    "read_document",
]


class Span(NamedTuple):
    """A piece of text in one style; a line feed in it is a new line."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    link: str | None = None


Spans = tuple[Span, ...]
"""A text, in its pieces."""


class Heading(NamedTuple):
    """Level 1 is the title."""

    level: int
    spans: Spans


class Paragraph(NamedTuple):
    """A paragraph."""

    spans: Spans


class Item(NamedTuple):
    """A line of a list; `number` is None in one of bullets, `depth` 0 in the outermost."""

    spans: Spans
    depth: int = 0
    number: int | None = None


class Cell(NamedTuple):
    """A cell of a table."""

    spans: Spans
    right: bool = False


class DocumentTable(NamedTuple):
    """A table, all rows of the same length."""

    head: tuple[Cell, ...]
    """Empty where the table has none."""
    rows: tuple[tuple[Cell, ...], ...]
    name: str
    shown: bool
    """Whether the name is a caption that everybody sees."""


class Picture(NamedTuple):
    """A figure."""

    content: bytes
    kind: str
    """Such as "svg+xml" or "png"."""
    alternative: str
    caption: str


class VerdictBox(NamedTuple):
    """The banner: the decision in bold and its sentence, and the reasons."""

    spans: Spans
    reasons: tuple[Spans, ...]
    colour: str
    """Six hexadecimal digits."""


class Code(NamedTuple):
    """Text in lines that stay as they are."""

    text: str


class NewPage(NamedTuple):
    """What follows starts a page."""


Block = Heading | Paragraph | Item | DocumentTable | Picture | VerdictBox | Code | NewPage
"""What a document is made of, one below the other."""


class Document(NamedTuple):
    """A report."""

    title: str
    blocks: tuple[Block, ...]


def read_document(page: str) -> Document:
    """The document that is in `page`, a report.html.

    >>> read_document("<title>T</title><main><h1>A &amp; <b>b</b></h1><p>c</p></main>").blocks[1]
    Paragraph(spans=(Span(text='c', bold=False, italic=False, code=False, link=None),))
    """
    builder = _Builder()
    builder.feed(page)
    builder.close()
    blocks: list[Block] = []
    for part in builder.root.every("main", "footer"):
        blocks += _blocks(part.children)
    title = next((_text(node) for node in builder.root.every("title")), "")
    return Document(" ".join(title.split()), tuple(blocks))


def plain(spans: Iterable[Span]) -> str:
    """The text alone."""
    return "".join(span.text for span in spans)


class _Node:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[_Node | str] = []

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def every(self, *tags: str) -> Iterator[_Node]:
        """The nodes of these tags below, none of them inside of another one."""
        for child in self.children:
            if isinstance(child, _Node):
                if child.tag in tags:
                    yield child
                else:
                    yield from child.every(*tags)


_VOID = {"br", "hr", "img", "meta", "link", "col", "wbr", "input"}


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = _Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place].tag == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


_INLINE = {
    "a", "abbr", "b", "br", "code", "del", "em", "i", "kbd", "q", "s", "samp", "small", "span", "strong",
    "sub", "sup", "u", "wbr",
}  # fmt: skip
_UNSEEN = {"anchor-link", "skip", "files"}
_HEADING = re.compile(r"h[1-6]")
_DATA = re.compile(r"data:image/([\w+.-]+);base64,(.*)", re.DOTALL)
_COLOUR = re.compile(r"border-left:[^;]*#([0-9A-Fa-f]{6})")
_INK = "111827"


def _blocks(nodes: Iterable[_Node | str]) -> list[Block]:
    found: list[Block] = []
    loose: list[_Node | str] = []

    def paragraph() -> None:
        spans = _spans(loose)
        loose.clear()
        if spans:
            found.append(Paragraph(spans))

    for node in nodes:
        if isinstance(node, str) or node.tag in _INLINE:
            loose.append(node)
            continue
        paragraph()
        if not node.classes & _UNSEEN:
            found += _block(node)
    paragraph()
    return found


def _block(node: _Node) -> list[Block]:
    if _HEADING.fullmatch(node.tag):
        return [Heading(int(node.tag[1]), _spans(node.children))]
    if node.tag in {"ul", "ol"}:
        return list(_items(node, 0))
    if node.tag == "pre":
        return [Code(_text(node).strip("\n"))]
    if node.tag == "table":
        return [_table(node)]
    if node.tag in {"figure", "img"}:
        return list(_pictures(node))
    if node.tag == "section" and "verdict" in node.classes:
        return [_verdict(node)]
    start: list[Block] = [NewPage()] if "appendix" in node.classes else []
    return start + _blocks(node.children)


def _items(node: _Node, depth: int) -> Iterator[Item]:
    number = 1
    for child in node.every("li"):
        inner = [each for each in child.children if isinstance(each, _Node) and each.tag in {"ul", "ol"}]
        spans = _spans([each for each in child.children if each not in inner])
        yield Item(spans, depth, number if node.tag == "ol" else None)
        number += 1
        for each in inner:
            yield from _items(each, depth + 1)


def _verdict(node: _Node) -> VerdictBox:
    words: list[_Node | str] = [child for child in node.children if not _is(child, "ul")]
    colour = _COLOUR.search(node.attributes.get("style", ""))
    reasons = tuple(_spans(item.children) for item in node.every("li"))
    return VerdictBox(_spans(words), reasons, colour[1] if colour else _INK)


def _table(node: _Node) -> DocumentTable:
    head: tuple[Cell, ...] = ()
    rows: list[tuple[Cell, ...]] = []
    heads = [row for part in node.every("thead") for row in part.every("tr")]
    for row in node.every("tr"):
        cells = list(row.every("td", "th"))
        made = tuple(made for cell in cells for made in _cells(cell))
        if not head and not rows and (row in heads or all(cell.tag == "th" for cell in cells)):
            head = made
        else:
            rows.append(made)
    width = max(map(len, [head, *rows]))
    rows = [(*row, *[Cell(())] * (width - len(row))) for row in rows]
    if head:
        head = (*head, *[Cell(())] * (width - len(head)))
    caption = next(node.every("caption"), None)
    name = " ".join(_text(caption).split()) if caption is not None else ""
    return DocumentTable(head, tuple(rows), name, caption is not None and "unseen" not in caption.classes)


def _cells(node: _Node) -> Iterator[Cell]:
    right = re.search(r"text-align:\s*right", node.attributes.get("style", "")) is not None
    yield Cell(_spans(node.children, lines=True), right)
    span = node.attributes.get("colspan", "1")
    for _ in range(min(int(span), 100) - 1 if span.isdecimal() else 0):
        yield Cell((), right)


def _pictures(node: _Node) -> Iterator[Picture]:
    caption = next((" ".join(_text(each).split()) for each in node.every("figcaption")), "")
    for image in [node] if node.tag == "img" else node.every("img"):
        data = _DATA.fullmatch(image.attributes.get("src", ""))
        try:
            content = base64.b64decode(data[2], validate=True) if data else b""
        except binascii.Error:
            content = b""
        yield Picture(content, data[1] if data else "", image.attributes.get("alt", ""), caption)


def _is(node: _Node | str, tag: str) -> bool:
    return isinstance(node, _Node) and node.tag == tag


def _text(node: _Node) -> str:
    return "".join(child if isinstance(child, str) else _text(child) for child in node.children)


def _spans(nodes: Iterable[_Node | str], *, lines: bool = False) -> Spans:
    """The text of `nodes`, blanks as a page shows them; with `lines`, line ends stay."""
    found: list[Span] = []
    for span in _pieces(nodes, Span(""), lines):
        last = found[-1].text[-1:] if found else "\n"
        text = span.text
        if not lines and last in {" ", "\n"}:
            text = text.lstrip(" ")
        if not text:
            continue
        if found and found[-1][1:] == span[1:]:
            found[-1] = found[-1]._replace(text=found[-1].text + text)
        else:
            found.append(span._replace(text=text))
    if found:
        found[0] = found[0]._replace(text=found[0].text.lstrip())
        found[-1] = found[-1]._replace(text=found[-1].text.rstrip())
    return tuple(span for span in found if span.text)


def _pieces(nodes: Iterable[_Node | str], style: Span, lines: bool) -> Iterator[Span]:
    for node in nodes:
        if isinstance(node, str):
            blanks = r"[ \t\r\f]+" if lines else r"\s+"
            yield style._replace(text=re.sub(blanks, " ", node))
        elif node.tag == "br":
            yield style._replace(text="\n")
        elif not node.classes & _UNSEEN:
            if lines and node.tag in {"p", "div", "li", "tr"}:
                yield style._replace(text="\n")
            yield from _pieces(node.children, _styled(style, node), lines)


def _styled(style: Span, node: _Node) -> Span:
    if node.tag in {"b", "strong", "th"}:
        return style._replace(bold=True)
    if node.tag in {"i", "em"}:
        return style._replace(italic=True)
    if node.tag in {"code", "kbd", "samp"}:
        return style._replace(code=True)
    if node.tag == "a" and node.attributes.get("href"):
        return style._replace(link=node.attributes["href"])
    return style
