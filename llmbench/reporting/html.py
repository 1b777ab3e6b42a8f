"""An executed notebook as one HTML file that needs nothing else and runs nothing.

Three layers keep a hostile answer from doing harm: our own tables escape it, whatever other HTML a
cell shows is reduced to harmless elements, and the page's content security policy forbids scripts
and any request.

Tags of cells: `hide` (not shown), `appendix` (moved to the end), `pair` (its figures side by side).
"""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from llmbench.money import dollars
from llmbench.reporting.clean import clean_html
from llmbench.reporting.wording import clip, minute
from llmbench.results import ResultEnvelope
from llmbench.run_files import EXECUTED, FIGURES, MANIFEST, RESULT, TABLES
from llmbench.shown import undirected

__all__ = ["PAGE_POLICY", "render_report", "style_sheet"]

PAGE_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_HIDDEN_TAGS = {"hide", "parameters", "injected-parameters"}
_FOLDERS = (TABLES, FIGURES)
_FOOT = 100
"""Characters of the foot of a page."""


def render_report(notebook: Any, envelope: ResultEnvelope, run_id: str, files: Collection[str] = ()) -> str:
    """The page of an executed notebook (nbformat 4): no code, the first screen first, appendix last.

    `files` are names of the same report in other formats, which the page leads to.
    """
    from nbconvert.exporters.html import HTMLExporter

    shown = [cell for cell in notebook.cells if not _HIDDEN_TAGS & _tags(cell)]
    appendix = [cell for cell in shown if "appendix" in _tags(cell)]
    main = [cell for cell in shown if "appendix" not in _tags(cell)]
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="llmbench",
        extra_template_basedirs=[str(Path(str(resources.files("llmbench.reporting"))) / "templates")],
        filters={
            "clean_html": clean_html,
            "format_usd": _format_usd,
            "minute": minute,
        },
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
            "page_foot": _page_foot(f"{envelope.title} · run {run_id}"),
            "files": (*files, RESULT, EXECUTED, *_FOLDERS, MANIFEST),
            "folders": _FOLDERS,
        },
    )
    return undirected(str(page))


def style_sheet() -> str:
    """The style of reports and of the index."""
    return (resources.files("llmbench.reporting") / "templates" / "llmbench" / "style.css").read_text("utf-8")


def _page_foot(words: str) -> str:
    """What stands at the foot of each printed page, beside its number."""
    # Escaped letter by letter: neither CSS nor the element around it can be left.
    safe = "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in clip(words, _FOOT))
    return f'@page {{ @bottom-left {{ content: "{safe}" }} }}'


def _tags(cell: Mapping[str, Any]) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def _format_usd(amount: float | None) -> str:
    return html.escape(dollars(amount))
