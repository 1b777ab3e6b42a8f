"""A full disk and a read-only one, as the system makes them: every command says in one sentence what to do,
what was recorded stays, and with room again the same command comes to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbench.ledger import Ledger
from llmbench.matrix.answer_files import read_answers
from llmbench.matrix.labels import export_labels
from tests.faults.killing import environment, finish, left_aside
from tests.faults.test_kills import CLI, MATRIX, _write_lines, _write_notebook
from tests.faults.test_kills_of_tables import sellers
from tests.faults.vendor import Vendor, agree, serving, write_project

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="disks are made by Linux's tmpfs"),
]


class Disk:
    """A small file system of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def mount(self, options: str) -> None:
        subprocess.run(["mount", *options.split(), "none", str(self.path)], check=True, capture_output=True)

    def fill(self, leave: int = 0) -> None:
        """Take all the room but `leave` bytes."""
        room = os.statvfs(self.path)
        with self._filler.open("wb") as file:
            file.write(b"\0" * max(room.f_bavail * room.f_frsize - leave, 0))

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    made.path.mkdir()
    try:
        made.mount("-t tmpfs -o size=24m")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here: needs root")
    yield made
    subprocess.run(["umount", "-l", str(made.path)], check=True)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with serving() as found:
        found.seconds = 0.01
        yield found


def said(words: list[str], folder: Path, **more: str) -> str:
    """Run a command that must fail; what it said at the end, which must be one sentence of ours."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder, env=environment(folder, **more), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: "), done.stderr
    return last


def test_a_matrix_on_a_full_disk(disk: Disk, vendor: Vendor) -> None:
    vendor.text = "word " * 20_000
    folder = disk.path / "project"
    write_project(folder, vendor, 40)
    finish([*CLI, "models"], folder)
    disk.fill(leave=2_000_000)
    done = subprocess.run(
        [sys.executable, "-c", MATRIX], cwd=folder, env=environment(folder), capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "LedgerError" in done.stderr
    assert "free space on its disk; what was recorded before is kept" in done.stderr.splitlines()[-1]
    disk.free()
    kept = agree(folder / ".llmbench" / "ledger.db", vendor, 4)
    assert 0 < kept.total() < 40
    finish(["-c", MATRIX], folder)
    kept = agree(folder / ".llmbench" / "ledger.db", vendor, 4)
    assert kept.total() == 40


def test_a_report_on_a_full_disk(disk: Disk, vendor: Vendor) -> None:
    folder = disk.path / "project"
    write_project(folder, vendor, 40)
    _write_notebook(folder)
    finish([*CLI, "report", "asking"], folder)
    whole = {path: path.read_bytes() for path in (folder / "reports").rglob("*") if path.is_file()}
    disk.fill(leave=20_000)
    assert "No space is left on the disk of reports: free some" in said([*CLI, "report", "asking"], folder)
    assert {path: path.read_bytes() for path in whole} == whole
    disk.free()
    finish([*CLI, "report", "asking"], folder)
    assert agree(folder / ".llmbench" / "ledger.db", vendor, 0).total() == 40


WRITERS = {
    "import": ["ledger", "import", "../calls.jsonl"],
    "export": ["ledger", "export", "out.csv"],
    "prune": ["ledger", "prune", "--before", "2026-02-01", "--texts-only", "--yes"],
    "reprice": ["ledger", "reprice", "--price-book", "current", "--csv", "prices.csv"],
    "salvage": ["ledger", "verify", "--salvage", "new.db"],
    "simulate": ["simulate", "ab", "--runs", "20", "--out", "plan"],
    "init": ["init", "mine"],
    "schedule": ["schedule", "asking", "--cron", "0 7 * * 1", "--out", "cron.txt"],
    "label export": ["label", "export", "../answers.csv", "--out", "sheet.xlsx"],
    "label import": ["label", "import", "../rated.csv", "--out", "labels.csv"],
    "spend": ["ledger", "spend", "--by", "unit", "--csv", "spend.csv"],
    "reconcile": [
        "ledger", "reconcile", "../export.csv", "--columns", "date=day,model=model,cost=usd",
        "--csv", "gaps.csv",
    ],
    "refresh": ["prices", "refresh"],
}  # fmt: skip


def prepare(disk: Disk, name: str, vendor: Vendor) -> Path:
    """A project in which the command `name` can run, with a ledger of 300 calls or none."""
    folder = disk.path / "project"
    write_project(folder, vendor)
    _write_notebook(folder)
    _write_lines(disk.path / "calls.jsonl", 300)
    (disk.path / "answers.csv").write_text(
        "item_id,cell,repeat,question,answer,expected,score\n"
        + "".join(f"{i},e/m[p],0,Right?,yes {i},yes,1\n" for i in range(200)),
        encoding="utf-8",
    )
    (disk.path / "export.csv").write_text("day,model,usd\n2026-01-02,m,3.5\n", encoding="utf-8")
    export_labels(read_answers(disk.path / "answers.csv"), disk.path / "rated.csv", n=40)
    if name != "import":
        finish([*CLI, "ledger", "import", "../calls.jsonl"], folder)
    return folder


PLACES = {
    "import": "calls.jsonl", "export": "out.csv", "prune": "ledger.db", "reprice": "prices.csv",
    "salvage": "new.db",
    "simulate": "plan", "init": "mine", "schedule": "cron.txt", "label export": "sheet.",
    "label import": "labels.csv", "spend": "spend.csv", "reconcile": "gaps.csv", "refresh": "gpu-prices",
}  # fmt: skip
"""What a sentence about a command's disk names, where it is not the ledger."""


