"""What can be said of a page without a browser: the rules of WCAG 2.2 that markup alone breaks or keeps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser

__all__ = ["contrast", "problems"]

_VOID = {"br", "hr", "img", "meta", "link", "col", "wbr", "input"}


def contrast(first: str, second: str) -> float:
    """The ratio of two colours (#rrggbb): WCAG 2.2, relative luminance."""
    bright, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def problems(page: str) -> list[str]:
    """A sentence for each thing that somebody cannot read or reach."""
    reader = _Reader()
    reader.feed(page)
    return list(_problems(reader, page))


def _problems(reader: _Reader, page: str) -> Iterator[str]:
    if not re.search(r"<html[^>]* lang=\"en\"", page):
        yield "The page does not say its language."
    if not re.search(r"<title>\s*\S", page):
        yield "The page has no title."
    for name, count in Counter(reader.ids).items():
        if count > 1:
            yield f"The id {name} is there {count} times."
    for target in reader.targets:
        if target not in reader.ids:
            yield f"A link leads to #{target}, which is not there."
    if reader.mains != 1:
        yield f"There are {reader.mains} main parts."
    levels = [level for level, _ in reader.headings]
    if levels.count(1) != 1 or levels[0] != 1:
        yield f"The levels of headings are {levels}."
    for before, (level, text) in zip(levels, reader.headings[1:], strict=False):
        if level > before + 1:
            yield f"The heading {text!r} skips a level."
    yield from reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.mains = 0
        self.headings: list[tuple[int, str]] = []
        self.found: list[str] = []
        self._open: list[str] = []
        self._named = False
        self._heads = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if (
            tag == "a"
            and given.get("href", "").startswith("#")
            and "anchor-link" not in given.get("class", "")
        ):
            self.targets.append(given["href"][1:])
        self.mains += tag == "main"
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag == "img" and not given.get("alt", "").strip():
            self.found.append("A figure has no words in its place.")
        if tag == "th":
            self._heads += 1
            if given.get("scope") not in {"col", "row"}:
                self.found.append("A heading of a table does not say what it is of.")
        if "tabindex" in given and given["tabindex"] not in {"0", "-1"}:
            self.found.append("The order of the keyboard is not that of the page.")
        if tag == "div" and given.get("role") == "group":
            self._named = bool(given.get("aria-label"))
        if tag == "table":
            if not self._named:
                self.found.append("A table has no name.")
            self._named, self._heads = False, 0
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and not self._heads:
            self.found.append("A table has no headings.")
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open and re.fullmatch(r"h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
