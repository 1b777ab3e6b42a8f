"""The control of a form that says what it starts from: the notebook, the newest run, or a file."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as widgets

from llmbench.desk.starting import Start
from llmbench.errors import LLMBenchError
from llmbench.reporting.text import encodable

__all__ = ["FILE", "NOTEBOOK", "RUN", "StartControl"]

NOTEBOOK, RUN, FILE = "the notebook", "the newest run", "a file"


class StartControl:
    """A list of sources, the path of a file, and a button; `fill` fills the form from (source, path).

    Nothing is filled in before the button is pressed: arrow keys in the list must not lose what was typed.
    """

    def __init__(self, fill: Callable[[str, str], Start]) -> None:
        self._fill = fill
        self.source = widgets.Dropdown(options=(NOTEBOOK, RUN, FILE), description="Start from")
        self.path = widgets.Text(
            description="File",
            placeholder="parameters.yaml, from the project's folder",
            layout=widgets.Layout(display="none", width="30em"),
        )
        self.button = widgets.Button(
            description="Fill in", tooltip="Replace what is typed by these parameters"
        )
        self.note = widgets.HTML()
        self.box = widgets.VBox([widgets.HBox([self.source, self.path, self.button]), self.note])
        self.source.observe(self._chosen, names="value")
        self.button.on_click(lambda _: self._pressed())

    def _chosen(self, change: dict[str, str]) -> None:
        self.path.layout.display = None if change["new"] == FILE else "none"

    def _pressed(self) -> None:
        try:
            start = self._fill(self.source.value, self.path.value)
        except LLMBenchError as error:
            self.note.value = _status(_line(str(error), wrong=True))
            return
        items = "".join(f"<li>{_line(sentence, wrong=True)}</li>" for sentence in start.left_out)
        left = f"<p>Left out or to look at:</p><ul>{items}</ul>" if items else ""
        self.note.value = _status(f"<p>{_line(start.said)}</p>{left}")


def _status(markup: str) -> str:
    """Read out by a screen reader when it appears."""
    return f'<div role="status" style="line-height: 1.4">{markup}</div>'


def _line(text: str, *, wrong: bool = False) -> str:
    escaped = html.escape(encodable(text))
    return f'<span style="color: #9A3412">{escaped}</span>' if wrong else escaped
