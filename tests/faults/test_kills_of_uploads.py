"""Kill -9, as in `test_kills`, of a report whose folder is remote: another machine sees whole runs or none.

The remote folder is one of this disk behind a file system of fsspec that is as slow as a network: `store` is
an object store, where a file appears whole; `disk` is as SFTP is, where it grows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbench.reporting.folder import ReportFolder
from llmbench.result_files import changed_files
from tests.faults.test_kills import IN_FLIGHT, ITEMS, Command, _write_notebook, all_rounds, survive
from tests.faults.vendor import Vendor, agree, serving, write_project

pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")]

FOLDERS = """
import os, sys, time
import fsspec
from fsspec.implementations.local import LocalFileSystem

class Store(LocalFileSystem):
    protocol = "store"

    def pipe_file(self, path, value, **more):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        time.sleep(0.3)
        # A store takes what several machines put under one name, and lists nothing that is half there.
        part = os.path.join(os.path.dirname(path), f".{os.getpid()}.part")
        with open(part, "wb") as file:
            file.write(value)
        os.replace(part, path)

class Disk(LocalFileSystem):
    protocol = "disk"

    def pipe_file(self, path, value, **more):
        with open(path, "wb") as file:
            file.write(value[: len(value) // 2])
            file.flush()
            time.sleep(0.3)
            file.write(value[len(value) // 2 :])

for kind in (Store, Disk):
    kind._strip_protocol = classmethod(lambda cls, path: path.split("://")[-1])
    fsspec.register_implementation(kind.protocol, kind)
"""
"""Registers store:// and disk://."""
UPLOAD = f"""{FOLDERS}
from llmbench.cli import main
sys.argv = ["llmbench", "report", "asking", "--out", sys.argv[1]]
main()
"""


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as found:
        yield found


def seen(there: Path, notebook: str = "asking") -> list[Path]:
    """The runs that another machine sees, oldest first."""
    return sorted(path.parent for path in (there / notebook / "runs").glob("*/manifest.json"))


@pytest.mark.parametrize("kind", ["store", "disk"])
@all_rounds
def test_an_upload(tmp_path: Path, vendor: Vendor, kind: str, rounds: int) -> None:
    def new(folder: Path) -> None:
        vendor.asked.clear()
        vendor.answered.clear()
        write_project(folder, vendor, ITEMS)
        _write_notebook(folder)
        command.words[2] = f"{kind}://{folder}/there"

    def check(folder: Path) -> None:
        agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT)
        for run in seen(folder / "there"):
            if kind == "store":
                assert changed_files(run) == ()

    def done(folder: Path) -> None:
        there = folder / "there"
        assert agree(folder / ".llmbench" / "ledger.db", vendor, IN_FLIGHT).total() == ITEMS
        runs = seen(there)
        (local,) = (folder / ".llmbench" / "reports").glob("*/asking")
        made = ReportFolder(local.parent, "asking").run_ids()
        assert [run.name for run in reversed(runs)] == made, "a run that was made was not uploaded"
        assert all(changed_files(run) == () for run in runs)
        assert changed_files(there / "asking") == ()
        newest = json.loads((there / "asking" / "result.json").read_text(encoding="utf-8"))
        assert newest == json.loads((runs[-1] / "result.json").read_text(encoding="utf-8"))
        index = (there / "index.html").read_text(encoding="utf-8")
        assert index.rstrip().endswith("</html>")
        assert "asking" in index
        assert {path.name for path in local.glob("runs/[!.]*/**/*") if path.is_file()} == {"result.json"}

    command = Command(["-c", UPLOAD, ""], check, done)
    survive(command, tmp_path, new, rounds, seed=19)
