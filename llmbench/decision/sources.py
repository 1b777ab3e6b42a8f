"""The results a memo draws on: found, held against their manifests, and joined by what they are about.

A report that cannot be used is named with the reason; nothing in it reaches a gate. `accept_stale` is the one
thing that a person may overrule, with a reason that is printed; a changed file is never accepted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from llmbench.catalog.models import canonical_name
from llmbench.errors import ReportError
from llmbench.result_files import MANIFEST, changed_files, read_envelope
from llmbench.results import ResultEnvelope
from llmbench.shown import shown

__all__ = ["Source", "SourceState", "Subject", "find_source", "same_model"]


class SourceState(StrEnum):
    """Whether a report's numbers count."""

    USED = "used"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    CHANGED = "changed"
    MISMATCHED = "mismatched"
    STALE = "stale"


@shown
@dataclass(frozen=True, slots=True)
class Subject:
    """What the decision is about; empty texts match anything."""

    baseline: str
    candidate: str
    workload_sha256: str = ""
    names: Mapping[str, str] | None = None
    """{a report's own name: ours}, for names that the catalog does not know: arms, adapters."""


@shown
@dataclass(frozen=True, slots=True)
class Source:
    """One report of the memo."""

    report: str
    state: SourceState
    reason: str
    """Why it is not used, or under what condition it is; empty otherwise."""
    run_id: str | None = None
    sha256: str | None = None
    """Of its result.json."""
    data_until: str | None = None
    envelope: ResultEnvelope | None = None
    """None where it could not be read."""

    @property
    def used(self) -> bool:
        """Whether its numbers count."""
        return self.state is SourceState.USED

    @property
    def data(self) -> Mapping[str, Any]:
        """The notebook's own numbers; empty where it does not count."""
        return self.envelope.data if self.envelope is not None and self.used else {}

    def age_days(self, today: date) -> int | None:
        """Days since the newest of its data, or since it was made where it says nothing of them."""
        if self.envelope is None:
            return None
        day = _day(self.data_until) or _day(self.envelope.generated_at)
        return None if day is None else (today - day).days


def find_source(reports: Path, report: str, subject: Subject, *, run: str = "", match: bool = True) -> Source:
    """The newest run of `report` under the folder `reports`, or the one called `run`.

    It is checked against its manifest and, with `match`, against `subject`; whether it is too old is asked by
    `Source.age_days`, because each gate has its own idea of that. Never raises for what lies in a file.
    """
    folder = reports / report / "runs" / run if run else reports / report
    if not (folder / "result.json").is_file():
        which = f"run {run!r} of {report}" if run else report
        return Source(report, SourceState.MISSING, f"there is no {which} in the folder of reports")
    run_id = run or _newest_run(reports / report)
    try:
        changed = changed_files(folder)
    except ReportError as error:
        return Source(report, SourceState.CHANGED, _clause(error), run_id)
    if changed:
        named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        return Source(report, SourceState.CHANGED, f"{named} is not as {MANIFEST} has it", run_id)
    try:
        envelope = read_envelope(folder / "result.json")
        digest = hashlib.sha256((folder / "result.json").read_bytes()).hexdigest()
    except (ReportError, OSError) as error:
        return Source(report, SourceState.UNREADABLE, _clause(error), run_id)
    reason = _mismatch(report, envelope, subject) if match else ""
    state = SourceState.MISMATCHED if reason else SourceState.USED
    return Source(report, state, reason, run_id, digest, envelope.data_until, envelope)


def same_model(one: str | None, other: str | None, names: Mapping[str, str] | None = None) -> bool:
    """Whether two reports mean the same model, each in its own spelling.

    >>> same_model("together/mixtral-8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1")
    True
    >>> same_model("arm b", "mixtral-8x7b"), same_model("arm b", "mixtral-8x7b", {"arm b": "mixtral-8x7b"})
    (False, True)
    """
    if one is None or other is None:
        return False
    return _plain(one, names or {}) == _plain(other, names or {})


def _plain(name: str, names: Mapping[str, str]) -> str:
    name = names.get(name, name)
    for spelling in (name, name.partition("/")[2]):
        if spelling and (known := canonical_name(spelling)) is not None:
            return known
    return name.casefold()


def _mismatch(report: str, envelope: ResultEnvelope, subject: Subject) -> str:
    if envelope.report != report:
        return f"it is a result of {envelope.report}"
    for role in ("baseline", "candidate"):
        wanted, found = getattr(subject, role), getattr(envelope, role)
        if wanted and not same_model(found, wanted, subject.names):
            return f"its {role} is {found or 'not told'}, and the decision is about {wanted}"
    wanted = subject.workload_sha256
    if wanted and envelope.workload_sha256 is not None and envelope.workload_sha256 != wanted:
        return "it was made on another workload"
    return ""


def _newest_run(folder: Path) -> str | None:
    """The run whose files the newest copy has: the one with the same manifest."""
    try:
        newest = (folder / MANIFEST).read_bytes()
        for run in sorted((folder / "runs").iterdir(), reverse=True):
            if (run / MANIFEST).is_file() and (run / MANIFEST).read_bytes() == newest:
                return run.name
    except OSError:
        return None
    return None


def _day(instant: str | None) -> date | None:
    if not isinstance(instant, str):
        return None
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()


def _clause(error: Exception) -> str:
    return str(error).rstrip(".")
