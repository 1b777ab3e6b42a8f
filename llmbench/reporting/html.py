"""An executed notebook as one HTML file that needs nothing else and runs nothing.

Three layers keep a hostile answer from doing harm: our own tables escape it, whatever other HTML a
cell shows is reduced to harmless elements, and the page's content security policy forbids scripts
and any request.

Tags of cells: `hide` (not shown), `appendix` (moved to the end), `pair` (its figures side by side).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from llmbench.money import dollars
from llmbench.reporting.wording import minute
from llmbench.results import ResultEnvelope

__all__ = ["PAGE_POLICY", "clean_html", "render_report", "style_sheet"]

PAGE_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_HIDDEN_TAGS = {"hide", "parameters", "injected-parameters"}
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


def render_report(notebook: Any, envelope: ResultEnvelope, run_id: str) -> str:
    """The page of an executed notebook (nbformat 4): no code, the first screen first, appendix last."""
    from nbconvert.exporters.html import HTMLExporter

    shown = [cell for cell in notebook.cells if not _HIDDEN_TAGS & _tags(cell)]
    appendix = [cell for cell in shown if "appendix" in _tags(cell)]
    main = [cell for cell in shown if "appendix" not in _tags(cell)]
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="llmbench",
        extra_template_basedirs=[str(Path(str(resources.files("llmbench.reporting"))) / "templates")],
        filters={"clean_html": clean_html, "format_usd": _format_usd, "minute": minute},
    )
    # The exporter converts a whole notebook; the template picks the two halves from `resources`.
    page, _ = exporter.from_notebook_node(
        notebook,
        resources={
            "main_cells": main,
            "appendix_cells": appendix,
            "envelope": envelope,
            "run_id": run_id,
            "policy": PAGE_POLICY,
            "style": style_sheet(),
        },
    )
    return str(page)


def style_sheet() -> str:
    """The style of reports and of the index."""
    return (resources.files("llmbench.reporting") / "templates" / "llmbench" / "style.css").read_text("utf-8")


def clean_html(markup: str) -> str:
    """`markup` with only harmless elements, attributes and links left.

    >>> clean_html('<b onclick="x()">kept</b><script>gone()</script> <a href="javascript:x()">link</a>')
    '<b>kept</b> <a>link</a>'
    """
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
    from bleach.html5lib_shim import Filter  # type: ignore[import-untyped]
    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]

    class WithoutEmptyImages(Filter):  # type: ignore[misc]
        """An image whose source was refused would show as a broken one."""

        def __iter__(self) -> Iterator[Any]:
            for token in super().__iter__():
                if token.get("name") != "img" or (None, "src") in token["data"]:
                    yield token

    cleaner = Cleaner(
        tags=_ELEMENTS,
        attributes=_allowed_attribute,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES),
        filters=[WithoutEmptyImages],
        strip=True,
        strip_comments=True,
    )
    # Without their bodies: the text inside a script would stay on the page as text.
    cleaned: str = cleaner.clean(_DANGEROUS_BODIES.sub("", markup))
    return cleaned


def _allowed_attribute(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and _SAFE_LINK.match(value.strip()) is not None
    if name == "src":
        return tag == "img" and re.match(r"data:image/(svg\+xml|png|jpeg|gif);base64,", value) is not None
    return name in _ATTRIBUTES or name == "style"


def _tags(cell: Mapping[str, Any]) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def _format_usd(amount: float | None) -> str:
    return html.escape(dollars(amount))
