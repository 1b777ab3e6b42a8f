"""What a gate says of what was measured: passed, failed, or not enough to tell.

An interval that lies wholly on the good side of the threshold passes, one wholly on the other side fails,
and one that reaches over it is insufficient: the same rule as for every comparison of llmbench. A number
without an interval counts as it is only where its metric says that nothing in it was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from llmbench.decision.gates import Gate
from llmbench.decision.metrics import Measured
from llmbench.decision.sources import Source
from llmbench.results import Decision, Verdict
from llmbench.shown import shown

__all__ = ["GateResult", "GateState", "decide", "judge_gate"]

GateState = Literal["pass", "fail", "insufficient"]


@shown
@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate and what was found."""

    gate: Gate
    state: GateState
    measured: Measured
    reason: str
    """In a clause."""
    accepted_stale: bool = False
    """Its data are too old, and somebody takes the responsibility."""


def judge_gate(
    gate: Gate, source: Source | None, today: date, *, candidate: str = "", accept_stale: str = ""
) -> GateResult:
    """The state of `gate` by the report that measures it.

    `candidate` is the name that the report is asked by; empty: the envelope's own. `accept_stale` is the
    reason for which data older than the gate allows count all the same.
    """
    nothing = Measured(None)
    if source is None or not source.used or source.envelope is None:
        why = source.reason if source is not None else f"there is no result of {gate.metric.source}"
        return GateResult(gate, "insufficient", nothing, why)
    age = source.age_days(today)
    stale = age is None or age > gate.stale_after_days
    if stale and not accept_stale:
        told = "it does not say of when its data are" if age is None else f"its data are {age} days old"
        return GateResult(gate, "insufficient", nothing, f"{told}, and {gate.stale_after_days} are allowed")
    measured = gate.metric.read(source.data, candidate or source.envelope.candidate or "")
    state, reason = _judged(gate, measured)
    return GateResult(gate, state, measured, reason, accepted_stale=stale)


def _judged(gate: Gate, measured: Measured) -> tuple[GateState, str]:
    value, low, high = measured.value, measured.low, measured.high
    if value is None:
        return "insufficient", f"{gate.metric.source} does not tell it"
    if measured.n is not None and measured.n < gate.minimum_n:
        return "insufficient", f"n is {measured.n:,}, and {gate.minimum_n:,} are needed"
    if measured.n is None and gate.minimum_n and not gate.metric.certain:
        return "insufficient", f"n is not told, and {gate.minimum_n:,} are needed"
    if gate.metric.certain:
        good = value >= gate.threshold if gate.at_least else value <= gate.threshold
        return ("pass", "it is") if good else ("fail", "it is not")
    if low is None or high is None:
        return "insufficient", "it has no interval on both sides"
    good, bad = low >= gate.threshold, high < gate.threshold
    if not gate.at_least:
        good, bad = high <= gate.threshold, low > gate.threshold
    state: GateState = "pass" if good else "fail" if bad else "insufficient"
    reason = {
        "pass": "its interval lies wholly on the good side",
        "fail": "its interval lies wholly beyond",
        "insufficient": "its interval reaches over the threshold",
    }[state]
    return state, reason


def decide(results: Sequence[GateResult], *, stage: str, candidate: str) -> Verdict:
    """The decision: NO_GO where a required gate failed, HOLD where one has not enough to tell, conditions
    where one that is not required did not pass, GO otherwise. Without a required gate: HOLD.
    """
    required = [r for r in results if r.gate.required]
    others = [r for r in results if not r.gate.required]
    failed = [r for r in required if r.state == "fail"]
    open_ = [r for r in required if r.state == "insufficient"]
    loose = [r for r in others if r.state != "pass"]
    stale = [r for r in results if r.accepted_stale]
    reasons = [f"{r.gate.name}: {r.gate.told()}; {r.reason}." for r in (*failed, *open_, *loose)]
    reasons += [f"{r.gate.name}: passed on data that are too old, as somebody decided." for r in stale]
    if not required:
        return Verdict(Decision.HOLD, f"No gate stands before {stage}, so nothing was decided.", reasons)
    if failed:
        return Verdict(
            Decision.NO_GO, f"{candidate} does not go to {stage}: {_gates(failed)} failed.", reasons
        )
    if open_:
        return Verdict(
            Decision.HOLD,
            f"It cannot be told yet whether {candidate} can go to {stage}: not enough evidence for "
            f"{_gates(open_)}.",
            reasons,
        )
    if loose or stale:
        return Verdict(
            Decision.GO_WITH_CONDITIONS,
            f"{candidate} can go to {stage}; {_gates(loose or stale)} to be settled on the way.",
            reasons,
        )
    return Verdict(
        Decision.GO, f"{candidate} can go to {stage}: all {len(results)} gates before it are passed.", reasons
    )


def _gates(results: Sequence[GateResult]) -> str:
    names = ", ".join(r.gate.name for r in results[:3])
    more = f" and {len(results) - 3} more" if len(results) > 3 else ""
    return f"{names}{more}"
