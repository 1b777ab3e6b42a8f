"""A report at fixed times: what is to run and when, checked before anything is written.

The cron expression is read as every cron reads it: five fields of numbers, names, lists, ranges and steps.
What only some know (seconds, L, W, #, a step without a range), and what they read differently (`5-5`), is
refused, because the same line must mean the same to cron, GitHub and Airflow; `@daily` and its like are
written out in five fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from llmbench.config import load_config
from llmbench.errors import ConfigError, UsageError
from llmbench.reporting.formats import PAPERS, read_formats, read_paper
from llmbench.reporting.parameters import check_parameters, read_parameter_file, read_parameters
from llmbench.reporting.remote import local_folder, remote_url
from llmbench.reporting.run import find_notebook, in_order, resolve_notebooks

__all__ = ["FRESH_DAYS", "Schedule", "next_runs", "plan_schedule"]

_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_ITEM = re.compile(r"(\*|[0-9A-Za-z]+-[0-9A-Za-z]+)(/[0-9]+)?|[0-9]+|[A-Za-z]{3}")
_NICKNAMES = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
_OF_THIS_MACHINE = re.compile(r"localtime|posixrules|(right|posix)/.*")
_SHOWN = 3
_AGE = "max_answer_age_days"
FRESH_DAYS = 6
"""A scheduled matrix asks again for answers that are older: else a weekly run would only repeat the first."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Reports to be made whenever `cron` says so."""

    root: Path
    notebooks: tuple[str, ...]
    cron: str
    time_zone: str
    """A name of the IANA data base, such as Europe/Berlin."""
    given: Mapping[str, Any]
    """Parameters given one by one, as they were given."""
    file: Path | None
    """The file of further parameters, absolute."""
    values: Mapping[str, Mapping[str, Any]]
    """{notebook: parameters}, checked, with max_answer_age_days; those of the file as they are now."""
    age_given: bool
    """Whether the parameter max_answer_age_days was given; where not, a schedule sets it to FRESH_DAYS."""
    next_runs: tuple[datetime, ...]
    """The next three times."""
    out: str | None = None
    """Where the reports go: a URL, or a folder, relative to `root` where it is inside; None: reports/."""
    formats: tuple[str, ...] = ()
    """What a report is made as beside HTML."""
    paper: str = "A4"

    @property
    def label(self) -> str:
        """The notebooks in one word of letters, digits, - and _.

        Such as "model_matrix" or "ab_test-break_even".
        """
        return re.sub(r"[^A-Za-z0-9_-]+", "_", "-".join(self.notebooks))[:80]

    def commands(self) -> list[list[str]]:
        """What follows `llmbench` in each command, run in the project's root.

        One command, or two where only some of the notebooks have the parameter max_answer_age_days that a
        schedule sets; these come first, because others read what they leave.
        """
        told = {name for name in self.notebooks if self._age_is_set(name)}
        groups = [[name for name in self.notebooks if (name in told) is aged] for aged in (True, False)]
        return [
            self._words(group, [("-p", _AGE, str(FRESH_DAYS))] if group[0] in told else [])
            for group in groups
            if group
        ]

    def _age_is_set(self, notebook: str) -> bool:
        """By this schedule, and by nobody else."""
        return _AGE in self.values[notebook] and not self.age_given

    def _words(self, notebooks: list[str], more: list[tuple[str, str, str]]) -> list[str]:
        words = ["report", *notebooks]
        if self.file is not None:
            inside = self.file.is_relative_to(self.root)
            words += ["-f", self.file.relative_to(self.root).as_posix() if inside else str(self.file)]
        if self.out is not None:
            words += ["--out", self.out]
        if self.formats:
            words += ["--format", ",".join(self.formats)]
        if self.paper != PAPERS[0]:
            words += ["--paper", self.paper]
        for name, value in self.given.items():
            words += ["-p", name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]
        return words + [word for parameter in more for word in parameter]

    def next_line(self) -> str:
        """When it runs next, in a sentence."""
        times = ", ".join(f"{time:%a %Y-%m-%d %H:%M}" for time in self.next_runs)
        return f"Next runs ({self.time_zone}): {times}"


