"""Sheets for people to fill in, XLSX or CSV, in which no text is ever a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbench.spreadsheet import formula_safe, holdable

__all__ = ["write_sheet"]

_LONGEST = 32_000
"""A cell of a spreadsheet holds 32,767 characters."""


def write_sheet(given: Sequence[Mapping[str, Any]], path: Path, remark: str) -> list[dict[str, Any]]:
    """Write the rows `given` to `path` (.xlsx or .csv) and return them as they were written.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, characters that
    no sheet can hold are replaced, and one too long is cut with a mark. `remark` stands on a second
    sheet of an XLSX.
    """
    rows = [{name: _safe(value) for name, value in row.items()} for row in given]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".csv":
        import pandas as pd

        made = pd.DataFrame(rows)
        # The mark at the start tells a spreadsheet that this is UTF-8.
        made.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")
        return rows
    from openpyxl import Workbook
    from openpyxl.styles import Alignment

    book = Workbook()
    sheet = book.active
    sheet.title = "labels"
    sheet.append(list(rows[0]))
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row.values(), start=1):
            cell = sheet.cell(number, column)
            if isinstance(value, str):
                # Set after the value, from which openpyxl would guess a formula.
                cell.value = value
                cell.data_type = "s"
                cell.alignment = Alignment(wrap_text=True, vertical="top")
            else:
                cell.value = value
    for letter in "BCD":
        sheet.column_dimensions[letter].width = 60
    sheet.freeze_panes = "B2"
    book.create_sheet("how to").append([remark])
    book.save(path)
    return rows


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return None if value is None or value != value else value
    text = holdable(value)
    return formula_safe(text if len(text) <= _LONGEST else text[:_LONGEST] + " [cut here]")
