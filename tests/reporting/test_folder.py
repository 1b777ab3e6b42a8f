from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from llmbench.errors import ReportError, UsageError
from llmbench.reporting.folder import ReportFolder, new_run_id, write_manifest
from tests.reporting.runs import keep_run


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


def test_a_copy_that_breaks_off_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert {(folder.path / name).read_text() for name in ("executed.ipynb", "report.html")} == {"old"}
    assert (folder.path / "manifest.json").read_text() == before


def test_staging_that_everyone_abandoned_goes_after_a_week(tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path, "small")
    old, recent = folder.runs / ".staging-old", folder.runs / ".staging-recent"
    old.mkdir(parents=True)
    recent.mkdir()
    os.utime(old, (time.time() - 8 * 86_400,) * 2)
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


def _kept(folder: ReportFolder) -> list[str]:
    return sorted(p.name for p in folder.runs.iterdir())


def _id(day: int) -> str:
    return f"202501{day:02}T000000Z-00000{day}"


@pytest.fixture
def five(tmp_path: Path) -> ReportFolder:
    for day in range(1, 6):
        write_manifest(keep_run(tmp_path, _id(day), notebook="small"))
    return ReportFolder(tmp_path, "small")


def test_keep_newest_removes_the_older_ones_only(five: ReportFolder) -> None:
    for name in (".staging-x", "my own notes"):
        (five.runs / name).mkdir()
    assert five.keep_newest(5) == []
    assert five.keep_newest(2) == [_id(3), _id(2), _id(1)]
    assert _kept(five) == [".staging-x", _id(4), _id(5), "my own notes"]


@pytest.mark.parametrize("spoil", ["gone", "changed", "unreadable"])
def test_the_newest_whole_run_is_never_removed(five: ReportFolder, spoil: str) -> None:
    for day in (3, 4, 5):
        result = five.runs / _id(day) / "result.json"
        if spoil == "gone":
            result.unlink()
        else:
            result.write_text("{" if spoil == "unreadable" else result.read_text() + "\n")
        if spoil == "unreadable":
            write_manifest(result.parent)
    assert five.keep_newest(2) == [_id(3), _id(1)]
    assert _kept(five) == [_id(2), _id(4), _id(5)]


def test_a_run_is_renamed_before_it_is_removed(five: ReportFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    remove = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # killed in the middle
    assert five.keep_newest(4) == [_id(1)]
    assert five.run_ids() == [_id(day) for day in (5, 4, 3, 2)]
    assert _kept(five)[0].startswith(f".removed-{_id(1)}-")
    monkeypatch.setattr(shutil, "rmtree", remove)
    with five.staging("next"):
        assert not any(name.startswith(".removed-") for name in _kept(five))


def test_what_another_run_removed_is_not_ours_and_a_link_stays(
    five: ReportFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (five.runs / _id(0)).symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(five.__class__, "run_ids", lambda _: [_id(day) for day in (5, 4, 3, 2, 1, 0)])
    (five.runs / _id(2)).rename(tmp_path / "taken")
    assert five.keep_newest(1) == [_id(4), _id(3), _id(1)]
    assert _kept(five) == [_id(0), _id(5)]
    with pytest.raises(UsageError, match="At least 1 run"):
        five.keep_newest(0)
