"""Whether a run is worse than the run before it: in its decision, or in a model's score.

Only runs of the same question are compared: the same parameters, and inputs of the same content. Two runs
of a report do not show their items, so no paired interval can be had; a score has fallen only where the
whole of its new interval lies below the whole of the old one. That misses small falls, and cries wolf
seldom.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from llmbench.errors import ReportError
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.history import ModelPoint, history_of
from llmbench.result_files import read_envelope
from llmbench.results import Decision, ResultEnvelope
from llmbench.run_files import RESULT

__all__ = ["ScoreFall", "WorseRun", "find_previous", "is_worse", "worse_run"]


class ScoreFall(NamedTuple):
    """A model whose score fell by more than both intervals allow."""

    model: str
    before: ModelPoint
    after: ModelPoint

    def line(self) -> str:
        """The fall in words."""
        return f"{self.model} scores {_score(self.after)}, was {_score(self.before)}"


class WorseRun(NamedTuple):
    """What got worse from one run to another; nothing, where both parts are empty."""

    before: ResultEnvelope
    after: ResultEnvelope
    decision: bool
    """Whether the decision got worse."""
    falls: tuple[ScoreFall, ...]

    def __bool__(self) -> bool:
        return self.decision or bool(self.falls)

    def line(self) -> str:
        """What got worse, in one line; "" where nothing did."""
        parts = [fall.line() for fall in self.falls]
        if self.decision:
            parts.insert(0, f"{self.after.verdict.decision}, was {self.before.verdict.decision}")
        return f"{self.after.report} got worse: {'; '.join(parts)}" if parts else ""


def is_worse(before: Decision, after: Decision) -> bool:
    """Whether a decision is worse than another: GO, GO_WITH_CONDITIONS, HOLD, NO_GO.

    >>> is_worse(Decision.GO, Decision.HOLD), is_worse(Decision.HOLD, Decision.HOLD)
    (True, False)
    """
    best_first = list(Decision)
    return best_first.index(after) > best_first.index(before)


def worse_run(before: ResultEnvelope, after: ResultEnvelope) -> WorseRun:
    """What got worse from one result of a report to another.

    A model without an interval in one of the two, or that one of them does not have, is not compared.
    """
    old = {point.model: point for point in _models(before)}
    falls = [
        ScoreFall(point.model, old[point.model], point)
        for point in _models(after)
        if point.model in old and _fell(old[point.model], point)
    ]
    return WorseRun(before, after, is_worse(before.verdict.decision, after.verdict.decision), tuple(falls))


def find_previous(run: Path, *, same_inputs: bool = True) -> ResultEnvelope | None:
    """The newest result before the one in the folder DIR/NOTEBOOK/runs/RUN-ID that asks the same question.

    The same parameters and, with `same_inputs`, the same input files by name and content; None where there
    is none. A result that cannot be read is passed over.
    """
    now = read_envelope(run / RESULT)
    report = ReportFolder(run.parents[2], run.parents[1].name)
    for run_id in report.run_ids():
        if run_id >= run.name:
            continue
        try:
            before = read_envelope(report.runs / run_id / RESULT)
        except ReportError:
            continue
        if dict(before.parameters) == dict(now.parameters) and (
            not same_inputs or _inputs(before) == _inputs(now)
        ):
            return before
    return None


def _inputs(result: ResultEnvelope) -> tuple[object, ...]:
    return sorted((item.path, item.sha256) for item in result.inputs), result.workload_sha256


def _models(result: ResultEnvelope) -> tuple[ModelPoint, ...]:
    return history_of(result.report, [("", result)]).runs[0].models


def _fell(before: ModelPoint, after: ModelPoint) -> bool:
    return (
        before.score_low is not None and after.score_high is not None and after.score_high < before.score_low
    )


def _score(point: ModelPoint) -> str:
    return f"{point.score:.3g} ({point.score_low:.3g} to {point.score_high:.3g})"
