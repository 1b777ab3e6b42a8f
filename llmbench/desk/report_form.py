"""A form to run a report: its parameters, what it would cost, its progress, and its result in place."""

from __future__ import annotations

import contextlib
import html
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmbench.config import load_config
from llmbench.desk.command import command_line
from llmbench.desk.fields import Field, fields_of
from llmbench.desk.outcome import outcome_html
from llmbench.desk.overview import title_of
from llmbench.desk.quoting import quote_run
from llmbench.desk.running import BackgroundRun
from llmbench.desk.starting import Start, from_file, from_run, other_parameters
from llmbench.desk.tables import run_tables, table_names
from llmbench.errors import LLMBenchError, UsageError
from llmbench.reporting.remote import reports_of
from llmbench.reporting.run import available_notebooks, check_run
from llmbench.reporting.text import encodable
from llmbench.result_files import read_envelope
from llmbench.results import ResultEnvelope
from llmbench.run_files import RESULT
from llmbench.shown import AS_IT_IS

__all__ = ["ReportForm", "form"]

_NO_WIDGETS = (
    "The form needs ipywidgets: pip install 'llmbench[notebooks]'. "
    "`llmbench report NOTEBOOK -p NAME VALUE` does the same in a terminal."
)
_NO_TABLE = "choose a table"


def form(notebook: str | None = None, out: str | Path | None = None) -> ReportForm | str:
    """The form, at `notebook` or the project's first; without ipywidgets a sentence that says so.

    Reports go to `out`, by default reports/ under the project's root, as `llmbench report` writes them.

    Raises UsageError for a notebook that the project does not have.
    """
    try:
        return ReportForm(notebook, out)
    except ImportError:
        return _NO_WIDGETS


