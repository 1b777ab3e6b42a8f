"""What a gate says of what was measured: passed, failed, or not enough to tell.

An interval that lies wholly on the good side of the threshold passes, one wholly on the other side fails,
and one that reaches over it is insufficient: the same rule as for every comparison of llmbench. A number
without an interval counts as it is only where its metric says that nothing in it was drawn.

Several gates. To go on, all required gates must pass, so each is judged at its own 95%: the chance to pass
them all where one is not kept is at most that of this one (intersection-union test: Berger (1982),
Technometrics 24:295). To stop, one failed gate is enough, and of six that are just kept one in seven times
some interval lies beyond its threshold by chance. So fails count only as far as Holm's (1979) procedure over
the required gates lets them: together they err in at most 2.5%, as one alone does. The others are
insufficient, and the decision waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from llmbench.decision.evidence import CONFIDENCE, fail_p_value, limits
from llmbench.decision.gates import Gate
from llmbench.decision.metrics import Measured
from llmbench.decision.sources import Source
from llmbench.results import Decision, Verdict
from llmbench.shown import shown

__all__ = ["FAIL_LEVEL", "GateResult", "GateState", "adjust_fails", "decide", "judge_gate"]

GateState = Literal["pass", "fail", "insufficient"]

FAIL_LEVEL = (1 - CONFIDENCE) / 2
"""Chance of all required gates together to stop a migration that keeps every one of them."""


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
    fail_p: float | None = None
    """One-sided p-value of the gate being kept, for `adjust_fails`; None where nothing was judged, or where
    nothing was drawn."""


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
    p = None if measured.value is None or _too_few(gate, measured) else _fail_p(gate, measured)
    return GateResult(gate, state, measured, reason, accepted_stale=stale, fail_p=p)


def adjust_fails(results: Sequence[GateResult]) -> tuple[GateResult, ...]:
    """The same gates, with required ones that failed by no more than chance among so many as insufficient.

    What `decide` goes by; show these in a table beside its decision. A gate whose number was not drawn stays
    as it is and does not count among the several. Doing it again changes nothing.
    """
    from llmbench.stats import adjust_p_values

    drawn = [r.fail_p for r in results if r.gate.required and r.fail_p is not None]
    of_drawn = iter(adjust_p_values(drawn))
    found = []
    for each in results:
        adjusted = next(of_drawn) if each.gate.required and each.fail_p is not None else 0.0
        if each.state == "fail" and adjusted > FAIL_LEVEL:
            reason = (
                f"{each.reason}, but one of {len(drawn)} gates does so by chance too easily "
                f"(p {each.fail_p:.2g}, adjusted {adjusted:.2g})"
            )
            found.append(replace(each, state="insufficient", reason=reason))
        else:
            found.append(each)
    return tuple(found)


def _judged(gate: Gate, measured: Measured) -> tuple[GateState, str]:
    if measured.value is None:
        return "insufficient", f"{gate.metric.source} does not tell it"
    if few := _too_few(gate, measured):
        return "insufficient", few
    if gate.metric.certain:
        return _judged_as_it_is(gate, measured.value)
    found = limits(measured)
    if found is None:
        return "insufficient", "it has no interval on both sides"
    good, bad = found.low >= gate.threshold, found.high < gate.threshold
    if not gate.at_least:
        good, bad = found.high <= gate.threshold, found.low > gate.threshold
    state: GateState = "pass" if good else "fail" if bad else "insufficient"
    reason = {
        "pass": "its interval lies wholly on the good side",
        "fail": "its interval lies wholly beyond",
        "insufficient": "its interval reaches over the threshold",
    }[state]
    return state, reason + _as_judged(measured, *found)


def _judged_as_it_is(gate: Gate, value: float) -> tuple[GateState, str]:
    good = value >= gate.threshold if gate.at_least else value <= gate.threshold
    if good:
        return "pass", "it is"
    if gate.metric.says == "chance":
        least, most = sorted((gate.threshold, 1 - gate.threshold))
        refuted = value <= least if gate.at_least else value >= most
        if not refuted:
            return "insufficient", "it is not, and the opposite is not likely enough either"
    return "fail", "it is not"


def _too_few(gate: Gate, measured: Measured) -> str:
    if measured.n is not None and measured.n < gate.minimum_n:
        return f"n is {measured.n:,}, and {gate.minimum_n:,} are needed"
    if measured.n is None and gate.minimum_n and not gate.metric.certain:
        return f"n is not told, and {gate.minimum_n:,} are needed"
    return ""


def _as_judged(measured: Measured, low: float, high: float) -> str:
    """What the limits allow for that the interval as the report shows it does not."""
    why = []
    if measured.confidence != CONFIDENCE:
        why.append(f"{CONFIDENCE:.0%} instead of {measured.confidence:.0%}")
    if measured.among > 1:
        why.append(f"{measured.among} candidates")
    if (measured.worst_low, measured.best_high) not in {(None, None), (measured.low, measured.high)}:
        why.append("missing answers")
    return f" (with {', '.join(why)}: {low:.3g} to {high:.3g})" if why else ""


def _fail_p(gate: Gate, measured: Measured) -> float | None:
    if not gate.metric.certain:
        return fail_p_value(measured, gate.threshold, at_least=gate.at_least, unit=gate.metric.unit)
    if gate.metric.says == "number" or measured.value is None:
        return None
    # A small p-value, or a small chance of what is asked for, is itself what speaks against the gate.
    return measured.value if gate.at_least else 1 - measured.value


def decide(results: Sequence[GateResult], *, stage: str, candidate: str) -> Verdict:
    """The decision: NO_GO where a required gate failed, HOLD where one has not enough to tell, conditions
    where one that is not required did not pass, GO otherwise. Without a required gate: HOLD.

    A fail counts as far as `adjust_fails` lets it.
    """
    results = adjust_fails(results)
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
