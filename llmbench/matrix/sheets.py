"""Sheets for people to fill in, XLSX or CSV, in which no text is ever a formula."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import IO, Any

from llmbench.spreadsheet import formula_safe, holdable, one_line_end

__all__ = ["safe_rows", "write_sheet"]

_LONGEST = 32_000
"""A cell of a spreadsheet holds 32,767 characters."""


def safe_rows(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a sheet can hold them: a text that a spreadsheet would take for a formula gets an
    apostrophe before it, characters that no sheet can hold are replaced, and one too long is cut with a
    mark.
    """
    return [{name: _safe(value) for name, value in row.items()} for row in given]


def write_sheet(rows: Sequence[Mapping[str, Any]], file: IO[bytes], suffix: str, remark: str) -> None:
    """Write `rows`, which `safe_rows` made, as .xlsx or .csv; `remark` stands on an XLSX's second sheet."""
    if suffix.lower() == ".csv":
        import pandas as pd

        # The mark at the start tells a spreadsheet that this is UTF-8.
        pd.DataFrame(rows).to_csv(file, index=False, encoding="utf-8-sig", lineterminator="\n")
        return
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
    whole = io.BytesIO()
    book.save(whole)  # an archive that a full disk cuts off complains once more when it is collected
    file.write(whole.getvalue())


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return None if value is None or value != value else value
    text = one_line_end(holdable(value))
    return formula_safe(text if len(text) <= _LONGEST else text[:_LONGEST] + " [cut here]")
