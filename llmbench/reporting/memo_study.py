"""The notebook `migration_memo` from its parameters to everything that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    flip_grid,
    gather,
    judge_gate,
    measured_quality,
    measured_replies,
    phase_named,
    price_of,
    ramp_by_stage,
    read_example,
    read_gates,
    read_phases,
    revenue_at_risk,
    rollback_trigger,
    same_model,
    spent_usd,
    stage_advice,
    traffic_of,
    training_usd,
    twelve_month_budget,
)
from llmbench.decision.facts import book_of
from llmbench.economics import Range
from llmbench.errors import UsageError
from llmbench.reporting.memo_parameters import (
    check_memo_parameters,
    commitment_of,
    day_of,
    uncertainty_of,
)

__all__ = ["MemoStudy", "make_study"]

_DAYS_A_MONTH = 730 / 24
_TRAFFIC = ("messages_per_month", "input_tokens", "output_tokens")
_AS_IT_IS = Range(1.0, 1.0, 1.0)
_MOST_REPLIES_A_DAY = 10_000
"""Above, every loss shows on the first day, and the bounds are too long to count out."""


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
        return judge_gate(gate, source, evidence.today, candidate=source.candidate, accept_stale=accept_stale)
    except (UsageError, ValueError, TypeError, ArithmeticError) as error:
        why = f"what {source.report} has of it cannot be: {str(error).rstrip('.')}"
        return GateResult(gate, "insufficient", Measured(None), why)


def _with_money(
    p: Mapping[str, Any], phase: Phase, book: GateBook, evidence: Evidence, results: tuple[GateResult, ...]
) -> MemoStudy:
    traffic = _traffic(p, evidence)
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
    prices = budget = risk = hold = flip = rollback = None
    if traffic is not None:
        subject = evidence.subject
        prices = (
            price_of(subject.baseline, evidence, traffic, p["price_book"]),
            price_of(subject.candidate, evidence, traffic, p["price_book"]),
        )
        same = same_model(subject.baseline, subject.candidate, subject.names)
        budget = _budget(p, phase, traffic, prices, one_off, commitments, same=same)
    if traffic is not None and effect is not None:
        rollback = _rollback(p, effect, traffic, results)
        value = p["value_per_reply_usd"]
        if value:
            moved = traffic.messages_per_month * phase.share
            # Only the loss at the bad end is shown until the rollback, so the days of no other are counted.
            lost = rollback is not None and effect.low < 1
            days = rollback.days_to_rollback(effect.low) if lost else None
            risk = revenue_at_risk(effect, value, moved, days_to_trigger=days)
            if budget is not None:
                saving = budget.full_saving_per_month
                hold = cost_of_hold(effect, value, moved, saving, seed=p["seed"], draws=p["draws"])
        flip = _flip(p, phase, effect, traffic, budget, one_off)
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
        ending=ending_models(_usage(p, evidence, traffic, prices), evidence.today),
        flip=flip,
        advice=_advice(p, traffic, evidence),
        rollback=rollback,
        commitments=commitments,
        one_off=one_off,
        value_per_reply=p["value_per_reply_usd"],
        spent=spent,
    )


def _traffic(p: Mapping[str, Any], evidence: Evidence) -> Traffic | None:
    """None where nobody says how much is asked: the memo is written all the same, without money."""
    try:
        return traffic_of(evidence, *(p[name] for name in _TRAFFIC))
    except UsageError:
        return None


def _budget(
    p: Mapping[str, Any],
    phase: Phase,
    traffic: Traffic,
    prices: tuple[Price, Price],
    one_off: OneOffCosts,
    commitments: Sequence[Commitment],
    *,
    same: bool,
) -> Budget | None:
    """None where one of the two has no price."""
    if any(price.usd_per_message is None and price.usd_per_month is None for price in prices):
        return None
    uncertainty = uncertainty_of(p["uncertainty"])
    if same and prices[0].usd_per_message is not None and prices[1].usd_per_message is not None:
        # One price, whatever it will be: two draws of it would look like a saving.
        uncertainty = replace(uncertainty, candidate_price=_AS_IT_IS, baseline_price=_AS_IT_IS)
    horizon = max(p["horizon_months"], p["payback_months"])
    ramp = ramp_by_stage(p["ramp_weeks"] or None, horizon)
    moved = [month._replace(moved=month.moved * phase.share) for month in ramp]
    return twelve_month_budget(
        traffic.messages_per_month,
        prices[0].usd_per_message or 0.0,
        prices[1].usd_per_message or 0.0,
        months=p["horizon_months"],
        growth_per_month=p["growth_per_month"],
        ramp=moved,
        one_off=one_off,
        baseline_hosting_usd=prices[0].usd_per_month or 0.0,
        candidate_hosting_usd=prices[1].usd_per_month or 0.0,
        commitments=commitments,
        baseline_fall_per_year=p["api_fall_per_year"],
        candidate_fall_per_year=p["api_fall_per_year"],
        discount_per_year=p["discount_per_year"],
        uncertainty=uncertainty,
        payback_months=p["payback_months"],
        draws=p["draws"],
        seed=p["seed"],
    )


def _rollback(
    p: Mapping[str, Any], effect: ReplyEffect, traffic: Traffic, results: Sequence[GateResult]
) -> RollbackTrigger | None:
    """None with more replies than are worth counting, and where the gate asks for what no rate can keep."""
    a_day = traffic.messages_per_month / _DAYS_A_MONTH
    kept = [r.gate.threshold for r in results if r.gate.metric.name == "reply_ratio"]
    margin = max(kept, default=0.9)
    if a_day * effect.reply_rate > _MOST_REPLIES_A_DAY or not 0 < margin < 1 / effect.reply_rate:
        return None
    return rollback_trigger(
        effect.reply_rate, a_day, _canary_share(p["stage"]), margin=margin, true_ratio=min(0.7, 0.8 * margin)
    )


def _canary_share(stage: str) -> float:
    """The traffic that the candidate gets in the stage that is decided about, or in the last one that has a
    control to hold it against.
    """
    return {"canary-1": 0.01, "canary-5": 0.05}.get(stage, 0.25)


def _flip(
    p: Mapping[str, Any],
    phase: Phase,
    effect: ReplyEffect,
    traffic: Traffic,
    budget: Budget | None,
    one_off: OneOffCosts,
) -> FlipGrid | None:
    if budget is None or not p["volumes"] or not p["values_per_reply"]:
        return None
    moved = traffic.messages_per_month * phase.share
    low, likely, high = (usd / moved for usd in budget.full_saving_per_month)
    return flip_grid(
        p["volumes"],
        p["values_per_reply"],
        effect,
        Range(low, likely, high),
        one_off_usd=one_off.today_usd,
        months=p["horizon_months"],
        discount_per_year=p["discount_per_year"],
    )


def _usage(
    p: Mapping[str, Any], evidence: Evidence, traffic: Traffic | None, prices: tuple[Price, Price] | None
) -> dict[str, float | None]:
    """USD a month by model: as given, else of the two that the decision is about."""
    if p["usage_usd"]:
        return dict(p["usage_usd"])
    subject = evidence.subject
    if traffic is None or prices is None:
        return {subject.baseline: None, subject.candidate: None}
    bills = [
        price.usd_per_month
        if price.usd_per_message is None
        else price.usd_per_message * traffic.messages_per_month
        for price in prices
    ]
    return dict(zip((subject.baseline, subject.candidate), bills, strict=True))


def _advice(p: Mapping[str, Any], traffic: Traffic | None, evidence: Evidence) -> StageAdvice:
    """At the prices that the rest of the memo has."""
    book, today = book_of(evidence, p["price_book"]), evidence.today
    if traffic is None:
        return stage_advice(price_book=book, today=today)
    return stage_advice(
        traffic.messages_per_month,
        traffic.input_tokens,
        traffic.output_tokens,
        price_book=book,
        today=today,
    )
