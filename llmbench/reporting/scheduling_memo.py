"""What a memo at fixed times reads, and whether anything makes it."""

from __future__ import annotations

from llmbench.decision import STAGES, read_gates
from llmbench.reporting.parameters import read_parameters
from llmbench.reporting.remote import remote_url
from llmbench.reporting.run import MEMO, find_notebook
from llmbench.reporting.scheduling import Schedule
from llmbench.run_files import REPORTS, RESULT

__all__ = ["memo_note"]


def memo_note(schedule: Schedule, *, alone: bool = False) -> str | None:
    """What to tell of the reports that the schedule's memo would not find; None where nothing is amiss.

    `alone` says that a run sees no reports but those of this schedule and those that a parameter names, as on
    GitHub. Raises ConfigError for gates that cannot be read.
    """
    if MEMO not in schedule.notebooks:
        return None
    declared = read_parameters(find_notebook(MEMO, schedule.root))
    p = {parameter.name: parameter.default for parameter in declared} | dict(schedule.values[MEMO])
    if schedule.out is not None and remote_url(schedule.out) is not None and not p["reports"]:
        return (
            f"{MEMO} cannot read the other reports at {schedule.out}: give its schedule a folder for "
            "--reports, or name a folder with their results by -p reports DIR."
        )
    gates = read_gates(schedule.root / p["gates"]).of(p["phase"], STAGES[-1])
    needed = dict.fromkeys(gate.metric.source for gate in gates)
    if not p["messages_per_month"]:
        needed.setdefault("break_even")
    missing = []
    for name in needed:
        folder = schedule.root / (p["reports"] or schedule.out or REPORTS) / name
        found = (folder / RESULT).is_file() and (bool(p["reports"]) or not alone)
        if name not in schedule.notebooks and not found:
            missing.append(name)
    if not missing:
        return None
    names = " ".join([*missing, *schedule.notebooks])
    return (
        f"{MEMO} only reads what other reports have left, and its runs will find none of "
        f"{', '.join(missing)}: what rests on them stays open, and until there is a report on data of your "
        f"own it may show an example. Let the same schedule make them first: llmbench schedule {names}"
    )
