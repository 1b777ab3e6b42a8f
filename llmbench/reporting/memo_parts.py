"""The parts of a memo's money, each from the parameters and from what the reports have told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from llmbench.decision import (
    Budget,
    Commitment,
    Evidence,
    FlipGrid,
    GateResult,
    OneOffCosts,
    Phase,
    Price,
    RampMonth,
    ReplyEffect,
    RevenueAtRisk,
    RollbackTrigger,
    Spread,
    StageAdvice,
    Traffic,
    flip_grid,
    ramp_by_stage,
    revenue_at_risk,
    rollback_trigger,
    stage_advice,
    traffic_of,
    twelve_month_budget,
)
from llmbench.decision.facts import book_of
from llmbench.decision.gates import SHARE_OF_STAGE
from llmbench.economics import Range
from llmbench.economics.workload import DAYS_OF_MONTH
from llmbench.errors import UsageError
from llmbench.reporting.memo_parameters import uncertainty_of

__all__ = [
    "CorrelatedSaving",
    "MemoBudget",
    "memo_budget",
    "memo_flip_grid",
    "memo_revenue_at_risk",
    "memo_rollback_trigger",
    "memo_spend_by_model",
    "memo_stage_advice",
    "memo_traffic",
]

_TRAFFIC = ("messages_per_month", "input_tokens", "output_tokens")
_AS_IT_IS = Range(1.0, 1.0, 1.0)
_MOST_REPLIES_A_DAY = 10_000
"""Above, every loss shows on the first day, and the bounds are too long to count out."""


_CORRELATIONS = (0.0, 0.5)
"""Of volume and lengths, at which the saving is shown whatever is assumed."""


class CorrelatedSaving(NamedTuple):
    """What is saved where messages and lengths are correlated by so much."""

    correlation: float
    assumed: bool
    """Whether it is that of the memo."""
    total_saving: Spread
    """Of all months, what is spent once taken off."""
    full_saving_per_month: Spread
    """Once all is over."""


class MemoBudget(NamedTuple):
    """The budget, and what is saved once all is over."""

    budget: Budget
    """`full_saving_per_month`: at today's prices and volume, of the share that moves."""
    mean_saving: Spread
    """A month, the same with prices that fall as they are said to: the mean of the months."""
    by_correlation: tuple[CorrelatedSaving, ...] = ()
    """Apart, correlated by a half, and as it is assumed, ascending."""


def memo_traffic(p: Mapping[str, Any], evidence: Evidence) -> Traffic | None:
    """None where nobody says how much is asked: the memo is written all the same, without money."""
    try:
        return traffic_of(evidence, *(p[name] for name in _TRAFFIC))
    except UsageError:
        return None


def memo_budget(
    p: Mapping[str, Any],
    phase: Phase,
    traffic: Traffic,
    prices: tuple[Price, Price],
    one_off: OneOffCosts,
    commitments: Sequence[Commitment],
    *,
    same: bool,
) -> MemoBudget | None:
    """None where one of the two has no price."""
    if any(price.usd_per_message is None and price.usd_per_month is None for price in prices):
        return None
    uncertainty = uncertainty_of(p["uncertainty"])
    if same and prices[0].usd_per_message is not None and prices[1].usd_per_message is not None:
        # One price, whatever it will be: two draws of it would look like a saving.
        uncertainty = replace(uncertainty, candidate_price=_AS_IT_IS, baseline_price=_AS_IT_IS)
    horizon = max(p["horizon_months"], p["payback_months"])
    ramp = ramp_by_stage(p["ramp_weeks"] or None, horizon)
    rests = phase.share < 1  # what the baseline keeps, with its machines on
    moved = [month._replace(moved=month.moved * phase.share) for month in ramp]
    if rests:
        moved = [month._replace(old_on=1.0, both_on=month.new_on) for month in moved]
    ended = RampMonth(moved=phase.share, old_on=float(rests), both_on=0.0)
    every: dict[str, Any] = {
        "months": p["horizon_months"],
        "baseline_hosting_usd": prices[0].usd_per_month or 0.0,
        "candidate_hosting_usd": prices[1].usd_per_month or 0.0,
        "baseline_fall_per_year": p["api_fall_per_year"],
        "candidate_fall_per_year": p["api_fall_per_year"],
        "discount_per_year": p["discount_per_year"],
        "payback_months": p["payback_months"],
        "draws": p["draws"],
        "seed": p["seed"],
    }
    usd = (prices[0].usd_per_message or 0.0, prices[1].usd_per_message or 0.0)

    def at(correlation: float) -> MemoBudget:
        every["uncertainty"] = replace(uncertainty, correlation=correlation)
        budget = twelve_month_budget(
            traffic.messages_per_month,
            *usd,
            ramp=moved,
            one_off=one_off,
            commitments=commitments,
            growth_per_month=p["growth_per_month"],
            **every,
        )
        # Once it is over, by itself: today's volume, no contract, nothing spent once, the share that moves.
        after = twelve_month_budget(traffic.messages_per_month, *usd, ramp=[ended], **every)
        first = after.rows[1]
        full = Spread(first.p10, first.p50, first.p90)
        return MemoBudget(replace(budget, full_saving_per_month=full), after.saving_per_month)

    assumed = uncertainty.correlation
    found = {each: at(each) for each in sorted({assumed, *_CORRELATIONS})}
    rows = tuple(
        CorrelatedSaving(each, each == assumed, money.budget.total_saving, money.budget.full_saving_per_month)
        for each, money in found.items()
    )
    return found[assumed]._replace(by_correlation=rows)


