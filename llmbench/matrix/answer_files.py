"""A matrix's table of answers, read back from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmbench.errors import DatasetError
from llmbench.matrix.readers import read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_answers"]


def read_answers(path: Path) -> pd.DataFrame:
    """The rows of `path`; `repeat` is 0 where it has no such column. Raises DatasetError."""
    import pandas as pd

    try:
        table = read_table(path, path.read_bytes())
    except OSError as error:
        raise DatasetError(
            f"{path.name} cannot be read ({error.strerror}); give a table of answers."
        ) from error
    frame = pd.DataFrame([dict(row.cells) for row in table.rows], columns=list(table.columns))
    for name in ("repeat", "score"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    if "repeat" not in frame:
        frame = frame.assign(repeat=0)
    return frame
