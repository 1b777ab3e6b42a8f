"""The `data` of a result, walked by whoever did not write it: what is not there, or odd, is nothing.

`data` is JSON that a notebook left, perhaps an older one: a part that is missing reads as an empty one, and a
number that is none as None. Nothing here raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmbench.numbers import finite

__all__ = ["as_count", "cell_label", "ends_of", "model_of_cell", "part_of", "row_of", "rows_of", "text_of"]


def rows_of(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The rows of a table of `data`, in their order.

    >>> rows_of({"arms": [{"arm": "new"}, None]}, "arms"), rows_of({}, "arms")
    ([{'arm': 'new'}], [])
    """
    found = data.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def row_of(data: Mapping[str, Any], key: str, field: str, wanted: Any) -> Mapping[str, Any]:
    """The first row of a table whose `field` is `wanted`; an empty one where there is none.

    >>> row_of({"arms": [{"arm": "old", "units": 9}]}, "arms", "arm", "old")
    {'arm': 'old', 'units': 9}
    """
    if wanted is None:  # which a row without the field would match
        return {}
    return next((row for row in rows_of(data, key) if row.get(field) == wanted), {})


def part_of(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A named group of values; an empty one where there is none.

    >>> part_of({"costs": {"training_usd": 2.0}}, "costs"), part_of({"costs": None}, "costs")
    ({'training_usd': 2.0}, {})
    """
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def ends_of(value: Any) -> tuple[float | None, float | None]:
    """The low and the high end of an interval, which JSON has as a list of two.

    >>> ends_of([0.1, 0.2]), ends_of([None, 0.2]), ends_of("0.1 to 0.2")
    ((0.1, 0.2), (None, 0.2), (None, None))
    """
    if isinstance(value, list | tuple) and len(value) == 2:
        return finite(value[0]), finite(value[1])
    return None, None


def as_count(value: Any) -> int | None:
    """A whole number; None for anything that is none.

    >>> as_count(3), as_count(3.0), as_count(3.5), as_count(None)
    (3, 3, None, None)
    """
    number = finite(value)
    return int(number) if number is not None and number.is_integer() else None


def text_of(value: Any) -> str | None:
    """A text; None for anything that is none.

    >>> text_of("gpt-4o"), text_of(3)
    ('gpt-4o', None)
    """
    return value if isinstance(value, str) else None


def cell_label(model: object, prompt: object = None, params: object = None) -> str:
    """What a cell of a matrix is called, in its tables and wherever it is looked for; "" without a model.

    >>> cell_label("gpt-4o", "zero_shot"), cell_label("gpt-4o", "zero_shot", "hot"), cell_label("gpt-4o")
    ('gpt-4o[zero_shot]', 'gpt-4o[zero_shot]{hot}', 'gpt-4o')
    """
    if not model:
        return ""
    return str(model) + (f"[{prompt}]" if prompt else "") + (f"{{{params}}}" if params else "")


def model_of_cell(label: str) -> str:
    """The model of a cell, of which `label` is what `cell_label` calls it.

    >>> model_of_cell("gpt-4o[zero_shot]{hot}"), model_of_cell("gpt-4o")
    ('gpt-4o', 'gpt-4o')
    """
    return label.partition("[")[0]
