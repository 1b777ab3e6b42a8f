"""Models that a user had tuned: which base is behind a name, for its limits, its tokens and its price.

A name of OpenAI's says it itself (ft:BASE:organisation:suffix:id). Any other is registered by its job in the
project, a file each in .llmbench/tuned/ under the root, and is known to every process of the project. A
tuned model is priced as such (`ft:BASE` in a price book, or prices.toml), never as its base.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from llmbench.catalog.models import canonical_name
from llmbench.config import find_root
from llmbench.shown import shown
from llmbench.whole_file import write_whole

__all__ = ["TunedModel", "priced_as", "register_tuned_model", "tuned_base", "tuned_model", "tuned_models"]

_FOLDER = Path(".llmbench", "tuned")
_NAMED_BY_VENDOR = re.compile(r"ft:([^:]+)(:.*)?", re.IGNORECASE | re.DOTALL)


@shown
@dataclass(frozen=True, slots=True)
class TunedModel:
    """A tuned model, as its job registered it."""

    model: str
    """The id to call, at `place`."""
    place: str
    """openai, azure, together, replicate, vllm, local."""
    base: str
    """The catalog's name of what was tuned, else the id it was tuned under."""
    endpoint: str | None = None
    """Where it is called from: `endpoint/model`."""
    job_id: str | None = None
    registered_at: str | None = None
    """ISO instant."""


def register_tuned_model(tuned: TunedModel, root: Path | None = None) -> Path:
    """Keep `tuned` in the project of `root` (None: of the current folder); a second time changes nothing.

    Returns the file. Raises OSError where it cannot be written.
    """
    name = hashlib.sha256(f"{tuned.place}\0{tuned.model}".encode()).hexdigest()[:20]
    path = find_root(root) / _FOLDER / f"{name}.json"
    text = json.dumps(asdict(tuned), indent=1, sort_keys=True) + "\n"
    if path.is_file() and _read(path) == tuned:
        return path
    write_whole(path, text)
    return path


def tuned_models() -> Mapping[tuple[str, str], TunedModel]:
    """The tuned models of the current folder's project, by place and model."""
    try:
        # As of the prices of a project: not pathlib's, because this is on the path of calls.
        folder = _folder(os.getcwd())  # noqa: PTH109
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return _NONE
    return _all(folder, changed)


def tuned_model(model: str, place: str | None = None) -> TunedModel | None:
    """The tuned model called `model`, at `place` where one is given; None for any other."""
    for (its_place, its_model), found in tuned_models().items():
        if its_model == model and place in {None, its_place}:
            return found
    named = _NAMED_BY_VENDOR.fullmatch(model)
    if named is None or place not in {None, "openai"}:
        return None
    base = named.group(1)
    return TunedModel(model=model, place="openai", base=canonical_name(base) or base)


def tuned_base(model: str, place: str | None = None) -> str | None:
    """The catalog's name of what `model` was tuned from; None where it is no tuned model, or of another base.

    >>> tuned_base("ft:gpt-4o-mini-2024-07-18:acme:replies:Abc123")
    'gpt-4o-mini'
    >>> tuned_base("gpt-4o-mini") is None
    True
    """
    if canonical_name(model) is not None:
        return None
    found = tuned_model(model, place)
    return canonical_name(found.base) if found else None


def priced_as(model: str) -> str | None:
    """The name under which price books list models tuned like `model`.

    >>> priced_as("ft:gpt-4.1-mini-2025-04-14:acme::Abc123")
    'ft:gpt-4.1-mini'
    """
    named = _NAMED_BY_VENDOR.fullmatch(model)
    base = canonical_name(named.group(1)) if named else None
    return f"ft:{base}" if base else None


_NONE: Mapping[tuple[str, str], TunedModel] = {}


@lru_cache(maxsize=64)
def _folder(current: str) -> str:
    return str(find_root(Path(current)) / _FOLDER)


@lru_cache(maxsize=8)
def _all(folder: str, _changed: int) -> Mapping[tuple[str, str], TunedModel]:
    found = (_read(path) for path in sorted(Path(folder).glob("*.json")))
    return {(tuned.place, tuned.model): tuned for tuned in found if tuned is not None}


def _read(path: Path) -> TunedModel | None:
    """None for a file that is not ours to understand: a model that it names is then not known."""
    try:
        return TunedModel(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