def memo_revenue_at_risk(
    effect: ReplyEffect, value: float, moved: float, phase: Phase, rollback: RollbackTrigger | None
) -> RevenueAtRisk:
    """The loss once all has moved; and what is lost at the bad end until the rollback of the canary, which
    has a part of the traffic only. Averages over other losses until then are not shown, and not counted.
    """
    risk = revenue_at_risk(effect, value, moved)
    if rollback is None or effect.low >= 1:
        return risk
    days = rollback.days_to_rollback(effect.low)
    lost = risk.worst_usd * rollback.share / phase.share * days / DAYS_OF_MONTH
    return replace(risk, days_at_worst=days, worst_until_trigger_usd=lost)


def memo_rollback_trigger(
    p: Mapping[str, Any],
    phase: Phase,
    effect: ReplyEffect,
    traffic: Traffic,
    results: Sequence[GateResult],
) -> RollbackTrigger | None:
    """None with more replies than are worth counting, and where the gate asks for what no rate can keep."""
    a_day = traffic.messages_per_month / DAYS_OF_MONTH
    kept = [r.gate.threshold for r in results if r.gate.metric.name == "reply_ratio"]
    margin = max(kept, default=0.9)
    if a_day * effect.reply_rate > _MOST_REPLIES_A_DAY or not 0 < margin < 1 / effect.reply_rate:
        return None
    share = min(_canary_share(p["stage"]), phase.share)
    return rollback_trigger(effect.reply_rate, a_day, share, margin=margin, true_ratio=min(0.7, 0.8 * margin))


def _canary_share(stage: str) -> float:
    """The traffic that the candidate gets in the stage that is decided about, or in the last one that has a
    control to hold it against.
    """
    share = SHARE_OF_STAGE.get(stage, 1.0)
    return share if share < 1 else SHARE_OF_STAGE["canary-25"]


def memo_flip_grid(
    p: Mapping[str, Any],
    phase: Phase,
    effect: ReplyEffect,
    traffic: Traffic,
    money: MemoBudget | None,
    prices: tuple[Price, Price],
    one_off: OneOffCosts,
) -> FlipGrid | None:
    """None without prices by the message (a machine's rent is the same at any volume), and without volumes or
    values to look at.
    """
    if money is None or not p["volumes"] or not p["values_per_reply"]:
        return None
    if any(price.usd_per_month is not None for price in prices):
        return None
    moved = traffic.messages_per_month * phase.share
    low, likely, high = (usd / moved for usd in money.mean_saving)
    return flip_grid(
        p["volumes"],
        p["values_per_reply"],
        effect,
        Range(low, likely, high),
        one_off_usd=one_off.today_usd,
        months=p["horizon_months"],
        discount_per_year=p["discount_per_year"],
    )


def memo_spend_by_model(
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


def memo_stage_advice(p: Mapping[str, Any], traffic: Traffic | None, evidence: Evidence) -> StageAdvice:
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
