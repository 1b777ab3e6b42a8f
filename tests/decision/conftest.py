"""Folders of reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmbench.reporting.envelope import write_envelope
from llmbench.reporting.folder import write_manifest
from tests.decision.left import MATRIX, Leave, envelope


@pytest.fixture
def leave(tmp_path: Path) -> Leave:
    """Writes a report into a folder of reports, and returns that folder."""

    def write(
        report: str = "model_matrix", data: dict[str, Any] | None = None, *, run: str = "", **changed: Any
    ) -> Path:
        folder = tmp_path / "reports" / report
        folder = folder / "runs" / run if run else folder
        folder.mkdir(parents=True)
        write_envelope(folder / "result.json", envelope(report, MATRIX if data is None else data, **changed))
        write_manifest(folder)
        return tmp_path / "reports"

    return write
