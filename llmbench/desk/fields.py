"""A notebook's parameters as fields of a form: what each shows, and what was typed as a value.

Nothing here needs ipywidgets. What is typed goes through the very checks of `llmbench report`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.desk.choices import choices_of
from llmbench.errors import UsageError
from llmbench.reporting.parameters import Parameter, check_parameters, read_parameters
from llmbench.reporting.text import encodable

__all__ = ["Field", "fields_of", "given_values"]


class Field(NamedTuple):
    """One parameter as a form shows it."""

    parameter: Parameter
    choices: tuple[str, ...] = ()
    """The values there are; () where any of its type may do."""

    @property
    def default(self) -> str | bool:
        """The default as it is typed; of a bool, itself."""
        return as_typed(self.parameter.default)

    def read(self, typed: Any) -> Any:
        """The value that was typed or ticked.

        Raises UsageError with the sentence that `llmbench report -p` would give.

        >>> field = Field(Parameter("limit", "int", 0, "items to run"))
        >>> field.read("16")
        16
        >>> field.read("many")
        Traceback (most recent call last):
            ...
        llmbench.errors.UsageError: Parameter 'limit' takes a whole number (int), not 'many' (str).
        """
        name = self.parameter.name
        return check_parameters([self.parameter], {name: typed})[name]

    def shown(self, value: Any) -> str | bool:
        """A value of a run or of a file, as it is typed; raises UsageError for one that is not taken.

        >>> Field(Parameter("limit", "int", 0, "items to run")).shown(16)
        '16'
        """
        checked = self.read(value)
        if self.choices and checked not in self.choices:
            offered = ", ".join(choice or "(none)" for choice in self.choices)
            raise UsageError(f"Parameter {self.parameter.name!r} takes {offered}, not {checked!r}.")
        typed = as_typed(checked)
        return typed if isinstance(typed, bool) else encodable(typed)


def as_typed(value: Any) -> str | bool:
    """A value as one types it: JSON for lists and dicts, no `.0` behind a whole number.

    >>> as_typed(100000.0), as_typed(0.05), as_typed(["a"]), as_typed("text"), as_typed(True)
    ('100000', '0.05', '["a"]', 'text', True)
    """
    if isinstance(value, bool | str):
        return value
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return json.dumps(value, ensure_ascii=False)


def fields_of(notebook: Path) -> tuple[Field, ...]:
    """The fields of a notebook's form, in its order.

    Raises ReportError where the notebook does not declare its parameters as it must.
    """
    found = []
    for parameter in read_parameters(notebook):
        choices = choices_of(notebook.stem, parameter.name)
        # A default that is not among them, as another spelling, is the notebook's own word.
        found.append(Field(parameter, choices if not choices or parameter.default in choices else ()))
    return tuple(found)


def given_values(fields: Sequence[Field], typed: Mapping[str, str | bool]) -> dict[str, Any]:
    """The values that differ from their defaults; raises UsageError for the first that cannot be read.

    >>> limit = Field(Parameter("limit", "int", 0, ""))
    >>> given_values([limit], {"limit": "0"}), given_values([limit], {"limit": "16"})
    ({}, {'limit': 16})
    """
    values = {field.parameter.name: field.read(typed[field.parameter.name]) for field in fields}
    return {
        field.parameter.name: values[field.parameter.name]
        for field in fields
        if values[field.parameter.name] != field.parameter.default
    }
