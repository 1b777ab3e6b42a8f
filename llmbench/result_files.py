"""What a report left in its folder, read back: result.json, and whether all is as its manifest has it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from llmbench.errors import ReportError
from llmbench.results import SCHEMA_VERSION, Decision, InputFile, ResultEnvelope, Spend, Verdict
from llmbench.run_files import MANIFEST, RESULT

__all__ = ["changed_files", "read_envelope", "workload_digest"]

_MOST_BYTES = 64 * 1024 * 1024
"""No result.json is that long; a file that is would only fill the memory."""


def workload_digest(name: str) -> str:
    """What reports on the workload that people call `name` have as their workload_sha256.

    >>> workload_digest("cold e-mails")[:12]
    'c5f1080f8751'
    """
    return hashlib.sha256(name.strip().encode()).hexdigest()


def read_envelope(path: Path) -> ResultEnvelope:
    """Read result.json; raises ReportError when it is missing, broken, or of a later schema."""
    named = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ReportError(f"{named} is longer than {_MOST_BYTES // 1024**2} MiB, which is no result.")
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReportError(
            f"{path.parent.name} has no {path.name}: its notebook did not call finish()."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ReportError(f"{named} cannot be read: {error}.") from error
    try:
        if document["schema"] > SCHEMA_VERSION:
            raise ReportError(
                f"{named} was written by a newer llmbench (schema {document['schema']}, this one reads "
                f"{SCHEMA_VERSION}); update llmbench."
            )
        verdict = document.pop("verdict")
        return ResultEnvelope(
            verdict=Verdict(Decision(verdict["decision"]), verdict["summary"], tuple(verdict["reasons"])),
            inputs=tuple(InputFile(**item) for item in document.pop("inputs")),
            spend=Spend(**document.pop("spend")),
            **document,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{named} is not a result of llmbench: {error}.") from error


def changed_files(folder: Path) -> tuple[str, ...]:
    """Files of `folder` that are not as its manifest.json has them: changed, or gone; by name.

    Files beside them that the manifest does not name are not looked at: runs and failed runs lie there.
    Raises ReportError where there is no manifest to hold them against.
    """
    path = folder / MANIFEST
    try:
        named = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReportError(f"{folder.name} has no {MANIFEST}; make the report again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ReportError(f"{folder.name}/{MANIFEST} cannot be read: {error}.") from error
    if not isinstance(named, dict) or RESULT not in named:
        raise ReportError(f"{folder.name}/{MANIFEST} is no manifest of a report; make the report again.")
    return tuple(sorted(name for name, digest in named.items() if _sha256(folder, name) != digest))


def _sha256(folder: Path, name: str) -> str | None:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return None  # a manifest that names files elsewhere is nobody's of ours
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
