"""Tables that can be sorted, searched and downloaded, in JupyterLab; without itables they are plain.

Nothing is fetched: itables carries DataTables with it, and each table carries that (about 1 MB), because
one that relied on an earlier cell would be empty after that cell was cleared.
"""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING

from llmbench.config import load_config
from llmbench.desk.overview import link_to
from llmbench.errors import UsageError
from llmbench.reporting.display import table_html
from llmbench.reporting.remote import reports_of
from llmbench.reporting.report import csv_bytes
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import counted
from llmbench.run_files import TABLES
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InteractiveTable", "interactive", "run_tables", "table_names"]

_MOST_INLINE = 2 * 1024 * 1024
"""A longer CSV is not put into the page."""
_ROWS = 10
_NO_ITABLES = "To sort and search it: pip install 'llmbench[notebooks]'."


@shown
class InteractiveTable:
    """A table that shows itself; `csv` is the file that holds it, where there is one."""

    def __init__(self, frame: pd.DataFrame, name: str = "table", csv: Path | None = None) -> None:
        self.frame = frame
        self.name = name
        self._csv = csv

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        return self.frame

    def __repr__(self) -> str:
        return str(self.frame.to_string(index=False))

    def _repr_html_(self) -> str:
        return _grid(self.frame) + self._download()

    def _download(self) -> str:
        rows = counted(len(self.frame), "row")
        if self._csv is not None:
            target, extra = link_to(self._csv), ""
        else:
            content = csv_bytes(self.frame)
            if len(content) > _MOST_INLINE:
                return f"<p>{rows}; too long to download from here.</p>"
            target = f"data:text/csv;base64,{base64.b64encode(content).decode()}"
            extra = f' download="{html.escape(self.name)}.csv"'
        return f'<p>{rows} · <a href="{html.escape(target)}"{extra}>{html.escape(self.name)}.csv</a></p>'


def interactive(frame: pd.DataFrame, name: str = "table") -> InteractiveTable:
    """`frame` as a table that can be sorted, searched and downloaded as NAME.csv.

    The CSV is that of a report: no cell of it is run by a spreadsheet.
    """
    return InteractiveTable(frame, name)


def run_tables(
    notebook: str, table: str | None = None, out: str | Path | None = None
) -> InteractiveTable | tuple[str, ...]:
    """A table of the newest run of `notebook`, or without `table` the names of all of them.

    Raises UsageError for a report that was not run, and for a table that it does not have.
    """
    import pandas as pd

    names = table_names(notebook, out)
    if table is None:
        return names
    if table not in names:
        raise UsageError(f"{notebook} has no table {table!r}; it has {', '.join(names)}.")
    path = _folder(notebook, out) / f"{table}.csv"
    try:
        frame = pd.read_csv(path)
    except pd.errors.EmptyDataError:  # no column at all
        frame = pd.DataFrame()
    return InteractiveTable(frame, table, path)


def table_names(notebook: str, out: str | Path | None = None) -> tuple[str, ...]:
    """Names of the tables that the newest run of `notebook` left; raises UsageError where there is none."""
    folder = _folder(notebook, out)
    names = (
        tuple(sorted(path.stem for path in folder.glob("*.csv"))) if Path(notebook).name == notebook else ()
    )
    if not names:
        raise UsageError(
            f"There is no run of {notebook!r} with tables; run it first: llmbench report NOTEBOOK."
        )
    return names


def _folder(notebook: str, out: str | Path | None) -> Path:
    return reports_of(load_config().root, out) / notebook / TABLES


def _grid(frame: pd.DataFrame) -> str:
    try:
        from itables import to_html_datatable
        from itables.javascript import generate_init_offline_itables_html
        from itables.options import dt_bundle
    except ImportError:
        return table_html(frame) + f"<p>{html.escape(_NO_ITABLES)}</p>"
    from pandas.api.types import is_numeric_dtype

    plain = frame.map(lambda value: encodable(value) if isinstance(value, str) else value)
    plain.columns = [encodable(str(column)) for column in frame.columns]
    words = [place for place, kind in enumerate(frame.dtypes) if not is_numeric_dtype(kind)]
    grid: str = to_html_datatable(
        plain, connected=False, showIndex=False, maxBytes=0, pageLength=_ROWS, scrollX=True, allow_html=False,
        display_logo_when_loading=False, style="table-layout:auto; width:auto; margin:0",
        columnDefs=[{"className": "dt-left", "targets": words}],
    )  # fmt: skip
    return str(generate_init_offline_itables_html(dt_bundle)) + grid
