"""Text that a spreadsheet may open: none of it is run as a formula, and numbers stay numbers.

A spreadsheet runs a cell that begins with = + - or @ when it opens a CSV, whoever wrote the cell, and an
answer of a model may. The remedy is OWASP's (CSV injection): an apostrophe in front, which spreadsheets read
as the mark of a text. Reading back, one apostrophe in front of such a text is to be taken off.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["formula_safe", "frame_csv", "holdable", "one_line_end"]

# What stands before the sign is skipped by some programs; the wide forms are signs to a Japanese one.
_FORMULA = re.compile("[\\s\ufeff\u200b\x00-\x1f\x7f-\x9f]*[=+@\uff1d\uff0b\uff0d\uff20-]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? ?%?", re.ASCII)
_UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def formula_safe(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, with ' in front; anything else as it is.

    >>> formula_safe("=HYPERLINK(1)"), formula_safe(" @SUM(A1)"), formula_safe("-1+cmd")
    ("'=HYPERLINK(1)", "' @SUM(A1)", "'-1+cmd")
    >>> formula_safe("a=1"), formula_safe(-1.5), formula_safe("-1.5"), formula_safe("+12%")
    ('a=1', -1.5, '-1.5', '+12%')
    """
    if not isinstance(value, str) or _FORMULA.match(value) is None or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def frame_csv(frame: pd.DataFrame) -> str:
    r"""`frame` as CSV without its index, titles and cells safe, one line ending everywhere.

    >>> import pandas as pd
    >>> frame_csv(pd.DataFrame({"=a": ["@b", "c"], "d": [-3.5, None]}))
    "'=a,d\n'@b,-3.5\nc,\n"
    """
    safe = frame.set_axis([_cell(title) for title in frame.columns], axis=1)
    # Only where there is text: a column of numbers keeps its type, and with it how it is written.
    columns = [
        column.map(_cell) if column.dtype.kind not in "biufMm" else column
        for column in (safe.iloc[:, place] for place in range(safe.shape[1]))
    ]
    if columns:
        import pandas as pd

        safe = pd.concat(columns, axis=1)
    return safe.to_csv(index=False, lineterminator="\n")


def _cell(value: Any) -> Any:
    return formula_safe(one_line_end(value) if isinstance(value, str) else value)


def one_line_end(text: str) -> str:
    r"""`text` with one ending of lines everywhere.

    Python before 3.13 writes a lone carriage return without quotes: what follows it would be another row of
    the CSV, whose first cell may be a formula.

    >>> one_line_end("a\r\nb\rc")
    'a\nb\nc'
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")


def holdable(text: str) -> str:
    """`text` with what neither a sheet nor a document of XML can hold put as a mark.

    >>> holdable("a" + chr(0) + "b")
    'a�b'
    """
    return _UNHOLDABLE.sub("\ufffd", text)
