"""What is done once a report is published: one line of it, what got worse, and word of a new decision.

The report stands whatever happens here.
"""

from __future__ import annotations

from typing import NamedTuple

from llmbench.money import dollars
from llmbench.reporting.regression import find_previous, worse_run
from llmbench.reporting.run import ReportRun
from llmbench.reporting.webhook import post_change
from llmbench.result_files import read_envelope

__all__ = ["AfterRun", "follow_up"]


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
    same = find_previous(run.folder)
    last = find_previous(run.folder, same_inputs=False)
    worse = worse_run(same, read_envelope(run.folder / "result.json")).line() if same is not None else ""
    was = ""
    warnings: tuple[str, ...] = ()
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
