"""nbval runs the notebooks on committed answers: no model is called, and the project's ledger is
not touched. `python tests/notebooks/record.py` makes the answers and the stored outputs again."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

_REPLAY = Path(__file__).resolve().parents[1] / "tests" / "notebooks" / "replay.jsonl"


def pytest_sessionstart(session: pytest.Session) -> None:
    from llmbench.ledger import Ledger

    folder = Path(tempfile.mkdtemp(prefix="llmbench-notebooks-"))
    session.config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    # Kernels inherit this process's environment.
    os.environ["LLMBENCH_LEDGER"] = str(folder / "ledger.db")
    os.environ["LLMBENCH_KEYRING"] = "off"
    for name in ("LLMBENCH_RUN_DIR", "LLMBENCH_RUN_ID", "LLMBENCH_FRESH", "LLMBENCH_PROGRESS"):
        os.environ.pop(name, None)
    with Ledger(folder / "ledger.db") as ledger:
        ledger.import_lines(_REPLAY)
