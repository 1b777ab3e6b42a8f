"""Draws of one answer by the numbers that a file gives them: from 0 or from 1, and no more than there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmbench.errors import DatasetError
from llmbench.matrix.foreign.reading import ResultFiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from llmbench.matrix.plan import Plan

__all__ = ["numbered", "refuse_sparse"]

_MOST = 10_000_000
"""Answers, there or missing, that are laid out for fewer rows than this."""
_MOST_A_ROW = 3


def numbered(files: ResultFiles, cell_codes: NDArray[np.intp], cells: Sequence[str]) -> ResultFiles:
    """The files with draws from 0 in every cell: of a cell that has no draw 0 they count from 1, which
    becomes a note. A draw that is in no row is missing.

    Raises DatasetError for draws that begin later, and for a number beyond the rows that the cell has.
    """
    import numpy as np

    repeat = files.frame["repeat"].to_numpy()
    first = np.full(len(cells), np.iinfo(np.int64).max)
    np.minimum.at(first, cell_codes, repeat)
    rows = np.bincount(cell_codes, minlength=len(cells))
    late = np.flatnonzero(first > 1)
    if late.size:
        cell = int(late[0])
        where = _place(files, int(np.flatnonzero(cell_codes == cell)[0]))
        raise DatasetError(
            f"{where}: the lowest repeat of {cells[cell]} is {first[cell]:,}; count draws from 0 or from 1."
        )
    repeat = repeat - first[cell_codes]
    beyond = np.flatnonzero(repeat >= rows[cell_codes])
    if beyond.size:
        cell = int(cell_codes[beyond[0]])
        raise DatasetError(
            f"{_place(files, int(beyond[0]))}: repeat is {files.frame['repeat'].iloc[beyond[0]]:,}, and "
            f"{cells[cell]} has {rows[cell]:,} rows in all; count the draws of one answer 0, 1, ..."
        )
    if not first.any():
        return files
    names = [cells[int(cell)] for cell in np.flatnonzero(first)]
    told = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
    note = f"{files.paths[0].name}: repeat counts from 1 (of {told})"
    return replace(files, frame=files.frame.assign(repeat=repeat), notes=(*files.notes, note))


def refuse_sparse(files: ResultFiles, plan: Plan) -> None:
    """Raise DatasetError where nearly all answers of the matrix would be missing, and too many to lay out."""
    size, rows = sum(plan.size(cell) for cell in plan.cells), len(files.frame)
    if size > max(_MOST, _MOST_A_ROW * rows):
        most = max(cell.repeats for cell in plan.cells)
        raise DatasetError(
            f"{files.paths[0].name}: {len(plan.cells):,} models and prompts by {len(plan.dataset):,} items, "
            f"of up to {most:,} draws, are {size:,} answers, and there are {rows:,} rows; name items and "
            "models the same in every row, or read fewer at a time."
        )


def _place(files: ResultFiles, row: int) -> str:
    at = files.frame.iloc[row]
    return f"{files.paths[int(at['file'])].name}:{at['line']}"
