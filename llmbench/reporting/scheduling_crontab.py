"""A schedule as a line of a crontab."""

from __future__ import annotations

import shlex
import shutil
import sys

from llmbench.errors import UsageError
from llmbench.reporting.scheduling import Schedule

__all__ = ["crontab"]

_LONGEST = 990
"""Bytes of a command: Debian's cron takes 999."""
_HELD = 75
"""EX_TEMPFAIL of sysexits.h: try again later."""


def crontab(schedule: Schedule, *, python: str | None = None, flock: bool | None = None) -> str:
    """The lines to add by `crontab -e`.

    The command goes to the project's root and runs llmbench by this very Python (or `python`), writing to
    .llmbench/schedule.log. With `flock` (by default: where this machine has it), a run that finds the one
    before still at work says so in the log and ends with exit code 75.

    Raises UsageError for a command that cron would cut, or that is more than one line.
    """
    locked = shutil.which("flock") is not None if flock is None else flock
    start = [python or sys.executable, "-m", "llmbench"]
    run = "; ".join(shlex.join([*start, *words]) for words in schedule.commands())
    if locked:
        held = f"echo {schedule.label}: left out, because the run before is still at work"
        run = f"( flock -n 9 || {{ {shlex.join(held.split(' ', 1))}; exit {_HELD}; }}; {run} )"
        run += f" 9> .llmbench/schedule-{schedule.label}.lock"
    else:
        run = f"( {run} )"
    where = shlex.quote(str(schedule.root))
    command = f"cd {where} && mkdir -p .llmbench && {run} >> .llmbench/schedule.log 2>&1"
    if "\n" in command or "\r" in command:
        raise UsageError("A crontab has one line for a command; put the parameter with line breaks into -f.")
    # To cron, % ends the command and begins its input.
    command = command.replace("%", "\\%")
    if len(command.encode()) > _LONGEST:
        raise UsageError(
            f"The command has {len(command.encode()):,} bytes, and some crons cut it after {_LONGEST}; "
            f"put its parameters into a file for -f."
        )
    return (
        f"# llmbench: {', '.join(schedule.notebooks)}. {schedule.next_line()}.\n"
        "# cron gives a command almost no environment: keys of models must be in the keyring, or set here.\n"
        "# CRON_TZ holds for every line below it. Debian's and Ubuntu's cron ignores it and takes the time\n"
        "# of the machine; see `man 5 crontab`.\n"
        f"CRON_TZ={schedule.time_zone}\n"
        f"{schedule.cron} {command}\n"
    )
