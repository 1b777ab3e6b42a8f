"""The machine: its Python, its disk, what is installed, and the model file."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from llmbench import __version__
from llmbench.doctor.diagnosis import Check
from llmbench.providers.model_files import KNOWN_FILES, is_intact, models_folder

__all__ = ["EXTRAS", "disk", "extras", "installed", "model_file", "python"]

_OLDEST_PYTHON = (3, 11)
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 1_000_000_000, 100_000_000

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "together": ("together",),
    "replicate": ("replicate",),
    "anthropic": ("anthropic",),
    "gemini": ("google.genai",),
    "local": ("xllamacpp",),
    "keyring": ("keyring",),
    "notebooks": ("ipykernel", "matplotlib", "nbconvert", "numpy", "pandas", "papermill", "scipy"),
    "docx": ("docx", "resvg_py"),
    "postgres": ("psycopg",),
    "warehouse": ("ibis", "duckdb"),
}
"""What must be importable for each extra."""


def python() -> Check:
    """The version of Python, and of llmbench."""
    text = f"Python {platform.python_version()}, llmbench {__version__}"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", "problem", f"{text}: install Python 3.11 or newer.")
    return Check("python", "ok", text)


def disk(folder: Path) -> Check:
    """The space left where the ledger and the reports grow."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("disk", "warning", f"The free space cannot be told ({error.strerror}).")
    text = f"{free / 1e9:,.1f} GB free"
    if free < _TOO_LITTLE_BYTES:
        return Check("disk", "problem", f"{text}: free some, or answers cannot be recorded.")
    if free < _LITTLE_BYTES:
        return Check("disk", "warning", f"{text}: free some before the next run.")
    return Check("disk", "ok", text)


def installed(extra: str) -> bool:
    """Whether all that `extra` brings can be imported; nothing is imported for it."""
    return all(_found(module) for module in EXTRAS[extra])


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # its parent is not there, or is half installed
        return False


def extras(needed: Collection[str]) -> Iterator[Check]:
    """Extras that are missing: those in `needed` (a key or an endpoint asks for them) are problems."""
    missing = [extra for extra in EXTRAS if not installed(extra)]
    for extra in missing:
        if extra in needed:
            yield Check(
                f"extra {extra}",
                "problem",
                f"An endpoint or a key needs it: pip install 'llmbench[{extra}]'.",
            )
    if "notebooks" in missing and "notebooks" not in needed:
        yield Check(
            "extra notebooks",
            "warning",
            "Reports and most statistics need it: pip install 'llmbench[notebooks]'.",
        )
    rest = [extra for extra in missing if extra not in needed and extra != "notebooks"]
    there = ", ".join(extra for extra in EXTRAS if extra not in missing) or "none"
    more = f"; not installed, nor needed so far: pip install 'llmbench[{','.join(rest)}]'" if rest else ""
    yield Check("extras", "ok", f"Installed: {there}{more}.")


def model_file(name: str = "smollm2-135m") -> Check:
    """Whether the model that runs without any key is on this machine."""
    known = KNOWN_FILES[name]
    path = models_folder() / known.file_name
    if is_intact(path, known):
        return Check(f"model {name}", "ok", "Its file is here, and whole.")
    state = "is damaged" if path.exists() else "is not here"
    return Check(f"model {name}", "warning", f"Its file {state}: llmbench models pull {name}")
