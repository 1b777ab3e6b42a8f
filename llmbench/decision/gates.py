"""The gates of a migration: what must be measured, and how well, before its next stage. TOML that teams edit.

[[gates]]
name = "replies"                    # once in the file
stage = "canary-25"                 # what lies behind the gate
phases = ["mixtral"]                # of which phases; left out: of all
metric = "reply_ratio"              # see llmbench.decision.metrics
at_least = 0.9                      # or at_most
minimum_n = 1000                    # fewer are no evidence
stale_after_days = 30               # older data are none either
required = true                     # false: it sets a condition instead of stopping
why = "one reply in ten is what may be lost"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from llmbench.decision.metrics import Metric, metric_named
from llmbench.decision.toml_file import read_toml, rows_named
from llmbench.decision.units import UNITS
from llmbench.errors import ConfigError, UsageError
from llmbench.numbers import finite

__all__ = ["SHARE_OF_STAGE", "STAGES", "Gate", "GateBook", "read_gates"]

STAGES = ("offline", "shadow", "canary-1", "canary-5", "canary-25", "full", "decommission")
"""In their order: each lets more of the traffic reach the candidate."""
SHARE_OF_STAGE: Mapping[str, float] = MappingProxyType(
    {"canary-1": 0.01, "canary-5": 0.05, "canary-25": 0.25, "full": 1.0, "decommission": 1.0}
)
"""Of the traffic, which the candidate answers in a stage; a stage that is not here: none of it."""

_TABLES = {"gates", "phases"}
_KEYS = {
    "name",
    "stage",
    "phases",
    "metric",
    "at_least",
    "at_most",
    "minimum_n",
    "stale_after_days",
    "required",
    "why",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition of going on."""

    name: str
    stage: str
    metric: Metric
    threshold: float
    at_least: bool
    """Whether the threshold is the least that passes; else the most."""
    phases: tuple[str, ...] = ()
    """Empty: all."""
    minimum_n: int = 0
    stale_after_days: int = 90
    required: bool = True
    why: str = ""

    def told(self) -> str:
        """The condition in a few words.

        >>> Gate("a", "offline", metric_named("score"), 0.8, True).told()
        'score of the candidate at least 0.8'
        """
        return f"{self.metric.what} at {'least' if self.at_least else 'most'} {self.threshold:g}"


@dataclass(frozen=True, slots=True)
class GateBook:
    """The gates of a file, in its order."""

    path: str
    gates: tuple[Gate, ...]

    def of(self, phase: str, stage: str) -> tuple[Gate, ...]:
        """Gates of `phase` that stand before `stage` or before one of the stages on the way to it.

        Raises UsageError for a stage that there is not.
        """
        if stage not in STAGES:
            raise UsageError(f"There is no stage {stage!r}; there is {', '.join(STAGES)}.")
        passed = STAGES[: STAGES.index(stage) + 1]
        return tuple(g for g in self.gates if g.stage in passed and (not g.phases or phase in g.phases))

    @property
    def reports(self) -> tuple[str, ...]:
        """The reports that the gates are measured in."""
        return tuple(dict.fromkeys(gate.metric.source for gate in self.gates))


def read_gates(path: Path, phases: Sequence[str] = ()) -> GateBook:
    """The gates in `path`. `phases` are those that there are; empty: any name will do.

    Raises ConfigError naming the file and the gate.
    """
    tables = read_toml(path, "gates")
    # A gate under a misspelt name would be a gate that nobody holds anything against.
    strange = sorted(set(tables) - _TABLES)
    if strange:
        raise ConfigError(
            f"{path.name} has {', '.join(strange)} at its top, which nothing reads; "
            "write [[gates]] or [[phases]]."
        )
    rows = rows_named("gates", tables, path, "a migration without a gate has no decision")
    gates: list[Gate] = []
    for number, row in enumerate(rows, 1):
        where = f"Gate {number} of {path.name}"
        if not isinstance(row, Mapping):
            raise ConfigError(f"{where} is no table; write [[gates]].")
        if isinstance(row.get("name"), str):
            where = f"Gate {row['name']!r} of {path.name}"
        try:
            gates.append(_gate(row, phases))
        except UsageError as error:
            raise ConfigError(f"{where}: {error}") from error
    names = [gate.name for gate in gates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"{path.name} has {', '.join(twice)} more than once; give each gate a name of its own."
        )
    return GateBook(path.name, tuple(gates))


def _gate(row: Mapping[str, Any], phases: Sequence[str]) -> Gate:
    unknown = set(row) - _KEYS
    if unknown:
        raise UsageError(f"{', '.join(sorted(unknown))} is not known; there is {', '.join(sorted(_KEYS))}.")
    for key in ("name", "stage", "metric"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise UsageError(f"{key} is missing or is no text.")
    if row["stage"] not in STAGES:
        raise UsageError(f"there is no stage {row['stage']!r}; there is {', '.join(STAGES)}.")
    limits = [key for key in ("at_least", "at_most") if key in row]
    if len(limits) != 1:
        raise UsageError("it needs one of at_least and at_most.")
    threshold = row[limits[0]]
    limit = finite(threshold)
    if limit is None:
        raise UsageError(f"{limits[0]} must be a number; it is {threshold!r}.")
    metric = metric_named(row["metric"])
    low, high = UNITS[metric.unit].thresholds
    if not low <= limit <= high:
        raise UsageError(
            f"{limits[0]} is {limit:g}, and {metric.name} is a number from {low:g} to {high:g}; "
            "write 0.9 for 90%, and 0.03 for 3 points."
        )
    of = row.get("phases", [])
    if not isinstance(of, list) or not all(isinstance(phase, str) for phase in of):
        raise UsageError("phases must be a list of names.")
    strange = sorted(set(of) - set(phases)) if phases else []
    if strange:
        raise UsageError(f"there is no phase {', '.join(strange)}; there is {', '.join(phases)}.")
    required, why = row.get("required", True), row.get("why", "")
    if not isinstance(required, bool) or not isinstance(why, str):
        raise UsageError("required is true or false, and why is a text.")
    return Gate(
        name=row["name"],
        stage=row["stage"],
        metric=metric,
        threshold=limit,
        at_least=limits[0] == "at_least",
        phases=tuple(of),
        minimum_n=_whole(row, "minimum_n", 0),
        stale_after_days=_whole(row, "stale_after_days", 90),
        required=required,
        why=why,
    )


def _whole(row: Mapping[str, Any], key: str, default: int) -> int:
    value = row.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"{key} must be a whole number from 0 up; it is {value!r}.")
    return value
