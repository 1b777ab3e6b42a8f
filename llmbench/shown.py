"""How a result shows itself in a notebook, and turns into pandas, where it has no way of its own."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from llmbench.plain_table import PlainTable
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AS_IT_IS", "shown", "undirected"]

AS_IT_IS = "mathjax_ignore"
"""Class of what JupyterLab must not set as a formula: it takes the text between two dollar signs for one."""

_Class = TypeVar("_Class", bound=type)
_OVERRIDES = {0x202D: "\ufffd", 0x202E: "\ufffd"}
_LONG = 120
"""Characters of a value."""
_MOST_ROWS = 20


def shown(cls: _Class) -> _Class:
    """Give a result class, a NamedTuple or a dataclass, `_repr_html_` and `to_pandas`.

    One that it has stays; what it shows is kept from being read as a formula, or backwards. `to_pandas` gives
    one row, a result within a result as columns of its own.

    >>> from typing import NamedTuple
    >>> @shown
    ... class Interval(NamedTuple):
    ...     low: float
    ...     high: float
    >>> Interval(0.1, 0.2).to_pandas().to_dict("records")
    [{'low': 0.1, 'high': 0.2}]
    >>> "<td>low</td><td>0.1</td>" in Interval(0.1, 0.2)._repr_html_()
    True
    """
    default = _frame_html if hasattr(cls, "to_pandas") else _html
    own: Callable[[Any], str] = getattr(cls, "_repr_html_", default)

    @functools.wraps(own)
    def repr_html(self: Any) -> str:
        return undirected(f'<div class="{AS_IT_IS}">{own(self)}</div>')

    cls._repr_html_ = repr_html  # type: ignore[attr-defined]
    if not hasattr(cls, "to_pandas"):
        cls.to_pandas = _to_pandas  # type: ignore[attr-defined]
    return cls


def undirected(page: str) -> str:
    r"""A page without the characters that turn the words after them round (U+202D, U+202E).

    A name that holds one would have the sentence of a verdict read backwards. Arabic and Hebrew need neither.

    >>> undirected("GO" + chr(0x202E) + "ON")
    'GO\ufffdON'
    """
    return page.translate(_OVERRIDES)


def _html(result: Any) -> str:
    """A name and a table of fields."""
    rows = [(name.replace("_", " "), _text(value)) for name, value in _flat(result)]
    return f"<p><b>{type(result).__name__}</b></p>{PlainTable(('', ''), rows, texts=1).html()}"


def _frame_html(result: Any) -> str:
    """A name and the first and last rows of the table that the result turns into."""
    frame: pd.DataFrame = result.to_pandas()
    table = frame.to_html(index=False, border=0, max_rows=_MOST_ROWS, na_rep=NONE)
    return f"<p><b>{type(result).__name__}</b>, {len(frame):,} rows</p>{table}"


def _to_pandas(self: Any) -> pd.DataFrame:
    """One row; a result within it as columns of its own."""
    import pandas as pd

    return pd.DataFrame([dict(_flat(self))])


def _flat(result: Any) -> Iterable[tuple[str, Any]]:
    for name, value in _fields(result):
        if _is_result(value):
            yield from ((f"{name}_{inner}", each) for inner, each in _flat(value))
        else:
            yield name, value


def _fields(result: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(result, tuple):
        return zip(result._fields, result, strict=True)  # type: ignore[attr-defined]
    return ((f.name, getattr(result, f.name)) for f in dataclasses.fields(result))


def _is_result(value: Any) -> bool:
    named = isinstance(value, tuple) and hasattr(value, "_fields")
    return named or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return _cut("; ".join(f"{key}: {_text(each)}" for key, each in value.items()) or "none")
    if isinstance(value, list | tuple | set | frozenset) and not _is_result(value):
        return _cut(", ".join(_text(each) for each in value) or "none")
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
