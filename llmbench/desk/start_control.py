"""What a form starts from, as buttons: the notebook, the newest run, or a file."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as widgets

from llmbench.desk.starting import Start
from llmbench.errors import LLMBenchError
from llmbench.reporting.text import encodable

__all__ = ["StartControl"]


class StartControl:
    """A button for each source, and the path of a file; what they give goes to `fill`.

    Buttons and not a list: JupyterLab keeps the arrow keys to itself while a list of a cell has the focus.
    """

    def __init__(
        self,
        fill: Callable[[Start], None],
        *,
        notebook: Callable[[], Start],
        run: Callable[[], Start],
        file: Callable[[str], Start],
    ) -> None:
        self._fill = fill
        self.notebook = _button("Start from the notebook", "Its defaults replace what is typed")
        self.run = _button("Start from the newest run", "Its parameters replace what is typed")
        self.path = widgets.Text(
            description="File", placeholder="parameters.yaml, from the project's folder",
            layout=widgets.Layout(width="26em"),
        )  # fmt: skip
        self.file = _button("Start from this file", "Its parameters replace what is typed")
        self.note = widgets.HTML()
        row = widgets.Layout(flex_flow="row wrap")
        self.box = widgets.VBox(
            [widgets.HBox([self.notebook, self.run, self.path, self.file], layout=row), self.note]
        )
        self.notebook.on_click(lambda _: self._from(notebook))
        self.run.on_click(lambda _: self._from(run))
        self.file.on_click(lambda _: self._from(lambda: file(self.path.value)))

    def _from(self, source: Callable[[], Start]) -> None:
        try:
            start = source()
            self._fill(start)
        except LLMBenchError as error:
            self.note.value = _status(_line(str(error), wrong=True))
            return
        items = "".join(f"<li>{_line(sentence, wrong=True)}</li>" for sentence in start.left_out)
        left = f"<p>Left out or to look at:</p><ul>{items}</ul>" if items else ""
        self.note.value = _status(f"<p>{_line(start.said)}</p>{left}")


def _button(name: str, what: str) -> widgets.Button:
    return widgets.Button(description=name, tooltip=what, layout=widgets.Layout(width="auto"))


def _status(markup: str) -> str:
    """Read out by a screen reader when it appears."""
    return f'<div role="status" style="line-height: 1.4">{markup}</div>'


def _line(text: str, *, wrong: bool = False) -> str:
    escaped = html.escape(encodable(text))
    return f'<span style="color: #9A3412">{escaped}</span>' if wrong else escaped
