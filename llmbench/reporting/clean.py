"""Markup of others made harmless, and fit for those who do not see it or use no mouse.

Only harmless elements, attributes and links are kept. What a table that others made (a pandas frame) and a
figure without words lack is added: the scope of its headings, a text in place of the picture, and a way to
reach by keyboard a table that is wider than the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["UNDESCRIBED", "clean_html"]

UNDESCRIBED = "A figure without a description."
"""The text of an image that came with none."""
_ELEMENTS = frozenset(
    re.findall(
        r"\w+",
        """
        a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure
        h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre q s samp section small span strong sub summary sup
        table tbody td tfoot th thead tr u ul
        """,
    )
)
_ATTRIBUTES = frozenset(
    re.findall(r"\w+", "alt class colspan height id open rowspan scope start title width")
)
_STYLES = re.findall(
    r"[\w-]+",
    """
    background-color border-left color font-size font-style font-weight margin max-width padding
    text-align vertical-align white-space width
    """,
)
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|#|(?![a-z][a-z0-9+.-]*:)[\w./])", re.IGNORECASE)
_DANGEROUS_BODIES = re.compile(
    r"<(script|style|template|iframe|object|noscript)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_Token = dict[str, Any]


def clean_html(markup: str) -> str:
    """`markup` with only harmless elements, attributes and links left.

    >>> clean_html('<b onclick="x()">kept</b><script>gone()</script> <a href="javascript:x()">link</a>')
    '<b>kept</b> <a>link</a>'
    """
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]

    cleaner = Cleaner(
        tags=_ELEMENTS,
        attributes=_allowed_attribute,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES),
        filters=[_without_empty_images, _described, _reachable],
        strip=True,
        strip_comments=True,
    )
    # Without their bodies: the text inside a script would stay on the page as text.
    cleaned: str = cleaner.clean(_DANGEROUS_BODIES.sub("", markup))
    return cleaned


def _without_empty_images(source: Iterable[_Token]) -> Iterator[_Token]:
    """An image whose source was refused would show as a broken one."""
    for token in source:
        if token.get("name") != "img" or (None, "src") in token["data"]:
            yield token


def _described(source: Iterable[_Token]) -> Iterator[_Token]:
    """Headings of tables with their scope, an empty one as a cell; images with a text."""
    scope = "row"
    held: _Token | None = None
    for token in source:
        name, starts = token.get("name"), token["type"] == "StartTag"
        if held is not None:
            if name == "th" and not starts:
                held["name"] = token["name"] = "td"
                del held["data"][None, "scope"]
            yield held
            held = None
        if name == "thead":
            scope = "col" if starts else "row"
        elif name == "img" and not token["data"].get((None, "alt")):
            token["data"][None, "alt"] = UNDESCRIBED
        if starts and name == "th":
            token["data"].setdefault((None, "scope"), scope)
            held = token
        else:
            yield token
    if held is not None:
        yield held


def _reachable(source: Iterable[_Token]) -> Iterator[_Token]:
    """Each table in an element of its own that moves sideways and can have the focus."""
    held: list[_Token] = []
    depth = 0
    for token in source:
        step = {"StartTag": 1, "EndTag": -1}.get(token["type"], 0) if token.get("name") == "table" else 0
        depth += step
        if depth > 0 or step:
            held.append(token)
        else:
            yield token
        if held and depth <= 0:
            attributes = {"class": "scroll", "role": "group", "tabindex": "0", "aria-label": _caption(held)}
            data = {(None, name): value for name, value in attributes.items()}
            yield {"type": "StartTag", "name": "div", "namespace": None, "data": data}
            yield from held
            yield {"type": "EndTag", "name": "div", "namespace": None, "data": {}}
            held, depth = [], 0
    yield from held


def _caption(tokens: Iterable[_Token]) -> str:
    """The text of the first caption, plain: what writes the attribute escapes it."""
    text, inside = "", False
    for token in tokens:
        if token.get("name") == "caption":
            if token["type"] == "EndTag":
                break
            inside = True
        elif inside and token["type"] in {"Characters", "SpaceCharacters"}:
            text += token["data"]
        elif inside and token["type"] == "Entity":
            text += html.unescape(f"&{token['name']};")
    return " ".join(text.split()) or "Table"


def _allowed_attribute(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and _SAFE_LINK.match(value.strip()) is not None
    if name == "src":
        return tag == "img" and re.match(r"data:image/(svg\+xml|png|jpeg|gif);base64,", value) is not None
    return name in _ATTRIBUTES or name == "style"