def names_the_place(sentence: str, name: str) -> bool:
    return ".part" not in sentence and (PLACES[name] in sentence or "ledger.db" in sentence)


def sound(folder: Path) -> int:
    with Ledger(folder / ".llmbench" / "ledger.db") as ledger:
        found = ledger.verify()
        assert found.sound, found.problems
        return found.calls


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_command_on_a_full_disk(disk: Disk, vendor: Vendor, name: str) -> None:
    folder = prepare(disk, name, vendor)
    env = environment(folder, **sellers(disk.path))
    disk.fill()
    sentence = said([*CLI, *WRITERS[name]], folder, **env)
    assert any(word in sentence for word in ("free", "its disk", "name another", "give another")), sentence
    assert names_the_place(sentence, name), sentence
    assert left_aside(folder) == []
    disk.free()
    if name != "import":
        assert sound(folder) == 300
    finish([*CLI, *WRITERS[name]], folder, env)
    assert sound(folder) == 300


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_command_on_a_read_only_disk(disk: Disk, vendor: Vendor, name: str) -> None:
    folder = prepare(disk, name, vendor)
    env = environment(folder, **sellers(disk.path))
    disk.mount("-o remount,ro")
    sentence = said([*CLI, *WRITERS[name]], folder, **env)
    assert any(word in sentence.lower() for word in ("read-only", "writable", "cannot be")), sentence
    assert names_the_place(sentence, name), sentence
    disk.mount("-o remount,rw")
    finish([*CLI, *WRITERS[name]], folder, env)
    assert sound(folder) == 300


def test_reading_works_on_a_read_only_disk(disk: Disk, vendor: Vendor) -> None:
    folder = prepare(disk, "show", vendor)
    disk.mount("-o remount,ro")
    for words in (["ledger", "verify"], ["ledger", "spend"], ["ledger", "show"]):
        finish([*CLI, *words], folder)


def test_a_report_on_a_read_only_disk(disk: Disk, vendor: Vendor) -> None:
    folder = prepare(disk, "report", vendor)
    disk.mount("-o remount,ro")
    assert "cannot be written" in said([*CLI, "report", "asking"], folder)


LIMITED = """
import resource, runpy, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["llmbench", *sys.argv[2:]]
runpy.run_module("llmbench", run_name="__main__")
"""


@pytest.mark.parametrize("name", ["import", "export", "simulate"])
def test_files_that_may_not_grow(tmp_path: Path, vendor: Vendor, name: str) -> None:
    """The same without root: the system refuses files beyond a size."""
    place = Disk(tmp_path)
    folder = prepare(place, name, vendor)
    assert said(["-c", LIMITED, "20000", *WRITERS[name]], folder)
    finish([*CLI, *WRITERS[name]], folder)
    assert sound(folder) == 300


def test_what_the_vendor_was_paid_for_is_told_where_no_ledger_can_be_written(
    disk: Disk, vendor: Vendor, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = disk.path / "project"
    write_project(folder, vendor, 5)
    disk.mount("-o remount,ro")
    done = subprocess.run(
        [sys.executable, "-c", MATRIX], cwd=folder, env=environment(folder), capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "give another path" in done.stderr.splitlines()[-1]
    assert vendor.asked.total() == 0, "asked what could not be recorded"
