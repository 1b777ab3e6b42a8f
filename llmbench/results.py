"""The result envelope: what every report leaves as result.json, and the verdict in it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SCHEMA_VERSION", "Decision", "InputFile", "ResultEnvelope", "Spend", "Verdict"]

SCHEMA_VERSION = 1


class Decision(enum.StrEnum):
    """What a report says to do, the best first."""

    GO = "GO"
    GO_WITH_CONDITIONS = "GO_WITH_CONDITIONS"
    HOLD = "HOLD"
    NO_GO = "NO_GO"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one answer of a report: a decision, a sentence, and its reasons."""

    decision: Decision
    summary: str
    reasons: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a report was made from. `path` is relative to the project, never absolute."""

    path: str
    sha256: str
    rows: int | None
    simulated: bool = False
    """Nobody measured what is in it; in result.json only where it is so."""


@dataclass(frozen=True, slots=True)
class Spend:
    """USD quoted before the run and charged by it; None where a price is not known."""

    quoted_usd: float | None
    actual_usd: float | None


@dataclass(frozen=True, slots=True)
class ResultEnvelope:
    """result.json. What `data` holds is fixed per notebook."""

    report: str
    title: str
    verdict: Verdict
    parameters: Mapping[str, Any]
    inputs: Sequence[InputFile]
    workload_sha256: str | None
    baseline: str | None
    candidate: str | None
    price_book: str
    generated_at: str
    data_until: str | None
    llmbench_version: str
    git_commit: str | None
    seed: int
    spend: Spend
    data: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA_VERSION