class ReportForm:
    """The widgets of `form`, by name; it shows itself in a notebook."""

    def __init__(self, notebook: str | None = None, out: str | Path | None = None) -> None:
        import ipywidgets as widgets

        from llmbench.desk.start_control import StartControl

        self._root = load_config().root
        self._out = reports_of(self._root, out)
        names = available_notebooks(self._root)
        if not names or (notebook is not None and notebook not in names):
            asked = f"no notebook {notebook!r}" if notebook is not None else "no report"
            has = ", ".join(names) or "none"
            raise UsageError(f"The project's folder notebooks/ has {asked}; it has {has}.")
        self.background: BackgroundRun | None = None
        """The run that was started last."""
        self.report = widgets.Dropdown(options=names, value=notebook or names[0], description="Report")
        self.fresh = widgets.Checkbox(description="ask every model again (--fresh)", indent=False)
        self.quote_button = widgets.Button(description="Quote", tooltip="What would it call and cost?")
        self.run_button = widgets.Button(description="Run", button_style="primary")
        self.cancel_button = widgets.Button(description="Cancel", disabled=True)
        self.start = StartControl(
            self._fill,
            notebook=lambda: Start({}, "Filled in from the notebook: its defaults."),
            run=self._newest_run,
            file=lambda path: from_file(self.rows.fields, path, self._root),
        )
        self.question, self.command, self.status = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.made_with = widgets.HTML()
        """Whether the result below was made with other parameters than the form shows, and which."""
        self._newest: ResultEnvelope | None = None
        self.bar = widgets.IntProgress(layout=widgets.Layout(display="none", width="40em"))
        self.quoted, self.result, self.table = widgets.Output(), widgets.Output(), widgets.Output()
        self.tables = widgets.Dropdown(description="Table")
        self._parameters = widgets.VBox()
        buttons = (self.quote_button, self.run_button, self.cancel_button, self.fresh)
        self.box = widgets.VBox(
            [
                self.report, self.question, self.start.box, self._parameters, widgets.HBox(buttons),
                self.command, self.quoted, self.status, self.bar, self.made_with, self.result, self.tables,
                self.table,
            ]
        )  # fmt: skip
        self.report.observe(lambda _: self._choose(), names="value")
        self.fresh.observe(lambda _: self._typed(), names="value")
        self.tables.observe(lambda _: self._show_table(), names="value")
        self.quote_button.on_click(lambda _: self.quote())
        self.run_button.on_click(lambda _: self.run())
        self.cancel_button.on_click(lambda _: self.cancel())
        self._choose()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    @property
    def notebook(self) -> Path:
        """The file of the notebook that is chosen."""
        return self._root / "notebooks" / f"{self.report.value}.ipynb"

    def quote(self) -> threading.Thread:
        """Show what a run would call and cost; returns the thread that finds it out."""
        _put(self.quoted, _paragraph("Writing and looking up the calls of this run ..."))
        self.quote_button.disabled = True
        asked, notebook, fresh = self._asked(), self.notebook, self.fresh.value
        rows = self.rows

        def find_out() -> None:
            text = _sentence(lambda: quote_run(notebook, rows.values(), self._root, fresh=fresh))
            if asked == self._asked():  # else it is of what was typed before
                _put(self.quoted, text)
            self._typed(keep_quote=True)

        thread = threading.Thread(target=find_out, name="quote", daemon=True)
        thread.start()
        return thread

    def run(self) -> None:
        """Start the report in the background."""
        try:
            values = self.rows.values()
        except UsageError as error:
            self.status.value = _paragraph(str(error))
            return
        self.status.value = _paragraph("starting")
        self.run_button.disabled, self.cancel_button.disabled, self.report.disabled = True, False, True
        self.background = BackgroundRun(
            self.report.value, values, self._out, fresh=self.fresh.value, changed=self._changed
        )

    def cancel(self) -> None:
        """Stop the run; every answer that arrived is kept."""
        if self.background is not None:
            self.cancel_button.disabled = True
            self.background.cancel()

    def _choose(self) -> None:
        """Another report was chosen."""
        from llmbench.desk.parameter_rows import ParameterRows

        self._broken = ""
        fields: tuple[Field, ...] = ()
        try:
            fields = fields_of(self.notebook)
        except LLMBenchError as error:
            self._broken = str(error)
        self.rows = ParameterRows(fields, self._typed)
        self.question.value = f"<h3>{html.escape(title_of(self.notebook))}</h3>"
        self._parameters.children = (self.rows.box,)
        self.status.value = self.start.note.value = ""
        self._typed()
        self._show_result()

    def _fill(self, start: Start) -> None:
        if self._broken:
            raise UsageError(self._broken)
        self.rows.fill(start.typed)

    def _newest_run(self) -> Start:
        """Raises UsageError where there is none, ReportError for one that cannot be read."""
        self._show_result()  # somebody else may have made a newer one
        result = self._out / self.report.value / RESULT
        if not result.is_file():
            raise UsageError("This report was not run yet; start from the notebook or a file.")
        return from_run(self.rows.fields, self._newest or read_envelope(result), self._root)

    def _typed(self, *, keep_quote: bool = False) -> None:
        """Check what is typed, as the command would, and show the command."""
        wrong = self._broken or next(iter(self.rows.wrong), "")
        if not wrong:
            try:
                values = self.rows.values()
                check_run(self.notebook, values)
                line = html.escape(command_line(self.report.value, values, fresh=self.fresh.value))
                self.command.value = f'<pre style="white-space: pre-wrap; user-select: all">{line}</pre>'
            except LLMBenchError as error:
                wrong = str(error)
        if wrong:
            self.command.value = _paragraph(wrong, wrong=True)
        self._compare()
        running = self.background is not None and self.background.state == "running"
        self.quote_button.disabled = bool(wrong)
        self.run_button.disabled = bool(wrong) or running
        if not keep_quote:
            _put(self.quoted, "")

    def _asked(self) -> tuple[Any, ...]:
        return self.report.value, self.fresh.value, self.rows.typed

    def _changed(self, run: BackgroundRun) -> None:
        """Called by the thread of the run."""
        self.status.value = _paragraph(run.line(), wrong=run.state == "failed")
        told = run.progress
        if run.state == "running" and told is not None and told.total:
            self.bar.max, self.bar.value = told.total, told.done
            self.bar.layout.display = None
        if run.state != "running":
            self.bar.layout.display = "none"
            self.report.disabled, self.cancel_button.disabled = False, True
            self._typed(keep_quote=True)
            if run.state == "done":
                self._show_result()

    def _show_result(self) -> None:
        """The newest result of the report that is chosen, and its tables to choose from."""
        folder = self._out / self.report.value
        there = (folder / RESULT).is_file()
        _put(self.result, outcome_html(folder) if there else _paragraph("This report was not run yet."))
        self._newest = None
        names: tuple[str, ...] = ()
        if there:
            with contextlib.suppress(LLMBenchError):  # the outcome says it
                self._newest = read_envelope(folder / RESULT)
            try:
                names = table_names(self.report.value, self._out)
            except UsageError:
                names = ()
        self._compare()
        self.tables.options = [(_NO_TABLE, ""), *((name, name) for name in names)]
        self.tables.value = ""
        self.tables.layout.display = None if names else "none"
        _put(self.table, "")

    def _compare(self) -> None:
        """Say where the result that is shown was made with other parameters than the form shows."""
        said = ""
        if self._newest is not None and not self._broken:
            said = other_parameters(self.rows.fields, self.rows.typed, self._newest, self._root)
        self.made_with.value = _paragraph(encodable(said), wrong=True) if said else ""

    def _show_table(self) -> None:
        name = self.tables.value
        if not name:
            _put(self.table, "")
            return
        _put(self.table, _sentence(lambda: run_tables(self.report.value, name, self._out)))


def _sentence(make: Callable[[], Any]) -> str:
    """How what `make` gives shows itself; an error is one sentence, never a traceback."""
    try:
        return str(make()._repr_html_())
    except LLMBenchError as error:
        return _paragraph(str(error), wrong=True)
    except Exception as error:  # noqa: BLE001 - a form shows a sentence, whatever it was
        return _paragraph(f"That failed unexpectedly ({type(error).__name__}: {error}).", wrong=True)


def _paragraph(text: str, *, wrong: bool = False) -> str:
    colour = ' style="color: #9A3412"' if wrong else ""
    return f"<p{colour}>{html.escape(text)}</p>"


def _put(output: Any, markup: str) -> None:
    """Show `markup` in an Output, which resolves links as a notebook does; allowed in any thread."""
    data = {"text/html": f'<div class="{AS_IT_IS}">{markup}</div>', "text/plain": ""}
    shown = {"output_type": "display_data", "data": data, "metadata": {}}
    output.outputs = (shown,) if markup else ()
