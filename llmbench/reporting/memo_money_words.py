"""The sentences of the notebook `migration_memo` about money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.decision import SourceState
from llmbench.reporting.memo_amounts import chances, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbench.decision import Budget, EndingModel
    from llmbench.reporting.memo_study import MemoStudy

__all__ = ["commitment_sentence", "ending_sentence", "flip_sentence", "hold_sentence", "saving_sentence"]


def saving_sentence(study: MemoStudy) -> str:
    """A month's saving with its range, and when the migration has paid for itself."""
    if study.traffic is None:
        found = study.evidence.source("break_even")
        wanted = "make a break_even report"
        if found.reason and found.state is not SourceState.MISSING:
            wanted = f"the break_even report does not count ({found.reason}). Make another one"
        return (
            f"Money: how much is asked is not known: {wanted}, or give messages_per_month, input_tokens and "
            "output_tokens."
        )
    if study.budget is None:
        names = (study.baseline, study.candidate)
        lacking = [
            f"{name} ({price.of})"
            for name, price in zip(names, study.prices or (), strict=False)
            if price.usd_per_message is None and price.usd_per_month is None
        ]
        return (
            f"Money: no price of {' and '.join(dict.fromkeys(lacking))} is known, so nothing is said of what "
            "is saved."
        )
    budget = study.budget
    return f"Saving: {_monthly(study, budget)} {_earned_back(study, budget)}"


def _monthly(study: MemoStudy, budget: Budget) -> str:
    month = budget.full_saving_per_month
    moved = f"once {_moved(study)} have moved, at today's prices"
    if month == (0.0, 0.0, 0.0):
        return f"none; both cost the same {moved}."
    if month.p50 >= 0:
        return f"{usd(month.p50)} a month ({chances(month.p10, month.p90)}) {moved}."
    return f"none; it costs {usd(-month.p50)} a month more ({chances(-month.p90, -month.p10)}) {moved}."


def _moved(study: MemoStudy) -> str:
    volume = 0.0 if study.traffic is None else study.traffic.messages_per_month
    share = "all" if study.phase.share == 1 else f"{study.phase.share:.0%}"
    return f"{share} of {volume:,.0f} messages a month"


def _earned_back(study: MemoStudy, budget: Budget) -> str:
    """What is spent once against what is saved."""
    total, payback = budget.total_saving, budget.payback
    first = "the first month" if budget.months == 1 else f"{budget.months} months"
    once = usd(study.one_off.today_usd)
    if total.p50 >= 0:
        end = f"After {first} {usd(total.p50)} is left ({chances(total.p10, total.p90)})"
    else:
        end = f"After {first} it is {usd(-total.p50)} short ({chances(-total.p90, -total.p10)})"
    end += f", {once} spent at the start included" if study.one_off.today_usd else ""
    stated, horizon = payback.stated, payback.horizon
    if stated == 0:
        paid = "nothing is owed at any time"
    elif stated is None:
        paid = f"at the numbers as stated it is not earned back in {horizon} months"
    else:
        paid = f"at the numbers as stated it is earned back in month {stated}"
    return (
        f"{end}; {paid}, and the chance that it is within {horizon} months is {payback.within(horizon):.0%}."
    )


def hold_sentence(study: MemoStudy) -> str:
    """What a week of waiting costs."""
    hold = study.hold
    if hold is None:
        return (
            "What a week of waiting costs is not known: it takes the saving, the replies and what a reply "
            "is worth."
        )
    low, middle, high = hold.net
    if middle >= 0:
        told = f"costs {usd(middle)} ({chances(low, high)})"
    else:
        told = f"is worth {usd(-middle)} ({chances(-high, -low)})"
    saved, risk = hold.saving_usd, hold.risk_avoided_usd
    parts = [
        f"{usd(saved)} is not saved" if saved >= 0 else f"{usd(-saved)} more is not spent",
        f"replies worth {usd(abs(risk))} are not {'lost' if risk >= 0 else 'won'}",
    ]
    return (
        f"A week of HOLD {told}. On average {' and '.join(parts)}. The chance that waiting costs anything is "
        f"{hold.probability_costs:.0%}."
    )


def ending_sentence(study: MemoStudy) -> str:
    """What is spent on models that end soon; unknown where that of one of them is."""
    unpriced = set(study.ending.unpriced)
    parts = [
        f"unknown within {total.within_days} days"
        if unpriced.intersection(total.models)
        else f"{usd(total.usd_per_month)} a month within {total.within_days} days"
        + ("" if total.share is None or unpriced else f" ({total.share:.0%})")
        for total in study.ending.totals
    ]
    over = [row for row in study.ending.rows if row.state == "ended"]
    ended = ""
    if over:
        spent = None if unpriced.intersection(row.model for row in over) else study.ending.ended_usd
        amount = "an unknown amount" if spent is None else f"{usd(spent)} a month"
        ended = f" {amount[0].upper()}{amount[1:]} is on models that have ended: {_listed(over)}."
    lacking = f" Nobody knows what is spent on {', '.join(sorted(unpriced))}." if unpriced else ""
    return (
        f"Spent on models that end: {', '.join(parts)}.{ended}{lacking} An end that nobody has named is "
        "unknown, not never."
    )


def _listed(rows: Sequence[EndingModel]) -> str:
    return ", ".join(f"{row.model} on {row.ends}" for row in rows)


def commitment_sentence(study: MemoStudy) -> str:
    """What contracts of the old way still cost; said also where none are stated."""
    if not study.commitments:
        return (
            "No minimum spend or reserved machine is stated (parameter commitments): nothing is counted for "
            "ending one."
        )
    if study.budget is None:
        return "What of the commitments is not used cannot be told without the prices."
    total, once = study.budget.totals, study.one_off
    off = any(row.moved >= 1 for row in study.budget.rows)
    ended = total.one_off_usd - once.today_usd - (once.decommission_usd if off else 0.0)
    penalty = (
        f"{usd(ended)} is paid to end contracts early" if ended > 0.005 else "no contract is ended early"
    )
    return (
        f"Of what is committed, {usd(total.idle_usd)} is paid without being used in {study.budget.months} "
        f"months, and {penalty}; both are in the budget. A contract is ended when that costs less than "
        "keeping it."
    )


def flip_sentence(study: MemoStudy) -> str:
    """Why there is no grid of volumes and values."""
    if study.prices is not None and any(price.usd_per_month is not None for price in study.prices):
        return (
            "A machine costs the same at any volume, so the grid is not drawn: break_even has the number of "
            "messages from which one pays."
        )
    return "A grid takes the prices of both, an A/B test that counts, and volumes and values to look at."
