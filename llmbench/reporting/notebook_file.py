"""Notebook files, read and written as format 4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmbench.errors import ReportError
from llmbench.reporting.text import encodable

__all__ = ["read_notebook", "write_notebook"]


def read_notebook(path: Path) -> Any:
    """The notebook as nbformat's NotebookNode; raises ReportError when it is none."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise ReportError(f"The notebook {path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ReportError(f"{path.name} is not a notebook; save it again from JupyterLab.") from error


def write_notebook(notebook: Any, path: Path) -> None:
    """Write `notebook` as UTF-8 JSON."""
    import nbformat

    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    path.write_text(encodable(text).rstrip("\n") + "\n", encoding="utf-8")
