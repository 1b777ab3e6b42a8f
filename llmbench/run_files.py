"""What the files and folders of reports are called. `llmbench.reporting.folder` draws where they lie."""

from __future__ import annotations

__all__ = [
    "EXECUTED",
    "FAILED",
    "FIGURES",
    "INDEX",
    "MANIFEST",
    "PAGE",
    "REPORTS",
    "RESULT",
    "RUNS",
    "TABLES",
    "report_as",
]

REPORTS = "reports"
"""The folder of a project's reports, where no other is named."""
INDEX = "index.html"
"""In the folder of reports: all that there are."""
RUNS, FAILED = "runs", "failed"
"""Folders of a notebook: every run, and what failed."""
PAGE, EXECUTED, RESULT, MANIFEST = "report.html", "executed.ipynb", "result.json", "manifest.json"
"""Files of a run: what is read, the notebook as it ran, the envelope, the digest of every other file."""
TABLES, FIGURES = "tables", "figures"
"""Folders of a run."""


def report_as(kind: str) -> str:
    """The file of a run that is its page in another format.

    >>> report_as("pdf")
    'report.pdf'
    """
    return f"report.{kind}"
