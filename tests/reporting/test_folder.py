from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from llmbench.errors import ReportError
from llmbench.reporting.folder import ReportFolder, new_run_id, write_manifest


def _publish(folder: ReportFolder, run_id: str, **files: str) -> None:
    with folder.staging(run_id) as staging:
        for name, text in files.items():
            path = staging / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        write_manifest(staging)
        folder.publish(staging, run_id)


def _visible(path: Path) -> set[str]:
    return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file() and "runs" not in p.parts}


def test_manifest_holds_the_hash_of_every_other_file(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.csv").write_text("x\n1\n")
    write_manifest(tmp_path)
    write_manifest(tmp_path)  # its own hash is not in it
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == {"tables/a.csv": hashlib.sha256(b"x\n1\n").hexdigest()}


def test_publish_keeps_every_run_and_copies_the_newest(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    _publish(folder, "20250101T000000Z-a", report_html="one", tables__old_csv="1", tables__same_csv="1")
    _publish(folder, "20250102T000000Z-b", report_html="two", tables__same_csv="2")
    assert folder.run_ids() == ["20250102T000000Z-b", "20250101T000000Z-a"]
    assert _visible(folder.path) == {"report.html", "tables/same.csv", "manifest.json"}
    assert (folder.path / "report.html").read_text() == "two"
    assert (folder.runs / "20250101T000000Z-a" / "tables" / "old.csv").read_text() == "1"
    for name, digest in json.loads((folder.path / "manifest.json").read_text()).items():
        assert hashlib.sha256((folder.path / name).read_bytes()).hexdigest() == digest


def test_a_run_that_ends_late_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    _publish(folder, "20250102T000000Z-b", report_html="newer")
    _publish(folder, "20250101T000000Z-a", report_html="older")
    assert (folder.path / "report.html").read_text() == "newer"


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    _publish(folder, "20250101T000000Z-a", report_html="good")

    def fail() -> None:
        with folder.staging("20250102T000000Z-b") as staging:
            (staging / "report.html").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [p.name for p in folder.runs.iterdir()] == ["20250101T000000Z-a"]
    assert (folder.path / "report.html").read_text() == "good"


def test_a_copy_that_breaks_off_leaves_whole_files_and_the_old_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = ReportFolder(tmp_path, "small")
    _publish(folder, "20250101T000000Z-a", executed_ipynb="old", report_html="old")
    before = (folder.path / "manifest.json").read_text()
    copied: list[str] = []
    copy = shutil.copyfile

    def fails_later(source: Path, target: Path) -> None:
        if copied:
            Path(target).write_text("ha")
            raise OSError(28, "No space left on device")
        copied.append(str(copy(source, target)))

    monkeypatch.setattr(shutil, "copyfile", fails_later)
    with pytest.raises(OSError, match="No space left"):
        _publish(folder, "20250102T000000Z-b", executed_ipynb="new", report_html="new")
    assert {(folder.path / name).read_text() for name in ("executed.ipynb", "report.html")} == {"new", "old"}
    assert (folder.path / "manifest.json").read_text() == before


def test_staging_that_everyone_abandoned_goes_after_a_day(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    old, recent = folder.runs / ".staging-old", folder.runs / ".staging-recent"
    old.mkdir(parents=True)
    recent.mkdir()
    os.utime(old, (time.time() - 90_000,) * 2)
    with folder.staging("x"):
        pass
    assert not old.exists()
    assert recent.exists()


def test_failed_notebooks_are_kept_but_not_for_ever(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    for day in range(1, 9):
        notebook = tmp_path / "executed.ipynb"
        notebook.write_text(str(day))
        kept = folder.keep_failed(notebook, f"2025010{day}T000000Z-a")
    assert kept.read_text() == "8"
    assert len(list(folder.failed.iterdir())) == 5


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "small").write_text("a file")
    with (
        pytest.raises(
            ReportError,
            match=r"folder out cannot be written: a part of its path is a file; rename that, or choose",
        ),
        ReportFolder(tmp_path / "out", "small").staging("x"),
    ):
        pass


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id() for _ in range(20)]
    assert len(set(ids)) == 20
    assert ids[0][:9] <= ids[-1][:9]