def plan_schedule(
    notebooks: Iterable[str],
    cron: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    file: str | Path | None = None,
    time_zone: str = "UTC",
    now: datetime | None = None,
    out: str | None = None,
    formats: str | Iterable[str] = (),
    paper: str = "A4",
) -> Schedule:
    """Check all that a schedule is made of; nothing is written.

    `notebooks` are names of the project's notebooks/ (`all`: each of them); the memo, which reads the others'
    results, comes last. `now` is aware. `out`, `formats` and `paper` are those of `llmbench report`.

    Raises UsageError naming the notebook, the parameter, the format, the folder, the field of the cron
    expression or the time zone that cannot be meant.
    """
    root = load_config().root
    wanted = list(notebooks)
    for name in wanted:
        if Path(name).name != name or name.endswith(".ipynb") or not name.isprintable():
            raise UsageError(f"A schedule names notebooks of the project's folder notebooks/, not {name!r}.")
    found = tuple(in_order(resolve_notebooks(wanted, root)))
    given = dict(parameters or {})
    everything = (read_parameter_file(file) if file is not None else {}) | given
    values = {}
    for name in found:
        declared = read_parameters(find_notebook(name, root))
        values[name] = check_parameters(declared, everything, where=name)
        if any(parameter.name == _AGE for parameter in declared):
            values[name].setdefault(_AGE, FRESH_DAYS)
    for name, value in given.items():
        if isinstance(value, str) and "\0" in value:
            raise UsageError(f"Parameter {name!r} holds a NUL character, which no command line can.")
    return Schedule(
        root=root,
        notebooks=found,
        cron=_five_fields(cron),
        time_zone=time_zone,
        given=given,
        file=Path(file).resolve() if file is not None else None,
        values=values,
        age_given=_AGE in everything,
        next_runs=next_runs(cron, time_zone, now),
        out=_target(out, root),
        formats=read_formats(formats),
        paper=read_paper(paper),
    )


def _target(out: str | None, root: Path) -> str | None:
    """`out` as a command in the project's root must name it."""
    if out is None or (url := remote_url(out)) is not None:
        return None if out is None else url
    folder = local_folder(out).resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def next_runs(
    cron: str, time_zone: str = "UTC", now: datetime | None = None, count: int = _SHOWN
) -> tuple[datetime, ...]:
    """The next times of a cron expression after `now`, `count` of them, in the time zone given.

    A time that a change of the clock skips comes right after it, one that it repeats comes once, as
    Debian's cron has it.

    Raises UsageError naming the field that cannot be meant, or an expression whose time never comes.

    >>> noon = datetime(2025, 1, 23, 12, tzinfo=UTC)
    >>> [f"{time:%a %d %H:%M}" for time in next_runs("0 7 * * 1", "UTC", noon)]
    ['Mon 27 07:00', 'Mon 03 07:00', 'Mon 10 07:00']
    """
    zone = _zone(time_zone)
    start = (now or datetime.now(UTC)).astimezone(zone)
    times = tuple(islice(_times(_five_fields(cron), start), count))
    if not times:
        raise UsageError(f"The time of the cron expression {cron!r} never comes; correct its day and month.")
    return times


def _five_fields(cron: str) -> str:
    words = " ".join(cron.split())
    return _NICKNAMES.get(words.lower(), words)


def _zone(name: str) -> ZoneInfo:
    if _OF_THIS_MACHINE.fullmatch(name):
        raise UsageError(f"{name!r} is another time zone on another machine; give one such as Europe/Berlin.")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:  # not there, no name at all, a folder
        raise UsageError(
            f"There is no time zone {name!r}; give one such as UTC, Europe/Berlin or America/New_York."
        ) from error


def _times(cron: str, now: datetime) -> Iterator[datetime]:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError as error:
        raise ConfigError("The package cronsim is missing; install llmbench again.") from error
    fields = cron.split()
    if len(fields) != len(_FIELDS):
        raise UsageError(
            f"The cron expression {cron!r} has {len(fields)} fields; it takes five: minute, hour, day of "
            f"month, month, day of week, such as '0 7 * * 1' for Mondays at 7:00."
        )
    for place, field in enumerate(fields):
        if not all(_ITEM.fullmatch(item) for item in field.split(",")):
            raise _bad(cron, place, field)
        if same := next((item for item in field.split(",") if _is_one(item)), None):
            raise UsageError(
                f"The cron expression {cron!r} has the range {same!r} of one value, which Airflow reads as "
                f"all of them; write the value alone."
            )
        # Alone, because cronsim also refuses the 30th of February: that is another sentence.
        alone = ["*"] * len(_FIELDS)
        alone[place] = field
        try:
            CronSim(" ".join(alone), now)
        except CronSimError as error:
            raise _bad(cron, place, field) from error
    days, weekdays = fields[2], fields[4]
    if "*" not in {days, weekdays} and "*" in days[0] + weekdays[0]:
        raise UsageError(
            f"The cron expression {cron!r} has a step over all days beside another choice of days, which "
            f"cron and Airflow read differently; list the days."
        )
    try:
        return iter(CronSim(" ".join(fields), now))
    except CronSimError:  # a day that none of its months has
        return iter(())


def _is_one(item: str) -> bool:
    """Whether it is a range that ends where it begins."""
    first, dash, last = item.partition("/")[0].lower().partition("-")
    return bool(dash) and first.lstrip("0") == last.lstrip("0")


def _bad(cron: str, place: int, field: str) -> UsageError:
    return UsageError(
        f"The cron expression {cron!r} has {field!r} as {_FIELDS[place]}; write numbers or names, "
        f"lists (1,15), ranges (1-5) and steps (*/2) in their limits."
    )
