"""An analyst's own project: the notebooks, their data and a configuration to begin with.

Whoever installs the package has no clone of its repository. The wheel carries the notebooks and data in
llmbench/starter_files; in a checkout they are taken from where they lie.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from llmbench.config import CONFIG_NAME
from llmbench.errors import ConfigError, UsageError
from llmbench.whole_file import write_whole

__all__ = ["NewProject", "make_project"]

_FOLDERS = ("notebooks", "data")
_NOT_COPIED = {"conftest.py", "__pycache__", ".ipynb_checkpoints"}
_CONFIG = """\
# Where your models are. OpenAI, Together, Replicate, Anthropic and Gemini need no line here: a key in the
# environment (OPENAI_API_KEY, TOGETHER_API_KEY, ...) or the keyring is enough; `llmbench doctor` shows them.
#
# [endpoints.gpu]                        # then a model is written gpu/llama-3.1-8b
# provider = "llama"
# backend = "vllm"
# base_url = "http://gpu1:8000/v1"
# allow_http = true
# usd_per_hour = 0.526
#
# [data]
# personal = ["data/crm*.csv"]           # never sent to an endpoint without personal_data = true
"""
_IGNORED = """\
.llmbench/
.ipynb_checkpoints/
reports/
"""


@dataclass(frozen=True, slots=True)
class NewProject:
    """What `make_project` did; paths are relative to the project."""

    root: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    """Files that were there and differ from ours: they are yours, and were left as they are."""


def make_project(folder: str | Path) -> NewProject:
    """Put notebooks, data and llmbench.toml into `folder`, which is made where it is not there.

    A file that is there is never overwritten, so a second call adds what a newer llmbench brings. Raises
    UsageError for a `folder` that is a file, cannot be written or lies within an installed llmbench, and
    ConfigError where the installation lacks the files.
    """
    root = Path(folder).expanduser()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root.name} is a file; name a folder for the project.")
    sources = {name: _source(name) for name in _FOLDERS}
    if any(root.resolve() == source.parent.resolve() for source in sources.values()):
        raise UsageError("The project of llmbench itself needs no init; name another folder.")
    try:
        return _made(root, sources.values())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f"The folder {root.name or root} cannot be written: {reason}; make it writable, or name another. "
            "What was written already stays, and a second init goes on from there."
        ) from error


def _made(root: Path, sources: Iterable[Path]) -> NewProject:
    written: list[str] = []
    kept: list[str] = []
    root.mkdir(parents=True, exist_ok=True)
    for name, text in ((CONFIG_NAME, _CONFIG), (".gitignore", _IGNORED)):
        if (root / name).exists():
            kept += [name] if (root / name).read_bytes() != text.encode() else []
        else:
            write_whole(root / name, text)
            written.append(name)
    for source in sources:
        for path in sorted(_files(source)):
            relative = path.relative_to(source.parent)
            target = root / relative
            if target.exists():
                kept += [] if filecmp.cmp(path, target, shallow=False) else [relative.as_posix()]
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.new")  # half a notebook must not look like one
            shutil.copyfile(path, partial)
            partial.replace(target)
            written.append(relative.as_posix())
    return NewProject(root, tuple(written), tuple(kept))


def _source(name: str) -> Path:
    package = Path(str(files("llmbench")))
    for place in (package / "starter_files" / name, package.parent / name):
        if place.is_dir():
            return place
    raise ConfigError(f"This installation of llmbench has no {name}; install it again from its wheel.")


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not _NOT_COPIED & set(path.relative_to(folder).parts)
    ]
