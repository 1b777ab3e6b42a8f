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
from llmbench.result_data import rows_of, text_of
from llmbench.result_files import changed_files, read_envelope, workload_digest
from llmbench.results import ResultEnvelope
from llmbench.run_files import MANIFEST, RESULT, RUNS
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
    """Or its beginning; several with commas."""
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
    candidate: str = ""
    """What the decision is about, by the report's own name."""
    of_example: bool = False
    """It stands in for a report that there is none of."""

    @property
    def used(self) -> bool:
        """Whether its numbers count."""
        return self.state is SourceState.USED

    @property
    def data(self) -> Mapping[str, Any]:
        """The notebook's own numbers; empty where it does not count."""
        return self.envelope.data if self.envelope is not None and self.used else {}

    @property
    def simulated(self) -> bool:
        """Whether it says that its data are simulated, used or not."""
        return self.envelope is not None and self.envelope.data.get("simulated") is True

    @property
    def workload_sha256(self) -> str | None:
        """What it says that it ran on; None where it does not tell."""
        return (self.envelope.workload_sha256 or None) if self.envelope is not None else None

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
    folder = reports / report / RUNS / run if run else reports / report
    if not (folder / RESULT).is_file():
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
        envelope = read_envelope(folder / RESULT)
        digest = hashlib.sha256((folder / RESULT).read_bytes()).hexdigest()
    except (ReportError, OSError) as error:
        return Source(report, SourceState.UNREADABLE, _clause(error), run_id)
    if not match:
        return Source(report, SourceState.USED, "", run_id, digest, envelope.data_until, envelope)
    candidate, reason = _joined(report, envelope, subject)
    state = SourceState.MISMATCHED if reason else SourceState.USED
    return Source(report, state, reason, run_id, digest, envelope.data_until, envelope, candidate)


def same_model(one: str | None, other: str | None, names: Mapping[str, str] | None = None) -> bool:
    """Whether two reports mean the same model, each in its own spelling. A prompt that only one of them
    names (`model[prompt]`) is no difference.

    >>> same_model("together/mixtral-8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1")
    True
    >>> same_model("arm b", "mixtral-8x7b"), same_model("arm b", "mixtral-8x7b", {"arm b": "mixtral-8x7b"})
    (False, True)
    >>> same_model("openai/gpt-4o[few_shot]", "gpt-4o"), same_model("gpt-4o[few_shot]", "gpt-4o[zero_shot]")
    (True, False)
    """
    if one is None or other is None:
        return False
    (model, label), (other_model, other_label) = (_plain(name, names or {}) for name in (one, other))
    return model == other_model and (not label or not other_label or label == other_label)


def _plain(name: str, names: Mapping[str, str]) -> tuple[str, str]:
    """The model by its catalog name where it has one, and the prompt and parameters of a matrix's cell."""
    name = names.get(name, name)
    model, bracket, label = name.partition("[")
    model = names.get(model, model)
    for spelling in (model, model.partition("/")[2]):
        if spelling and (known := canonical_name(spelling)) is not None:
            return known, bracket + label
    return model.casefold(), bracket + label


def _joined(report: str, envelope: ResultEnvelope, subject: Subject) -> tuple[str, str]:
    """The candidate as the report calls it, and why the report is about something else: one is empty."""
    if envelope.report != report:
        return "", f"it is a result of {envelope.report}"
    wanted = [part.strip() for part in subject.workload_sha256.split(",") if part.strip()]
    workloads = tuple(each for part in wanted for each in (part, workload_digest(part)))
    workload = envelope.workload_sha256
    if workloads and workload is not None and not workload.startswith(workloads):
        return "", f"it was made on another workload, {workload[:12]}"
    if _prices_both(envelope, subject):
        return envelope.candidate or "", ""
    if not _means(envelope.baseline, subject.baseline, subject):
        told = envelope.baseline or "not told"
        return "", f"its baseline is {told}, and the decision is about {subject.baseline}"
    for candidate in _candidates(envelope):
        if _means(candidate, subject.candidate, subject):
            return candidate or "", ""
    if same_model(subject.baseline, subject.candidate, subject.names):
        return envelope.baseline or "", ""  # the way to the model changes, and this report has measured it
    told = envelope.candidate or "not told"
    return "", f"its candidate is {told}, and the decision is about {subject.candidate}"


def _candidates(envelope: ResultEnvelope) -> list[str | None]:
    """The candidate that the report decides about, then the others that it compares with its baseline."""
    rows = rows_of(envelope.data, "comparisons")
    compared = [text_of(row.get("candidate", row.get("treatment"))) for row in rows]
    return [envelope.candidate, *(compared if envelope.candidate in compared else [])]


def _prices_both(envelope: ResultEnvelope, subject: Subject) -> bool:
    """Whether it has the API prices of both, as break_even does whatever it decides about."""
    names = [text_of(row.get("model")) for row in rows_of(envelope.data, "api")]
    return bool(subject.baseline and subject.candidate) and all(
        any(_means(name, wanted, subject) for name in names)
        for wanted in (subject.baseline, subject.candidate)
    )


def _means(found: str | None, wanted: str, subject: Subject) -> bool:
    return not wanted or same_model(found, wanted, subject.names)


def _newest_run(folder: Path) -> str | None:
    """The run whose files the newest copy has: the one with the same manifest."""
    try:
        newest = (folder / MANIFEST).read_bytes()
        for run in sorted((folder / RUNS).iterdir(), reverse=True):
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
