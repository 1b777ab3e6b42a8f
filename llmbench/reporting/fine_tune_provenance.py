"""Where the answers of the notebook `fine_tune` come from, as provenance.json beside them tells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["asked_until", "provenance_sentence", "read_provenance"]

NAME = "provenance.json"


def read_provenance(folder: Path) -> Mapping[str, Any]:
    """What provenance.json says; empty where there is none. It may tell the sha256 of the other files.

    Raises DatasetError where it cannot be read, or where a file was changed since it was written.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{NAME} cannot be read: {error}.") from error
    if not isinstance(told, dict):
        raise DatasetError(f"{NAME} is no JSON object.")
    files = told.get("files")
    for name, digest in files.items() if isinstance(files, dict) else ():
        there = folder / name
        if there.is_file() and hashlib.sha256(there.read_bytes()).hexdigest() != digest:
            raise DatasetError(
                f"{name} is not the file that {NAME} tells of: it was changed since. Make the results again, "
                f"or take {NAME} away if the answers are of elsewhere."
            )
    return told


def asked_until(told: Mapping[str, Any]) -> str | None:
    """The instant of the last answer, ISO; None where it is not told."""
    until = told.get("asked_until")
    try:
        found = datetime.fromisoformat(str(until))
    except ValueError:
        return None
    return None if found.tzinfo is None else found.isoformat(timespec="seconds")


def provenance_sentence(told: Mapping[str, Any]) -> str:
    """Who answered, when and on what."""
    if not told:
        return "Nothing tells where the answers come from: there is no provenance.json beside them."
    base = told.get("base_model")
    name = base.get("name") if isinstance(base, dict) else base
    parts = [f"The base model is {name}." if name else "", _stronger(told.get("stronger_model"))]
    for key, sentence in (
        ("adapters", "Adapters: {}."),
        ("calls", "{} calls were made."),
        ("engine", "What answered: {}."),
        ("machine", "Where it was trained and asked: {}."),
    ):
        if told.get(key):
            parts.append(sentence.format(told[key]))
    return " ".join(part for part in parts if part) or f"{NAME} tells nothing of model or machine."


def _stronger(told: Any) -> str:
    if not isinstance(told, dict) or not told.get("name"):
        return ""
    parts = [f"The stronger model is {told['name']}{': ' + told['kind'] if told.get('kind') else ''}."]
    for key, sentence in (
        ("source", "Its file: {}."),
        ("template", "Its template: {}."),
        ("licence", "Its licence: {}."),
    ):
        if told.get(key):
            parts.append(sentence.format(told[key]))
    if told.get("asked_again") is False:
        parts.append("Its stored answers are taken, it was not asked again.")
    return " ".join(parts)
