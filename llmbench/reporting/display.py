"""HTML for what a report shows. Whatever comes from data or from a model is escaped here."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llmbench.results import Decision, Verdict
from llmbench.shown import AS_IT_IS
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DECISION_WORDS",
    "banner_html",
    "brief_value",
    "figure_html",
    "format_cell",
    "link_html",
    "parameters_html",
    "table_html",
]

DECISION_WORDS = {
    Decision.GO: "GO",
    Decision.GO_WITH_CONDITIONS: "GO, WITH CONDITIONS",
    Decision.HOLD: "HOLD",
    Decision.NO_GO: "NO-GO",
}
_DECISION_MARKS = {
    Decision.GO: "✓",
    Decision.GO_WITH_CONDITIONS: "✓",
    Decision.HOLD: "…",
    Decision.NO_GO: "✕",
}
_DECISION_COLOURS = {
    Decision.GO: "#00674B",
    Decision.GO_WITH_CONDITIONS: "#00578A",
    Decision.HOLD: "#4B5563",
    Decision.NO_GO: "#9A3412",
}
_TABLE = f'<table class="{AS_IT_IS}">'
_LONG_TEXT, _SHORT_TEXT, _WORD = 60, 32, 14
"""Characters of a cell."""


def banner_html(verdict: Verdict) -> str:
    """The verdict: word, mark and colour, one sentence, the reasons. Styled inline as well, so that
    it looks the same in JupyterLab.
    """
    colour = _DECISION_COLOURS[verdict.decision]
    reasons = "".join(f"<li>{html.escape(str(reason))}</li>" for reason in verdict.reasons)
    return (
        f'<section class="verdict" style="border-left: 8px solid {colour}; '
        f'background-color: #f8fafc; color: #111827; padding: 8px 14px">'
        f'<p class="{AS_IT_IS}" style="margin: 0"><strong style="color: {colour}">'
        f"{_DECISION_MARKS[verdict.decision]} "
        f"{DECISION_WORDS[verdict.decision]}</strong> {html.escape(str(verdict.summary))}</p>"
        f"{f'<ul class={AS_IT_IS!r}>{reasons}</ul>' if reasons else ''}</section>"
    )


def link_html(target: str, text: str) -> str:
    """A sentence that leads to a file beside the report."""
    return f'<p class="{AS_IT_IS}"><a href="{html.escape(target)}">{html.escape(text)}</a></p>'


def table_html(
    frame: pd.DataFrame, caption: str = "", numbers: Collection[str] = (), *, name: str = ""
) -> str:
    """A table without its index; numbers to the right, missing values as a dash, text escaped.

    Text is never taken for a number by its looks: `numbers` are the columns of formatted ones. Without a
    caption, `name` is the one that only a screen reader says.
    """
    numeric = [
        column
        for place, column in enumerate(frame.columns)
        if column in numbers or _is_numeric(frame.iloc[:, place])
    ]
    head = "".join(
        f'<th scope="col"{_align(column in numeric)}>{html.escape(str(column))}</th>'
        for column in frame.columns
    )
    rows = "".join(
        "<tr>"
        + "".join(
            _cell_html(format_cell(value), right=column in numeric)
            for column, value in zip(frame.columns, row, strict=True)
        )
        + "</tr>"
        for row in frame.itertuples(index=False, name=None)
    )
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    if name and not caption:
        title = f'<caption class="unseen">{html.escape(name)}</caption>'
    return f"{_TABLE}{title}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def figure_html(svg: bytes, caption: str, alternative: str) -> str:
    """The figure as an image inside the page: an SVG used as an image runs nothing."""
    data = base64.b64encode(svg).decode()
    return (
        f'<figure class="{AS_IT_IS}"><img alt="{html.escape(alternative)}" '
        f'src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def parameters_html(rows: Iterable[Mapping[str, Any]]) -> str:
    """The echo of the parameters: name, value, whether it is given or not used, and what it is."""
    body = "".join(
        f"<tr><td><code>{html.escape(row['name'])}</code></td><td>{html.escape(brief_value(row['value']))}</td>"
        f"<td>{_standing(row)}</td><td>{html.escape(row['help'])}</td></tr>"
        for row in rows
    )
    return (
        f"{_TABLE}<caption>Parameters of this run</caption><thead><tr>"
        '<th scope="col">parameter</th><th scope="col">value</th><th scope="col">set</th>'
        '<th scope="col">what it is</th>'
        f"</tr></thead><tbody>{body}</tbody></table>"
    )


def _standing(row: Mapping[str, Any]) -> str:
    given = "" if row["default"] else "given"
    return ", ".join(filter(None, [given, "not used" if row.get("unused") else ""]))


def format_cell(value: Any) -> str:
    """One value of a table as text: three significant digits, thousands apart, a dash if it is missing.

    >>> [format_cell(value) for value in (1234567, 0.123456, None, float("nan"), "text", True)]
    ['1,234,567', '0.123', '–', '–', 'text', 'yes']
    """
    if _is_missing(value):
        return NONE
    if isinstance(value, str):
        return value
    if type(value).__name__ in {"bool", "bool_"}:
        return "yes" if value else "no"
    if isinstance(value, tuple | list) and len(value) == 2:
        return f"{format_cell(value[0])} to {format_cell(value[1])}"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return _float(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _float(value: float) -> str:
    if value == 0 or 1e-4 <= abs(value) < 1e3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.2e}"


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float) and not math.isfinite(value)


def _is_numeric(column: Any) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(column) and not is_bool_dtype(column))


def _cell_html(text: str, *, right: bool) -> str:
    value, bracket, interval = text.partition(" (")
    if right and bracket:  # where the table is too wide, the interval goes below its estimate
        return f"<td{_align(right)}>{_unbroken(value)} {_unbroken(bracket[1:] + interval)}</td>"
    # Only a long text may be broken anywhere; a number or a name must not be broken at all.
    kind = "long" if len(text) > _LONG_TEXT else "short" if len(text) <= _SHORT_TEXT else ""
    kind += " word" if len(text) <= _WORD else ""  # such as a date: not even on paper
    kind += " name" if kind == "short" and " " not in text else ""
    return f"<td{kind and f' class={kind!r}'}{_align(right)}>{html.escape(text)}</td>"


def _unbroken(text: str) -> str:
    return f'<span style="white-space: nowrap">{html.escape(text)}</span>'


def _align(right: bool) -> str:
    return ' style="text-align: right"' if right else ' style="text-align: left"'


def brief_value(value: Any) -> str:
    """The value of a parameter as a line of text."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {brief_value(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(brief_value(item) for item in value) or "none"
    return "none" if value == "" else str(value)
