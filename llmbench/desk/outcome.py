"""The newest result of a report, as a cell of JupyterLab shows it: verdict, links, first figures."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from llmbench.desk.overview import link_to
from llmbench.errors import ReportError
from llmbench.money import dollars
from llmbench.reporting.display import banner_html
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import counted, minute
from llmbench.result_files import read_envelope
from llmbench.run_files import EXECUTED, PAGE, RESULT
from llmbench.shown import AS_IT_IS, undirected

__all__ = ["outcome_html"]

_FIRST_FIGURES = 2
_CAPTION = "font-size: 13px; line-height: 1.4; color: #4b5563"
_FIGURE = re.compile(
    r'<figure(?: class="[a-z_]+")?><img alt="([^"<>]*)" src="(data:image/svg\+xml;base64,[A-Za-z0-9+/=]+)">'
    r"<figcaption>([^<>]*)</figcaption></figure>"
)
_PAIR = (
    f'<div class="{AS_IT_IS}" style="display: grid; gap: 16px; '
    "grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); "
    'max-width: 1200px; background-color: #ffffff; color: #111827">'
)


def outcome_html(folder: Path) -> str:
    """What the run in `folder` found; a sentence where it left nothing that can be read.

    Links are relative to the current folder, which is that of the notebook.
    """
    try:
        found = read_envelope(folder / RESULT)
    except ReportError as error:
        return f"<p>{html.escape(str(error))}</p>"
    page = html.escape(link_to(folder / PAGE))
    spent = dollars(found.spend.actual_usd)
    facts = (
        f'<p class="{AS_IT_IS}"><a href="{page}" style="font-weight: 600">Open the report</a> · '
        f'<a href="{html.escape(link_to(folder / EXECUTED))}">its notebook</a> · '
        f"generated {html.escape(minute(found.generated_at))} · {html.escape(spent)} spent</p>"
    )
    figures = _figures(folder / EXECUTED)
    shown = f"{_PAIR}{''.join(figures[:_FIRST_FIGURES])}</div>" if figures else ""
    more = len(figures) - _FIRST_FIGURES
    rest = f"<p>{counted(more, 'more figure')} in the report.</p>" if more > 0 else ""
    return undirected(encodable(f"{banner_html(found.verdict)}{facts}{shown}{rest}"))


def _figures(executed: Path) -> list[str]:
    """The figures of a run in the order of its notebook, as `Report.figure` wrote them.

    Anything else is left out: a page that came with somebody's report must run nothing here.
    """
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        pages = ["".join(output.get("data", {}).get("text/html", "")) for output in outputs]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [_small(figure) for page in pages if (figure := _FIGURE.fullmatch(page)) is not None]


def _small(figure: re.Match[str]) -> str:
    """Styled inline, because JupyterLab has none of a report's style."""
    alternative, source, caption = figure.groups()
    return (
        f'<figure style="margin: 0"><img alt="{alternative}" src="{source}">'
        f'<figcaption style="{_CAPTION}">{caption}</figcaption></figure>'
    )
