"""The parameters of one notebook as rows of widgets: name, control, what it is or what is wrong with it."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from llmbench.desk.fields import Field, given_values
from llmbench.errors import UsageError

__all__ = ["ParameterRows"]

_NAME, _CONTROL = "15em", "24em"
_WRONG = "#9A3412"
_HELP_STYLE = "line-height: 1.3; padding-left: 8px"
_LIST = {"max_height": "330px", "overflow": "auto", "border": "1px solid #d1d5db", "padding": "4px"}


class _Row:
    """One parameter."""

    def __init__(self, field: Field, changed: Callable[[], None]) -> None:
        self.field = field
        self.control = _control(field)
        self.wrong = ""
        self._changed = changed
        self._name = widgets.HTML(layout=widgets.Layout(width=_NAME, flex="0 0 auto"))
        self._help = widgets.HTML(layout=widgets.Layout(flex="1 1 auto"))
        self.box = widgets.HBox(
            [self._name, self.control, self._help],
            layout=widgets.Layout(align_items="center", flex="0 0 auto", overflow="hidden"),
        )
        self.control.observe(self._moved, names="value")
        self._show()

    def matches(self, words: str) -> bool:
        """Whether the parameter's name or help has all of these words."""
        text = f"{self.field.parameter.name} {self.field.parameter.help}".casefold()
        return all(word in text for word in words.casefold().split())

    def _moved(self, _: Any) -> None:
        self._show()
        self._changed()

    def _show(self) -> None:
        parameter, typed = self.field.parameter, self.control.value
        try:
            same = self.field.read(typed) == parameter.default
            self.wrong = ""
        except UsageError as error:
            self.wrong, same = str(error), False
        name = html.escape(parameter.name)
        self._name.value = f"<code>{name}</code>" if same else f"<code><strong>{name}</strong></code>"
        # The height of a line is the control's, also of a help that takes two.
        text = html.escape(self.wrong or parameter.help)
        colour = f' style="color: {_WRONG}"' if self.wrong else ""
        self._help.value = f'<div style="{_HELP_STYLE}"><span{colour}>{text}</span></div>'


class ParameterRows:
    """All parameters of a notebook; `changed` is called after each change."""

    def __init__(self, fields: Sequence[Field], changed: Callable[[], None]) -> None:
        self._fields = tuple(fields)
        self._changed, self._filling = changed, False
        self._rows = {field.parameter.name: _Row(field, self._moved) for field in fields}
        self.find = widgets.Text(
            placeholder="find a parameter", continuous_update=True, layout=widgets.Layout(width=_NAME)
        )
        self.find.observe(self._narrow, names="value")
        self._list = widgets.VBox(
            [row.box for row in self._rows.values()],
            layout=widgets.Layout(**_LIST),
        )
        self.box = widgets.VBox([self.find, self._list] if self._rows else [])

    @property
    def fields(self) -> tuple[Field, ...]:
        """What the rows are of."""
        return self._fields

    @property
    def controls(self) -> dict[str, Any]:
        """The widget of each parameter, by its name."""
        return {name: row.control for name, row in self._rows.items()}

    @property
    def wrong(self) -> tuple[str, ...]:
        """What is wrong with what was typed, a sentence each."""
        return tuple(row.wrong for row in self._rows.values() if row.wrong)

    @property
    def typed(self) -> dict[str, str | bool]:
        """What stands in each control, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def values(self) -> dict[str, Any]:
        """The values that differ from their defaults; raises UsageError for one that cannot be read."""
        return given_values(self._fields, self.typed)

    def fill(self, typed: Mapping[str, str | bool]) -> None:
        """Every parameter as in `typed`, or else back to its default; told of as one change."""
        self._filling = True
        try:
            for name, row in self._rows.items():
                row.control.value = typed.get(name, row.field.default)
        finally:
            self._filling = False
        self._changed()

    def _moved(self) -> None:
        if not self._filling:
            self._changed()

    def _narrow(self, change: dict[str, Any]) -> None:
        for row in self._rows.values():
            row.box.layout.display = None if row.matches(change["new"]) else "none"


def _control(field: Field) -> Any:
    layout = widgets.Layout(width=_CONTROL, flex="0 0 auto")
    if field.parameter.type == "bool":
        return widgets.Checkbox(value=field.default, indent=False, layout=layout)
    if field.choices:
        options = [(choice or "(none)", choice) for choice in field.choices]
        return widgets.Dropdown(options=options, value=field.default, layout=layout)
    # Not IntText or FloatText: those turn what cannot be read into another number without a word.
    return widgets.Text(value=field.default, continuous_update=True, layout=layout)
