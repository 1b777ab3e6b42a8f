"""The desk: the reports there are, a form to run one, and its result, in JupyterLab (`llmbench lab`).

Names are loaded when first used; ipywidgets only by `form`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.desk.fields import Field, fields_of
    from llmbench.desk.overview import Overview, ReportLine, reports
    from llmbench.desk.quoting import Quoted, quote_run
    from llmbench.desk.report_form import ReportForm, form
    from llmbench.desk.running import BackgroundRun
    from llmbench.desk.tables import InteractiveTable, interactive, run_tables

__all__ = [
    "BackgroundRun",
    "Field",
    "InteractiveTable",
    "Overview",
    "Quoted",
    "ReportForm",
    "ReportLine",
    "fields_of",
    "form",
    "interactive",
    "quote_run",
    "reports",
    "run_tables",
]

_NAMES_OF = {
    "fields": ("Field", "fields_of"),
    "overview": ("Overview", "ReportLine", "reports"),
    "quoting": ("Quoted", "quote_run"),
    "report_form": ("ReportForm", "form"),
    "running": ("BackgroundRun",),
    "tables": ("InteractiveTable", "interactive", "run_tables"),
}

__getattr__, __dir__ = attach(
    __name__, {name: f"{__name__}.{module}" for module, names in _NAMES_OF.items() for name in names}
)
