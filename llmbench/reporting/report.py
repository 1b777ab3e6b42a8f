"""What a notebook's cells call: show something, and keep it in the report's folder.

Under `llmbench report` the environment names the folder of the run; in JupyterLab there is none,
and everything is shown and nothing written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.config import load_config
from llmbench.errors import ReportError, UsageError
from llmbench.money import dollars
from llmbench.reporting.alternative import describe_figure
from llmbench.reporting.disk import unwritable
from llmbench.reporting.display import (
    banner_html,
    brief_value,
    figure_html,
    link_html,
    parameters_html,
    table_html,
)
from llmbench.reporting.envelope import git_commit, input_file, to_json, write_envelope
from llmbench.reporting.figures import figure_svg
from llmbench.reporting.parameters import check_parameters, read_parameters
from llmbench.reporting.progress import Progress, progress_writer
from llmbench.reporting.stated import Parameters, unstated
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import minute
from llmbench.result_files import workload_digest
from llmbench.results import InputFile, ResultEnvelope, Spend, Verdict
from llmbench.run_files import FIGURES, REPORTS, RESULT, TABLES
from llmbench.shown import AS_IT_IS
from llmbench.spreadsheet import frame_csv
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Parameters", "Report", "csv_bytes"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_FILE = re.compile(r"(?!result\.|manifest\.)[a-z0-9][a-z0-9_-]*\.(xlsx|csv|txt|json)")


class Report:
    """One run of a notebook.

    `notebook` is its name without .ipynb; `title` is what result.json and the index call it.
    Paths that a notebook is given are relative to `root`, the project's root.
    """

    def __init__(self, notebook: str, title: str) -> None:
        self.notebook = notebook
        self.title = title
        self.root = load_config().root
        given = os.environ.get("LLMBENCH_RUN_DIR")
        self.folder = Path(given) if given else None
        self.run_id = os.environ.get("LLMBENCH_RUN_ID")
        self.fresh = os.environ.get("LLMBENCH_FRESH") == "1"
        self.simulated = False
        """Set it before the first table where nobody measured the data: every CSV, the title of the page
        and the inputs in result.json then say so."""
        self._parameters: Mapping[str, Any] = {}
        self._left: frozenset[str] = frozenset()
        self._progress: Callable[[Any], None] | None = None

    def parameters(
        self,
        namespace: Mapping[str, Any],
        unused: Callable[[Mapping[str, Any]], Collection[str]] | None = None,
    ) -> Parameters:
        """Check every parameter of the notebook in `namespace` (its `globals()`) and show them.

        `unused` tells of the checked values which ones have no part in this run: those are shown as such.

        Raises UsageError naming the first one whose value is not of its declared type, or that is
        no longer there.
        """
        source = os.environ.get("LLMBENCH_NOTEBOOK")
        path = Path(source) if source else self.root / "notebooks" / f"{self.notebook}.ipynb"
        declared = read_parameters(path)
        missing = [parameter.name for parameter in declared if parameter.name not in namespace]
        if missing:
            raise UsageError(f"Parameter {missing[0]!r} is not set; run the cell tagged `parameters` first.")
        values = check_parameters(
            declared,
            {parameter.name: namespace[parameter.name] for parameter in declared},
            where=self.notebook,
        )
        self._parameters = values
        self._left = unstated(declared, values)
        idle = unused(values) if unused is not None else ()
        _show(
            parameters_html(
                {
                    "name": parameter.name,
                    "value": values[parameter.name],
                    "default": parameter.name in self._left,
                    "unused": parameter.name in idle,
                    "help": parameter.help,
                }
                for parameter in declared
            ),
            "\n".join(
                f"{name} = {value!r}{'  # not used' if name in idle else ''}"
                for name, value in values.items()
            ),
        )
        return Parameters(values)

    def path(self, relative: str | Path) -> Path:
        """A file of the project, given relative to its root; an absolute path stays."""
        return load_config(self.root).resolve(relative)

    @property
    def published(self) -> Path:
        """The folder of all published reports: OUT of `llmbench report`, and reports/ in JupyterLab."""
        # The folder of a run is OUT/NOTEBOOK/runs/.staging-RUN-ID.
        return self.root / REPORTS if self.folder is None else self._folder().parents[2]

    @property
    def progress(self) -> Callable[[Any], None]:
        """Give it to `Matrix.run(progress=...)`: `llmbench report` shows it in the terminal,
        JupyterLab below the cell.
        """
        if self._progress is None:
            target = os.environ.get("LLMBENCH_PROGRESS")
            self._progress = progress_writer(Path(target)) if target else _live_line()
        return self._progress

    def verdict(self, verdict: Verdict) -> None:
        """Show the banner: one decision, one sentence, its reasons."""
        reasons = "".join(f"\n- {reason}" for reason in verdict.reasons)
        _show(banner_html(verdict), f"{verdict.decision.value}: {verdict.summary}{reasons}")

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        shown: pd.DataFrame | None = None,
        numbers: Collection[str] = (),
        *,
        caption: str = "",
    ) -> None:
        """Show a table and keep its numbers as tables/NAME.csv.

        `shown` is what the reader sees where that differs from the numbers kept: rounded values
        with their intervals, fewer columns. `numbers` are its columns of text that are numbers
        with a unit or an interval, and are aligned as numbers are.
        """
        self._write(f"{TABLES}/{_checked(name)}.csv", self._csv(frame))
        visible = frame if shown is None else shown
        _show(table_html(visible, caption, numbers, name=_in_words(name)), visible.to_string(index=False))

    def figure(
        self, name: str, figure: Figure, frame: pd.DataFrame, caption: str, *, alternative: str = ""
    ) -> None:
        """Show a figure and keep it as figures/NAME.svg, with its numbers in figures/NAME.csv.

        The caption says what is estimated; `alternative` is read to those who do not see it, without one
        what the figure's title, axes and labels say.
        """
        svg = figure_svg(figure)
        self._write(f"{FIGURES}/{_checked(name)}.svg", svg)
        self._write(f"{FIGURES}/{name}.csv", self._csv(frame))
        _show(figure_html(svg, caption, alternative or describe_figure(figure) or caption), caption)

    def page(self, name: str, html: str, frame: pd.DataFrame, text: str) -> None:
        """Keep a whole page as NAME.html beside the report, its numbers as tables/NAME.csv, and show a
        link to it. The page is kept as it is: whoever wrote it has escaped what comes from outside.
        """
        self._write(f"{_checked(name)}.html", encodable(html).encode())
        self._write(f"{TABLES}/{name}.csv", self._csv(frame))
        _show(link_html(f"{name}.html", text), text)

    def attachment(self, name: str, content: bytes, text: str) -> None:
        """Keep a file beside the report, such as model.xlsx, and show a link to it.

        Its bytes are kept as they are: nothing of what a model or a person wrote may be in it.
        """
        if not _FILE.fullmatch(name):
            raise UsageError(f"{name!r} cannot name a file beside the report; use a name such as model.xlsx.")
        self._write(name, content)
        _show(link_html(name, text), text)

    def text(self, text: str) -> None:
        """Show a sentence or a few; nothing in it is markup."""
        import html

        _show(f'<p class="{AS_IT_IS}">{html.escape(text)}</p>', text)

    def assumed(self, *names: str) -> None:
        """Show which of the parameters `names` nobody stated: a reader takes a number of the first screen,
        or a reason for it, for the team's own. Of simulated data nothing is shown.
        """
        told = [f"{name} ({brief_value(self._parameters[name])})" for name in names if name in self._left]
        if told and not self.simulated:
            self.text(f"Not stated for this run, so as the notebook has it: {', '.join(told)}.")

    def finish(
        self,
        *,
        verdict: Verdict,
        data: Mapping[str, Any],
        price_book: str,
        seed: int,
        spend: Spend,
        inputs: Sequence[InputFile] | Mapping[str, int | None] = (),
        workload_sha256: str | None = None,
        baseline: str | None = None,
        candidate: str | None = None,
        data_until: str | datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        """Write result.json and show where the numbers come from.

        `inputs` are files, or {path: rows}: they are hashed here. `parameters` are those that were
        checked, unless given. A parameter `workload_name` that names the workload stands before
        `workload_sha256`. A report without this call is not published.
        """
        from llmbench import __version__

        if name := str(self._parameters.get("workload_name", "")).strip():
            workload_sha256 = workload_digest(name)
        if isinstance(inputs, Mapping):
            inputs = [input_file(self.root, path, rows) for path, rows in inputs.items()]
        if self.simulated and not any(item.simulated for item in inputs):
            inputs = [replace(item, simulated=True) for item in inputs]
        envelope = ResultEnvelope(
            report=self.notebook,
            title=f"Simulated data: {self.title}" if self.simulated else self.title,
            verdict=verdict,
            parameters=to_json(dict(self._parameters if parameters is None else parameters)),
            inputs=tuple(inputs),
            workload_sha256=workload_sha256,
            baseline=baseline,
            candidate=candidate,
            price_book=price_book,
            generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_until=data_until.isoformat() if isinstance(data_until, datetime) else data_until,
            llmbench_version=__version__,
            git_commit=git_commit(self.root),
            seed=int(seed),
            spend=spend,
            data=to_json(data),
        )
        if self.folder is not None:
            folder = self._folder()
            try:
                write_envelope(folder / RESULT, envelope)
            except OSError as error:
                raise self._unwritable(error) from error
        self._show_provenance(envelope)

    def _show_provenance(self, envelope: ResultEnvelope) -> None:
        import pandas as pd

        rows: list[tuple[str, str]] = [
            ("run", self.run_id or "interactive, nothing was written"),
            ("generated", minute(envelope.generated_at)),
            ("data until", minute(envelope.data_until)),
            ("llmbench", envelope.llmbench_version),
            ("commit", envelope.git_commit or NONE),
            ("price book", envelope.price_book),
            ("seed", str(envelope.seed)),
            ("quoted", dollars(envelope.spend.quoted_usd)),
            ("spent", dollars(envelope.spend.actual_usd)),
            ("workload sha256", envelope.workload_sha256 or NONE),
        ]
        for item in envelope.inputs:
            count = "" if item.rows is None else f", {item.rows:,} rows"
            made = ", simulated" if item.simulated else ""
            rows.append(("input", f"{item.path}{count}{made}, sha256 {item.sha256}"))
        frame = pd.DataFrame(rows, columns=["what", "value"])
        _show(table_html(frame, "Where these numbers come from"), frame.to_string(index=False))

    def _csv(self, frame: pd.DataFrame) -> bytes:
        return csv_bytes(frame.assign(simulated=True) if self.simulated else frame)

    def _write(self, relative: str, content: bytes) -> None:
        if self.folder is None:
            return
        path = self._folder() / relative
        if path.exists():
            raise ReportError(f"The report already has {relative}; give the second one another name.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ReportError:
        return unwritable(error, self.published, self.root)

    def _folder(self) -> Path:
        if self.folder is None or not self.folder.is_dir():
            raise ReportError("The folder of this run is gone; run `llmbench report` again.")
        return self.folder


def _show(markup: str, text: str) -> None:
    from IPython.display import display

    display({"text/html": encodable(markup), "text/plain": encodable(text)}, raw=True)  # type: ignore[no-untyped-call]


def _live_line() -> Callable[[Any], None]:
    """One line below the cell that is replaced as the run goes on."""
    from IPython.display import display

    handle: Any = None

    def show(event: Any) -> None:
        nonlocal handle
        bundle = {"text/plain": Progress.of(event).line()}
        if handle is None:
            handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            handle.update(bundle, raw=True)

    return show


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:120]!r} cannot name a table or figure; use at most 100 lower case letters, digits, - "
            "and _."
        )
    return name


def _in_words(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """UTF-8, one line ending everywhere; lists and dicts as JSON; formulas defused."""
    plain = frame.copy()
    for column in plain.columns:
        if plain[column].dtype == object or str(plain[column].dtype) in {"str", "string"}:
            plain[column] = [_csv_cell(value) for value in plain[column]]
    return frame_csv(plain).encode("utf-8", "backslashreplace")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list | tuple | dict):
        return json.dumps(to_json(value), ensure_ascii=False)
    return encodable(value) if isinstance(value, str) else value
