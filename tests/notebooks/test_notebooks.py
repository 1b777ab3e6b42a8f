"""What holds for every notebook of the project."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from llmbench.reporting import available_notebooks, lint_parameters

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in available_notebooks(ROOT)]

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks(path: Path) -> None:
    assert path.is_file()


def test_parameters_are_declared_as_papermill_reads_them(path: Path) -> None:
    assert lint_parameters(path) == []


def test_the_cell_after_the_parameters_checks_them(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert "parameters" in cells[0].metadata.tags
    assert "report.parameters(globals()" in cells[1].source


def test_only_small_checked_texts_are_stored(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    checked = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if "nbval-check-output" in cell.metadata.get("tags", []):
            checked += 1
            assert cell.outputs
            assert cell.execution_count == 1
            assert all(output.output_type == "stream" and len(output.text) < 4000 for output in cell.outputs)
        else:
            assert cell.outputs == []
            assert cell.execution_count is None
    assert checked >= 1
    assert notebook.metadata.kernelspec.name == "python3"


def test_cells_are_thin_and_name_no_machine(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            assert len(cell.source.splitlines()) <= 10, cell.id
        text = cell.source + "".join(output.text for output in cell.get("outputs", []))
        assert not re.search(r"(?:/(?:home|root|Users)/|[A-Z]:\\)", text), cell.id
