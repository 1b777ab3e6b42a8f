"""Kill -9, as in `test_kills`, of what makes documents of a report and a ledger of what is whole."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbench.ledger import Ledger
from llmbench.result_files import changed_files
from tests.faults.test_kills import (
    CALLS,
    CLI,
    IN_FLIGHT,
    ITEMS,
    Command,
    _with_ledger,
    _write_notebook,
    all_rounds,
    filled,
    survive,
    whole_runs,
)
from tests.faults.vendor import Vendor, agree, serving, write_project

__all__ = ["filled"]

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as found:
        yield found


@all_rounds
def test_a_report_with_documents(tmp_path: Path, vendor: Vendor, rounds: int) -> None:
    pytest.importorskip("resvg_py", reason="the extra docx is not installed")

    def new(folder: Path) -> None:
        vendor.asked.clear()
        vendor.answered.clear()
        write_project(folder, vendor, ITEMS)
        _write_notebook(folder)

    def check(folder: Path) -> None:
        agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT)
        whole_runs(folder / "reports")

    def done(folder: Path) -> None:
        assert whole_runs(folder / "reports") >= 1
        newest = folder / "reports" / "asking"
        assert changed_files(newest) == ()
        assert whole_document(newest / "report.docx")
        assert (newest / "report.md").read_text(encoding="utf-8").endswith("Seed 1.\n")

    words = [*CLI, "report", "asking", "--format", "docx,md"]
    survive(Command(words, check, done), tmp_path, new, rounds, seed=17)


def whole_document(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None


@all_rounds
def test_what_is_whole_of_a_ledger(tmp_path: Path, filled: Path, rounds: int) -> None:
    def check(folder: Path) -> None:
        if (folder / "new.db").exists():
            sound(folder / "new.db")
            (folder / "new.db").unlink()  # never written over
        sound(folder / ".llmbench" / "ledger.db")

    def sound(path: Path) -> None:
        with Ledger(path) as ledger:
            checked = ledger.verify()
            assert (checked.sound, checked.calls) == (True, CALLS)

    def done(folder: Path) -> None:
        sound(folder / "new.db")
        sound(folder / ".llmbench" / "ledger.db")
        assert [path.name for path in folder.glob(".new.db*")] == []

    words = [*CLI, "ledger", "verify", "--salvage", "new.db"]
    survive(Command(words, check, done), tmp_path, _with_ledger(filled), rounds, seed=18)
