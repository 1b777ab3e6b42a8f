"""The phases of a migration, from the same TOML as its gates. A team that migrates otherwise writes its own.

[[phases]]
name = "mixtral"                    # once in the file; gates name it in their `phases`
title = "Mixtral for simple tasks"
baseline = "gpt-4o"                 # what answers today
candidate = "mixtral-8x7b"          # what would
share = 1.0                         # of the traffic that moves in the end
expects = "costs about half on simple tasks"  # what somebody promised of it
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbench.errors import ConfigError, UsageError
from llmbench.numbers import finite

__all__ = ["Phase", "phase_named", "read_phases"]

_TEXTS = ("name", "title", "baseline", "candidate", "expects")
_KEYS = {*_TEXTS, "share"}


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of a migration: from a baseline to a candidate."""

    name: str
    title: str
    baseline: str
    candidate: str
    share: float = 1.0
    expects: str = ""


def read_phases(path: Path) -> tuple[Phase, ...]:
    """The phases in `path`, in its order. Raises ConfigError naming the file and the phase."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The phases {path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path.name} is not TOML: {error}.") from error
    rows = table.get("phases")
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path.name} has no [[phases]]; a memo is about one of them.")
    found = [_phase(row, f"Phase {number} of {path.name}") for number, row in enumerate(rows, 1)]
    names = [phase.name for phase in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"{path.name} has the phase {', '.join(twice)} more than once; give each a name of its own."
        )
    return tuple(found)


def phase_named(phases: tuple[Phase, ...], name: str) -> Phase:
    """The phase called `name`. Raises UsageError with those that there are."""
    for phase in phases:
        if phase.name == name:
            return phase
    raise UsageError(f"There is no phase {name!r}; there is {', '.join(phase.name for phase in phases)}.")


def _phase(row: Any, where: str) -> Phase:
    if not isinstance(row, Mapping):
        raise ConfigError(f"{where} is no table; write [[phases]].")
    unknown = set(row) - _KEYS
    if unknown:
        raise ConfigError(f"{where}: {', '.join(sorted(unknown))} is not known; there is {_list(_KEYS)}.")
    for key in _TEXTS:
        if not isinstance(row.get(key, ""), str) or (key != "expects" and not str(row.get(key, "")).strip()):
            raise ConfigError(f"{where}: {key} is missing or is no text.")
    share = finite(row.get("share", 1.0))
    if share is None or not 0 < share <= 1:
        raise ConfigError(f"{where}: share must be a number above 0 and at most 1.")
    return Phase(**{key: row[key] for key in _TEXTS if key in row}, share=share)


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))
