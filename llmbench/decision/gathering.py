"""The results that a memo rests on: those of its folder of reports, or those of an example.

A memo that nobody has fed yet shows what one looks like: as long as every report in the folder ran on the
example data of its own notebook, the results of an example folder stand in for those that say nothing of the
decision. From the first report on data of one's own on, only the folder counts. A file that was changed is
never replaced, so that it is seen.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from llmbench.decision.gates import Gate
from llmbench.decision.sources import Source, SourceState, Subject, find_source, same_model
from llmbench.errors import ConfigError
from llmbench.run_files import EXECUTED
from llmbench.shown import shown

__all__ = ["REPORTS", "STALE_AFTER_DAYS", "Evidence", "Example", "gather", "read_example"]

REPORTS = ("model_matrix", "ab_test", "break_even", "fine_tune", "routing")
"""The reports that a memo reads."""
STALE_AFTER_DAYS = 90
"""Of a report that no gate reads, but the money does."""
_INJECTED = "injected-parameters"
"""The tag that papermill gives the cell of parameters that differ from the notebook's own."""


@dataclass(frozen=True, slots=True)
class Example:
    """A folder of results to look at a memo with."""

    folder: Path
    baseline: str
    candidate: str
    as_of: date

    def is_about(self, subject: Subject) -> bool:
        """Whether it is about the same two models."""
        pairs = ((self.baseline, subject.baseline), (self.candidate, subject.candidate))
        return all(same_model(own, wanted, subject.names) for own, wanted in pairs)


@shown
@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is, and of which day it is looked at."""

    subject: Subject
    sources: tuple[Source, ...]
    """One a report, in the order of REPORTS."""
    today: date
    passed_over: tuple[Source, ...] = ()
    """Results of the folder in whose place the example's stand."""
    example: bool = False
    accept_stale: str = ""
    """Why results that are too old count all the same."""

    def source(self, report: str) -> Source:
        """The source of `report`."""
        return next(source for source in self.sources if source.report == report)

    @property
    def used(self) -> tuple[Source, ...]:
        """Those whose numbers count."""
        return tuple(source for source in self.sources if source.used)

    @property
    def looked_at(self) -> tuple[tuple[Source, bool], ...]:
        """Every result that was found or looked for, and whether it was passed over."""
        return (
            *((source, False) for source in self.sources),
            *((source, True) for source in self.passed_over),
        )

    @property
    def simulated(self) -> bool:
        """Whether any of what counts was simulated."""
        return any(source.simulated for source in self.used)


def read_example(folder: Path) -> Example:
    """What the example in `folder` is about. Raises ConfigError."""
    path = folder / "example.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Example(folder, table["baseline"], table["candidate"], date.fromisoformat(table["as_of"]))
    except OSError as error:
        raise ConfigError(
            f"Parameter 'example': {folder.name}/{path.name} cannot be read ({error.strerror}); give a "
            "folder that has it, or an empty text for no example."
        ) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{folder.name}/{path.name} needs the texts baseline, candidate and as_of (a day): {error}."
        ) from error


def gather(
    reports: Path,
    subject: Subject,
    *,
    today: date,
    runs: Mapping[str, str] | None = None,
    example: Example | None = None,
    gates: Sequence[Gate] = (),
    accept_stale: str = "",
) -> Evidence:
    """The newest result of each report under `reports`, or the run that `runs` names, as far as they count.

    `today` is the day of the decision; where the example is used, the example's day. What is older than all
    of `gates` on it allow is stale, unless `accept_stale` says why it counts.
    """
    named = dict(runs or {})
    found = [find_source(reports, report, subject, run=named.get(report, "")) for report in REPORTS]
    shown: list[Source] = []
    as_example = (
        example is not None and not named and example.is_about(subject) and _untouched(reports, found)
    )
    if example is not None and as_example:
        today = example.as_of
        for place, source in enumerate(found):
            age = source.age_days(today)
            if source.state in {SourceState.CHANGED, SourceState.UNREADABLE}:
                continue
            if source.used and age is not None and age >= 0:
                continue
            if source.state is not SourceState.MISSING:
                shown.append(source)
            stand_in = find_source(example.folder, source.report, subject)
            found[place] = replace(stand_in, of_example=stand_in.used)
    sources = found if accept_stale else [_dated(source, gates, today) for source in found]
    if not subject.workload_sha256:
        sources = _on_one_workload(sources)
    return Evidence(subject, tuple(sources), today, tuple(shown), as_example, accept_stale)


def _untouched(reports: Path, found: Sequence[Source]) -> bool:
    """Whether every result there is was made with the parameters that its notebook comes with."""
    return all(
        _has_own_parameters(reports / source.report)
        for source in found
        if source.state in {SourceState.USED, SourceState.MISMATCHED}
    )


def _has_own_parameters(folder: Path) -> bool:
    try:
        notebook = json.loads((folder / EXECUTED).read_text(encoding="utf-8"))
        return not any(_INJECTED in cell.get("metadata", {}).get("tags", []) for cell in notebook["cells"])
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return False


def _on_one_workload(sources: Sequence[Source]) -> list[Source]:
    """What differs from the workload that the most reports share, two at least, as mismatched. Each notebook
    digests what it ran on in its own way, so a workload that only one report names says nothing.
    """
    told = [workload for source in sources if (workload := _workload(source))]
    most = Counter(told).most_common(2)
    if not most or most[0][1] < 2 or (len(most) > 1 and most[1][1] == most[0][1]):
        return list(sources)
    shared = most[0][0]
    by = " and ".join(source.report for source in sources if _workload(source) == shared)
    return [
        replace(
            source,
            state=SourceState.MISMATCHED,
            reason=f"it was made on workload {workload[:12]}, and {by} on {shared[:12]}",
        )
        if (workload := _workload(source)) and workload != shared
        else source
        for source in sources
    ]


def _workload(source: Source) -> str | None:
    return source.workload_sha256 if source.used else None


def _dated(source: Source, gates: Sequence[Gate], today: date) -> Source:
    """The source as stale where it is too old for every gate on it."""
    allowed = [gate.stale_after_days for gate in gates if gate.metric.source == source.report]
    limit, age = max(allowed, default=STALE_AFTER_DAYS), source.age_days(today)
    if not source.used or (age is not None and age <= limit):
        return source
    told = "it does not say of when its data are" if age is None else f"its data are {age:,} days old"
    return replace(source, state=SourceState.STALE, reason=f"{told}, and {limit} are allowed")
