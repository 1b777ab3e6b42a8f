"""What is done once a report is published: one line of it, what got worse, and word of a new decision.

The report stands whatever happens here.
"""

from __future__ import annotations

from typing import NamedTuple

from llmbench.errors import ReportError
from llmbench.money import dollars
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.index import write_index
from llmbench.reporting.regression import find_previous, worse_run
from llmbench.reporting.remote import RemoteReports
from llmbench.reporting.run import ReportRun
from llmbench.reporting.webhook import post_change
from llmbench.result_files import read_envelope
from llmbench.run_files import RESULT

__all__ = ["AfterRun", "follow_up", "remove_old_runs"]


class AfterRun(NamedTuple):
    """What there is to say of a run that was published."""

    line: str
    """The run in one line: notebook, run, decision and the one before, what it spent, the sentence."""
    worse: str
    """What got worse than in the run before of the same parameters and inputs; "" where nothing did."""
    warnings: tuple[str, ...] = ()


def follow_up(run: ReportRun, webhook: str | None = None) -> AfterRun:
    """Compare a run with those before it, and send word to the address `webhook` of another decision.

    A decision is another one than that of the last run with the same parameters, whatever its inputs: new
    data are what a scheduled report is for. Worse is only what the same inputs do not explain.
    """
    was = worse = ""
    warnings: tuple[str, ...] = ()
    last = None
    try:
        same = find_previous(run.folder)
        last = find_previous(run.folder, same_inputs=False)
        if same is not None:
            worse = worse_run(same, read_envelope(run.folder / RESULT)).line()
    except ReportError as error:  # another run that keeps few has removed this one
        warnings = (f"{run.notebook}: the run is not compared with the one before: {error}",)
    if last is not None:
        before = last.verdict.decision
        was = ", as before" if before == run.decision else f", was {before}"
        if webhook is not None and before != run.decision:
            failure = post_change(webhook, run, str(before))
            if failure is not None:
                warnings = (f"{run.notebook}: the webhook was not told of {run.decision}: {failure}.",)
    sentence = " ".join(run.summary.split())
    line = f"{run.notebook} {run.run_id}: {run.decision}{was}; spent {dollars(run.spent_usd)}; {sentence}"
    return AfterRun(line, worse, warnings)


def remove_old_runs(run: ReportRun, keep: int, remote: RemoteReports | None = None) -> tuple[str, ...]:
    """Keep the newest `keep` runs of a run's notebook, and the newest whole one; warnings, if any.

    With `remote`, of which the run's folder is the local copy, there as well.

    Raises UsageError for a `keep` below 1.
    """
    out = run.index.parent
    try:
        if removed := ReportFolder(out, run.folder.parents[1].name).keep_newest(keep):
            write_index(out)
        if remote is not None:  # also where none is, for what a removal that was cut off has left
            remote.remove(run.notebook, removed)
    except ReportError as error:
        return (f"{run.notebook}: old runs are not all removed: {error}",)
    except OSError as error:
        return (f"{run.notebook}: old runs are not all removed: {error.strerror or type(error).__name__}.",)
    return ()
