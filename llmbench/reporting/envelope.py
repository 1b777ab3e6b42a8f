"""result.json: written strictly, and what stands in it besides a notebook's own numbers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import hashlib
import json
import math
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.errors import ReportError
from llmbench.reporting.text import encodable
from llmbench.results import InputFile, ResultEnvelope

__all__ = ["git_commit", "input_file", "to_json", "write_envelope"]


def to_json(value: Any) -> Any:
    """`value` as strict JSON: what is not a finite number becomes null; numpy and pandas values,
    dates, enums, paths and dataclasses become plain ones, and lone surrogates escapes.

    Raises ReportError for anything that has no meaning in JSON.

    >>> to_json({"score": float("nan"), "ci": (0.5, float("inf"))})
    {'score': None, 'ci': [0.5, None]}
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {encodable(str(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, dt.date | Path):  # a datetime is a date, too
        return value.as_posix() if isinstance(value, Path) else value.isoformat()
    if hasattr(value, "tolist"):  # a numpy scalar or array, a pandas column
        return to_json(value.tolist())
    raise ReportError(
        f"A {type(value).__name__} cannot be written to result.json; give numbers, text or lists."
    )


def write_envelope(path: Path, envelope: ResultEnvelope) -> None:
    """Write result.json with its schema first."""
    document = to_json(envelope)
    for item in document["inputs"]:
        if not item["simulated"]:
            del item["simulated"]
    ordered = {"schema": document.pop("schema"), **document}
    text = json.dumps(ordered, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def input_file(root: Path, path: str | Path, rows: int | None = None) -> InputFile:
    """Name (relative to `root`; its bare name when outside), hash and rows of a file that was read."""
    absolute = Path(path).expanduser()
    absolute = (absolute if absolute.is_absolute() else root / absolute).resolve()
    inside = absolute.is_relative_to(root.resolve())
    shown = absolute.relative_to(root.resolve()).as_posix() if inside else absolute.name
    try:
        with absolute.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ReportError(f"The input {shown} cannot be read: {error.strerror}.") from error
    return InputFile(path=shown, sha256=digest, rows=rows)


def git_commit(root: Path) -> str | None:
    """The commit checked out at `root`; None outside a repository or before the first commit."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
