"""The notebook that `llmbench lab` opens."""

from __future__ import annotations

from pathlib import Path

import nbformat

from llmbench.reporting.run import DESK, available_notebooks

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_thin_holds_no_output_and_is_no_report() -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{DESK}.ipynb", as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source.splitlines()[-1] for cell in code] == ["desk.reports()", "desk.form()"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert DESK not in available_notebooks(ROOT)
