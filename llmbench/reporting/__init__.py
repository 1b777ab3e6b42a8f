"""Notebooks as reports: run them, publish what they leave, and what their cells call.

Names are loaded when first used: nothing here is needed to call a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.reporting.figures import DifferenceRow, ForestRow, difference_forest, forest
    from llmbench.reporting.formats import convert_report
    from llmbench.reporting.history import ModelPoint, RunHistory, RunPoint, Trend, run_history
    from llmbench.reporting.index import write_index
    from llmbench.reporting.parameters import (
        Parameter,
        check_parameters,
        lint_parameters,
        read_parameter_file,
        read_parameters,
    )
    from llmbench.reporting.report import Parameters, Report
    from llmbench.reporting.run import ReportRun, available_notebooks, resolve_notebooks, run_report

__all__ = [
    "DifferenceRow",
    "ForestRow",
    "ModelPoint",
    "Parameter",
    "Parameters",
    "Report",
    "ReportRun",
    "RunHistory",
    "RunPoint",
    "Trend",
    "available_notebooks",
    "check_parameters",
    "convert_report",
    "difference_forest",
    "forest",
    "lint_parameters",
    "read_parameter_file",
    "read_parameters",
    "resolve_notebooks",
    "run_history",
    "run_report",
    "write_index",
]

_NAMES_OF = {
    "figures": ("DifferenceRow", "ForestRow", "difference_forest", "forest"),
    "formats": ("convert_report",),
    "history": ("ModelPoint", "RunHistory", "RunPoint", "Trend", "run_history"),
    "index": ("write_index",),
    "parameters": (
        "Parameter",
        "check_parameters",
        "lint_parameters",
        "read_parameter_file",
        "read_parameters",
    ),
    "report": ("Parameters", "Report"),
    "run": ("ReportRun", "available_notebooks", "resolve_notebooks", "run_report"),
}

__getattr__, __dir__ = attach(
    __name__, {name: f"{__name__}.{module}" for module, names in _NAMES_OF.items() for name in names}
)
