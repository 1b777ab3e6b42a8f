"""The notebook `migration_memo` from its parameters to everything that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbench.decision import (
    STAGES,
    Budget,
    Commitment,
    CostOfHold,
    EndingModels,
    Evidence,
    FlipGrid,
    Gate,
    GateBook,
    GateResult,
    Measured,
    OneOffCosts,
    Phase,
    Price,
    Quality,
    ReplyEffect,
    RevenueAtRisk,
    RollbackTrigger,
    Source,
    StageAdvice,
    Subject,
    Traffic,
    adjust_fails,
    cost_of_hold,
    ending_models,
    gather,
    judge_gate,
    measured_quality,
    measured_replies,
    phase_named,
    price_of,
    read_example,
    read_gates,
    read_phases,
    same_model,
    spent_usd,
    training_usd,
)
from llmbench.decision.units import UNITS
from llmbench.errors import UsageError
from llmbench.reporting.memo_parameters import check_memo_parameters, commitment_of, day_of
from llmbench.reporting.memo_parts import (
    CorrelatedSaving,
    memo_budget,
    memo_flip_grid,
    memo_revenue_at_risk,
    memo_rollback_trigger,
    memo_spend_by_model,
    memo_stage_advice,
    memo_traffic,
)

__all__ = ["MemoStudy", "make_study"]


@dataclass(frozen=True, slots=True)
class MemoStudy:
    """Everything that the memo shows. What nobody knows is None."""

    phase: Phase
    stage: str
    """What is decided about: whether it may be entered."""
    book: GateBook
    evidence: Evidence
    results: tuple[GateResult, ...]
    """Of every gate of the phase, in the order of the stages."""
    traffic: Traffic | None
    quality: Quality | None
    effect: ReplyEffect | None
    prices: tuple[Price, Price] | None
    """Of the baseline and of the candidate."""
    budget: Budget | None
    risk: RevenueAtRisk | None
    hold: CostOfHold | None
    ending: EndingModels
    flip: FlipGrid | None
    advice: StageAdvice
    rollback: RollbackTrigger | None
    commitments: tuple[Commitment, ...]
    one_off: OneOffCosts
    value_per_reply: float
    """USD; 0 where nobody knows."""
    spent: float | None
    """By the calls of the reports that count."""
    by_correlation: tuple[CorrelatedSaving, ...] = ()
    """The saving where volume and lengths rise together, or not; empty without a budget."""

    @property
    def baseline(self) -> str:
        """What answers today."""
        return self.evidence.subject.baseline

    @property
    def candidate(self) -> str:
        """What would."""
        return self.evidence.subject.candidate

    @property
    def same_model(self) -> bool:
        """Whether only the way to the model changes."""
        return same_model(self.baseline, self.candidate, self.evidence.subject.names)

    def before(self, stage: str) -> tuple[GateResult, ...]:
        """The gates that must be passed before `stage`: its own, and those of the stages on the way."""
        passed = STAGES[: STAGES.index(stage) + 1]
        return tuple(result for result in self.results if result.gate.stage in passed)

    @property
    def decided(self) -> tuple[GateResult, ...]:
        """The gates that the decision rests on; a fail of one counts as far as their number lets it."""
        return adjust_fails(self.before(self.stage))

    @property
    def open_stage(self) -> str | None:
        """The furthest stage whose required gates, and those on the way to it, are passed; None: not one."""
        reached = None
        for stage in STAGES:
            if any(r.gate.required and r.state != "pass" for r in self.before(stage)):
                break
            reached = stage
        return reached if self.results else None


def make_study(parameters: Mapping[str, Any], root: Path, reports: Path) -> MemoStudy:
    """Read the gates and the results that the parameters name, and work everything out. `reports` is the
    folder of results where the parameter of that name is empty.

    Raises UsageError and ConfigError for parameters and gates; whatever is wrong with a result is told in the
    memo.
    """
    p = parameters
    check_memo_parameters(p)
    if p["reports"] and not (root / p["reports"]).is_dir():
        raise UsageError(
            f"Parameter 'reports': there is no folder {p['reports']!r}; empty is the one that the memo goes "
            "to."
        )
    path = root / p["gates"]
    phases = read_phases(path)
    phase = phase_named(phases, p["phase"])
    book = read_gates(path, [each.name for each in phases])
    subject = Subject(
        p["baseline"] or phase.baseline, p["candidate"] or phase.candidate, p["workload"], p["names"]
    )
    gates = book.of(phase.name, STAGES[-1])
    evidence = gather(
        root / p["reports"] if p["reports"] else reports,
        subject,
        today=day_of(p["as_of"]),
        runs=p["runs"],
        example=read_example(root / p["example"]) if p["example"] else None,
        gates=gates,
        accept_stale=p["accept_stale"],
    )
    order = sorted(gates, key=lambda gate: STAGES.index(gate.stage))
    results = tuple(
        _judged(gate, evidence.source(gate.metric.source), evidence, p["accept_stale"]) for gate in order
    )
    return _with_money(p, phase, book, evidence, results)


def _judged(gate: Gate, source: Source, evidence: Evidence, accept_stale: str) -> GateResult:
    """The gate; insufficient where the numbers that it asks for cannot be."""
    try:
        result = judge_gate(
            gate, source, evidence.today, candidate=source.candidate, accept_stale=accept_stale
        )
        wrong = _wrong(gate, result.measured)
    except (UsageError, ValueError, TypeError, ArithmeticError) as error:
        wrong = str(error).rstrip(".")
    if not wrong:
        return result
    why = f"what {source.report} has of it cannot be: {wrong}"
    return GateResult(gate, "insufficient", Measured(None), why)


def _wrong(gate: Gate, measured: Measured) -> str:
    """Why nothing can be so measured; empty: it can."""
    value, low, high = measured[:3]
    if value is None:
        return ""
    least, most = UNITS[gate.metric.unit].values
    if not least <= value <= most:
        return f"{value:g} is no {gate.metric.unit}"
    if (low is not None and low > value) or (high is not None and high < value):
        return "its interval does not hold its value"
    return ""


def _with_money(
    p: Mapping[str, Any], phase: Phase, book: GateBook, evidence: Evidence, results: tuple[GateResult, ...]
) -> MemoStudy:
    traffic = memo_traffic(p, evidence)
    effect = measured_replies(evidence, p["reply_rate"] or None)
    spent = spent_usd(evidence)
    one_off = OneOffCosts(
        engineering_days=p["engineering_days"],
        usd_per_day=p["usd_per_day"],
        evaluation_usd=p["evaluation_usd"] + (spent or 0.0),
        training_usd=training_usd(evidence) or 0.0,
        dual_running_usd=p["dual_running_usd"],
        decommission_usd=p["decommission_usd"],
    )
    commitments = tuple(commitment_of(entry, evidence.today) for entry in p["commitments"])
    prices = money = budget = risk = hold = flip = rollback = None
    if traffic is not None:
        subject = evidence.subject
        prices = (
            price_of(subject.baseline, evidence, traffic, p["price_book"]),
            price_of(subject.candidate, evidence, traffic, p["price_book"]),
        )
        same = same_model(subject.baseline, subject.candidate, subject.names)
        money = memo_budget(p, phase, traffic, prices, one_off, commitments, same=same)
        budget = None if money is None else money.budget
    if traffic is not None and effect is not None:
        rollback = memo_rollback_trigger(p, phase, effect, traffic, results)
        value = p["value_per_reply_usd"]
        if value:
            moved = traffic.messages_per_month * phase.share
            risk = memo_revenue_at_risk(effect, value, moved, phase, rollback)
            if budget is not None:
                saving = budget.full_saving_per_month
                hold = cost_of_hold(effect, value, moved, saving, seed=p["seed"], draws=p["draws"])
        if prices is not None:
            flip = memo_flip_grid(p, phase, effect, traffic, money, prices, one_off)
    return MemoStudy(
        phase=phase,
        stage=p["stage"],
        book=book,
        evidence=evidence,
        results=results,
        traffic=traffic,
        quality=measured_quality(evidence),
        effect=effect,
        prices=prices,
        budget=budget,
        risk=risk,
        hold=hold,
        ending=ending_models(memo_spend_by_model(p, evidence, traffic, prices), evidence.today),
        flip=flip,
        advice=memo_stage_advice(p, traffic, evidence),
        rollback=rollback,
        commitments=commitments,
        one_off=one_off,
        value_per_reply=p["value_per_reply_usd"],
        spent=spent,
        by_correlation=() if money is None else money.by_correlation,
    )
