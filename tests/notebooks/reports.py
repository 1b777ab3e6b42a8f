"""Reports made by the project's own notebooks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from llmbench.reporting import ReportRun, run_report

__all__ = ["ROOT", "report_of", "result_of"]

ROOT = Path(__file__).resolve().parents[2]


def report_of(notebook: str, out: Path, **parameters: Any) -> ReportRun:
    """The report of a notebook of this project, in the folder `out`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return run_report(notebook, parameters, out=out, console=Console(file=io.StringIO()))


def result_of(run: ReportRun) -> dict[str, Any]:
    """What the run left as result.json."""
    result: dict[str, Any] = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))
    return result
