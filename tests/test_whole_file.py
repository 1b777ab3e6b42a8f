"""Files that appear whole: what is left of a writer that was killed, of one that lives, and after errors."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from llmbench import whole_file
from llmbench.whole_file import replacing, write_whole

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="by locks that Windows has not")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_a_killed_writer_left_goes_with_the_next_file(tmp_path: Path) -> None:
    left = tmp_path / ".out.csv.ab12_xyz.part"
    left.write_text("half", encoding="utf-8")
    os.utime(left, (1, 1))
    kept = {
        ".out.csv.original",
        ".out.csv.ab12_xyz.parts",
        ".other.csv.ab12_xyz.part",
        ".out.csv",
        "out.csv.part",
    }
    for name in kept:
        (tmp_path / name).write_text("not ours", encoding="utf-8")
    write_whole(tmp_path / "out.csv", "all")
    assert _names(tmp_path) == {"out.csv", *kept}


@POSIX
def test_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with replacing(path) as slow:
        slow.write(b"slow")
        write_whole(path, "fast")
        assert path.read_bytes() == b"fast"
    assert path.read_bytes() == b"slow"
    assert _names(tmp_path) == {"out.csv"}


@POSIX
def test_one_that_was_taken_away_before_its_lock_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def faster(descriptor: int) -> bool:
        calls.append(descriptor)
        if len(calls) == 1:
            next(tmp_path.glob(".out.csv.*")).unlink()
        return True

    monkeypatch.setattr(whole_file, "try_lock", faster)
    write_whole(tmp_path / "out.csv", "all")
    assert len(calls) == 2
    assert _names(tmp_path) == {"out.csv"}


@POSIX
def test_where_no_file_can_be_locked_it_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: int) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(whole_file, "try_lock", unknown)
    (tmp_path / ".out.csv.ab12_xyz.part").touch()
    write_whole(tmp_path / "out.csv", "all")
    assert _names(tmp_path) == {"out.csv", ".out.csv.ab12_xyz.part"}


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    failed: list[BaseException] = []

    def write(letter: str) -> None:
        try:
            for _ in range(50):
                write_whole(path, letter * 10_000)
                assert len(set(path.read_text(encoding="utf-8"))) == 1
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdef"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert _names(tmp_path) == {"out.csv"}


def test_an_error_names_the_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - each system has another
        write_whole(tmp_path / "out.csv", "all")
    assert caught.value.filename == str(tmp_path / "out.csv")
    assert caught.value.filename2 is None
    with pytest.raises(OSError) as full, replacing(tmp_path / "new.csv"):  # noqa: PT011
        raise OSError(28, "No space left on device")
    assert full.value.filename == str(tmp_path / "new.csv")
    with pytest.raises(FileNotFoundError) as other, replacing(tmp_path / "new.csv"):
        (tmp_path / "source").read_bytes()
    assert other.value.filename == str(tmp_path / "source")
    assert _names(tmp_path) == {"out.csv"}
    monkeypatch.chdir(tmp_path)

    def refused(_: str, prefix: str, suffix: str, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(tmp_path / f"{prefix}ab12_xyz{suffix}"))

    monkeypatch.setattr(whole_file, "NamedTemporaryFile", refused)
    with pytest.raises(OSError, match="Read-only") as named:
        write_whole(Path("new.csv"), "all")
    assert named.value.filename == "new.csv"
