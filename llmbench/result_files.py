"""What a report left in its folder, read back: result.json, and whether all is as its manifest has it."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbench.errors import ReportError
from llmbench.numbers import finite
from llmbench.results import SCHEMA_VERSION, Decision, InputFile, ResultEnvelope, Spend, Verdict
from llmbench.run_files import MANIFEST, RESULT

__all__ = ["changed_files", "read_envelope", "workload_digest"]

_MOST_BYTES = 64 * 1024 * 1024
"""No result.json is that long; a file that is would only fill the memory."""
_TEXTS = ("report", "title", "price_book", "generated_at", "llmbench_version")
_TEXTS_OR_NULL = ("workload_sha256", "baseline", "candidate", "data_until", "git_commit")


def workload_digest(name: str) -> str:
    """What reports on the workload that people call `name` have as their workload_sha256.

    >>> workload_digest("cold e-mails")[:12]
    'c5f1080f8751'
    """
    return hashlib.sha256(name.strip().encode()).hexdigest()


def read_envelope(path: Path) -> ResultEnvelope:
    """Read result.json; what is in it is of the types that `ResultEnvelope` promises, but for the inside of
    `parameters` and `data`, which are the notebook's own.

    Raises ReportError when it is missing, broken, of other types, or of a later schema.
    """
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
        return _envelope(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(f"{named} is not a result of llmbench: {error}.") from error


def _envelope(document: dict[str, Any]) -> ResultEnvelope:
    """Raises TypeError or ValueError naming what is of another type; KeyError for what is not there."""
    verdict = document.pop("verdict")
    for name in _TEXTS:
        _typed(name, document[name], str)
    for name in _TEXTS_OR_NULL:
        _typed(name, document[name], str, None)
    for name in ("schema", "seed"):
        _typed(name, document[name], int)
    for name in ("parameters", "data"):
        _typed(name, document.get(name, {}), Mapping)
    summary, reasons = verdict["summary"], verdict["reasons"]
    _typed("summary", summary, str)
    for reason in _typed("reasons", reasons, list):
        _typed("reasons", reason, str)
    return ResultEnvelope(
        verdict=Verdict(Decision(verdict["decision"]), summary, tuple(reasons)),
        inputs=tuple(_input(item) for item in _typed("inputs", document.pop("inputs"), list)),
        spend=Spend(**{name: _amount(name, usd) for name, usd in document.pop("spend").items()}),
        **document,
    )


def _input(item: Mapping[str, Any]) -> InputFile:
    found = InputFile(**item)
    _typed("path of an input", found.path, str)
    _typed("sha256 of an input", found.sha256, str)
    _typed("rows of an input", found.rows, int, None)
    _typed("simulated of an input", found.simulated, bool)
    return found


def _amount(name: str, usd: Any) -> float | None:
    if usd is not None and finite(usd) is None:
        raise TypeError(_unlike(name, usd, float))
    return finite(usd)


def _typed(name: str, value: Any, kind: type, *others: None) -> Any:
    if value is None and others:
        return value
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(_unlike(name, value, kind))
    return value


def _unlike(name: str, value: Any, kind: type) -> str:
    return f"its {name} is {reprlib.repr(value)}, which is no {_KINDS[kind]}"


_KINDS: Mapping[type, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", list: "list",
    Mapping: "table of names and values",
}  # fmt: skip


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
