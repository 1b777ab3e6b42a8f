"""The sentences of the notebook `migration_memo`: the decision, and what it rests on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmbench.decision import decide
from llmbench.decision.facts import lengths_apart
from llmbench.money import dollars
from llmbench.reporting.wording import percent, signed_points, span
from llmbench.results import Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbench.decision import Budget, EndingModel, Spread
    from llmbench.reporting.memo_study import MemoStudy

__all__ = [
    "again_sentence",
    "commitment_sentence",
    "ending_sentence",
    "evidence_sentence",
    "hold_sentence",
    "main_risk",
    "memo_text",
    "quality_sentence",
    "rollback_sentence",
    "saving_sentence",
    "usd",
    "usd_range",
    "verdict",
    "warnings",
]


def usd(amount: float | None) -> str:
    """USD without cents from ten dollars on.

    >>> [usd(amount) for amount in (1234.5, -12.4, 3.2, None)]
    ['$1,234', '-$12', '$3.20', 'unknown']
    """
    if amount is None or not abs(amount) >= 10:
        return dollars(amount)
    return f"{'-' if amount < 0 else ''}${abs(amount):,.0f}"


def usd_range(spread: Spread) -> str:
    """The middle, and where eight of ten draws lie."""
    return f"{usd(spread.p50)} ({usd(spread.p10)} to {usd(spread.p90)})"


def verdict(study: MemoStudy) -> Verdict:
    """The decision by the gates; a GO that is not expected to pay for itself has that as a condition."""
    decided = decide(study.decided, stage=_place(study.stage), candidate=_way(study))
    decision, summary = decided.decision, decided.summary
    if decision is Decision.GO and _unpaid(study):
        decision = Decision.GO_WITH_CONDITIONS
        summary = f"{summary} What it costs once is not expected to be earned back."
    if decision in {Decision.HOLD, Decision.NO_GO} and study.open_stage is not None:
        summary = f"{summary} It can go to {_place(study.open_stage)}: those gates are passed."
    if study.evidence.simulated:
        summary = f"Simulated data: {summary}"
    reasons = [quality_sentence(study), saving_sentence(study), main_risk(study)]
    stale = study.evidence.accept_stale
    if stale and any(result.accepted_stale for result in study.decided):
        reasons.append(f"Results that are too old count, because: {stale}")
    return Verdict(decision, summary, reasons)


def _place(stage: str) -> str:
    """The stage as it is written in a sentence."""
    if stage.startswith("canary-"):
        return f"{stage} ({stage.removeprefix('canary-')}% of the traffic)"
    return {"offline": "offline tests", "shadow": "shadow traffic", "full": "full traffic"}.get(stage, stage)


def _way(study: MemoStudy) -> str:
    """What would be done, as the subject of a sentence."""
    return f"{study.candidate} the new way" if study.same_model else study.candidate


def quality_sentence(study: MemoStudy) -> str:
    """The difference of the scores against its margin, and of the replies against theirs."""
    found, parts = study.quality, []
    if found is not None:
        change = span(abs(found.difference), None, None, points_of)
        way = "higher" if found.difference > 0 else "lower"
        told = f"the score is {change} points {way}" if change != "0.0" else "the score is the same"
        if found.low is not None and found.high is not None:
            told += f" ({signed_points(found.low)} to {signed_points(found.high)})"
        told += "" if found.n is None else f" on the same {found.n:,} items"
        if found.margin is not None:
            told += f", and up to {100 * found.margin:g} points lower is good enough"
        parts.append(f"Quality: {told}.")
    elif study.same_model:
        parts.append(f"Quality: {study.candidate} stays; only the way to it changes.")
    else:
        parts.append(
            f"Quality: no comparison of {study.candidate} with {study.baseline} on the same items counts."
        )
    if study.effect is not None:
        kept = span(study.effect.value, study.effect.low, study.effect.high, percent)
        gate = next((r.gate for r in study.decided[::-1] if r.gate.metric.name == "reply_ratio"), None)
        asked = "" if gate is None else f", and at least {percent(gate.threshold)} must be kept"
        parts.append(f"Replies: it gets {kept} of those of {study.baseline}{asked}.")
    return " ".join(parts)


def points_of(share: float) -> str:
    """A difference without its sign, in points."""
    return f"{100 * share:.1f}"


def saving_sentence(study: MemoStudy) -> str:
    """A month's saving with its range, and when the migration has paid for itself."""
    if study.traffic is None:
        return (
            "Money: how much is asked is not known: make a break_even report, or give messages_per_month, "
            "input_tokens and output_tokens."
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
    moved = f"once {_moved(study)} have moved"
    if month == (0.0, 0.0, 0.0):
        return f"none; both cost the same {moved}."
    if month.p50 >= 0:
        return f"{usd(month.p50)} a month ({_chances(month.p10, month.p90)}) {moved}."
    return f"none; it costs {usd(-month.p50)} a month more ({_chances(-month.p90, -month.p10)}) {moved}."


def _moved(study: MemoStudy) -> str:
    volume = 0.0 if study.traffic is None else study.traffic.messages_per_month
    share = "all" if study.phase.share == 1 else f"{study.phase.share:.0%}"
    return f"{share} of {volume:,.0f} messages a month"


def _chances(low: float, high: float) -> str:
    return f"8 chances in 10: {usd(low)} to {usd(high)}"


def _earned_back(study: MemoStudy, budget: Budget) -> str:
    """What is spent once against what is saved."""
    total, payback = budget.total_saving, budget.payback
    first = "the first month" if budget.months == 1 else f"{budget.months} months"
    once = usd(study.one_off.today_usd)
    if total.p50 >= 0:
        end = f"After {first} {usd(total.p50)} is left ({_chances(total.p10, total.p90)})"
    else:
        end = f"After {first} it is {usd(-total.p50)} short ({_chances(-total.p90, -total.p10)})"
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


def main_risk(study: MemoStudy) -> str:
    """What would hurt most: lost replies, a model that ends, or money that never comes back."""
    risk, budget, effect = study.risk, study.budget, study.effect
    saving = budget.full_saving_per_month.p50 if budget is not None else None
    if risk is not None and effect is not None and risk.worst_usd > max(saving or 0.0, 0.0):
        times = f", {risk.worst_usd / saving:,.3g} times what is saved" if saving and saving > 0 else ""
        return (
            f"Main risk: lost replies. The test does not rule out that {percent(1 - effect.low)} of them are "
            f"lost, worth {usd(risk.worst_usd)} a month{times}. The chance that any are lost is "
            f"{risk.probability_wrong:.0%}."
        )
    if (ending := _ends(study, study.candidate)) is not None:
        return f"Main risk: {ending}."
    if _unpaid(study):
        return "Main risk: what is spent once is not expected to come back."
    if (ending := _ends(study, study.baseline)) is not None:
        return f"Main risk: staying where it is: {ending}."
    if effect is None:
        return f"Main risk: nobody has measured what {_way(study)} does to the replies."
    if risk is None:
        return "Main risk: what a reply is worth is not known, so lost replies have no price."
    return (
        f"Main risk: even at the bad end of the interval lost replies cost {usd(risk.worst_usd)} a month, "
        "no more than what is saved."
    )


def _ends(study: MemoStudy, model: str) -> str | None:
    """That the model ends within a year, or has ended; None: not that anybody has said so."""
    for row in study.ending.rows:
        if row.model == model and row.days_left is not None and row.days_left <= 365:
            when = "has ended" if row.days_left <= 0 else f"ends in {row.days_left:,} days"
            return f"{row.model} {when} at {row.backend}, on {row.ends}"
    return None


def hold_sentence(study: MemoStudy) -> str:
    """What a week of waiting costs."""
    hold = study.hold
    if hold is None:
        return (
            "What a week of waiting costs is not known: it takes the saving, the replies and what a reply is "
            "worth."
        )
    low, middle, high = hold.net
    if middle >= 0:
        told = f"costs {usd(middle)} ({_chances(low, high)})"
    else:
        told = f"is worth {usd(-middle)} ({_chances(-high, -low)})"
    saved, risk = hold.saving_usd, hold.risk_avoided_usd
    parts = [
        f"{usd(saved)} is not saved" if saved >= 0 else f"{usd(-saved)} more is not spent",
        f"replies worth {usd(abs(risk))} are not {'lost' if risk >= 0 else 'won'}",
    ]
    return (
        f"A week of HOLD {told}. On average {' and '.join(parts)}. The chance that waiting costs anything is "
        f"{hold.probability_costs:.0%}."
    )


def rollback_sentence(study: MemoStudy) -> str:
    """When to go back."""
    if study.rollback is None:
        if study.effect is None:
            return "A rollback trigger takes the reply rate of an A/B test that counts; there is none."
        if study.traffic is None:
            return "A rollback trigger takes the traffic, and nobody says how much that is."
        return (
            "No rollback trigger is counted out: with so many replies a day a loss shows at once, or the "
            "gate on the reply ratio asks for what no rate can keep."
        )
    told = study.rollback.sentence()
    return f"With {study.rollback.share:.0%} of the traffic: {told}."


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


def again_sentence(study: MemoStudy) -> str:
    """What makes the same memo from the same results."""
    evidence = study.evidence
    runs = {
        source.report: source.run_id for source in evidence.used if source.run_id and not source.of_example
    }
    told = f" and runs {json.dumps(runs)}" if runs else ""
    return (
        f"To make this memo again, run it with these parameters, as_of {evidence.today}{told}. The table of "
        "results has the sha256 of each result.json."
    )


def evidence_sentence(study: MemoStudy) -> str:
    """Which results the memo rests on, and how it came to them."""
    found = study.evidence
    if not found.used:
        return "No result counts, so every gate is open. The table says why."
    expects = f" Promised of it: {study.phase.expects}." if study.phase.expects else ""
    what = "the same model" if study.same_model else f"{study.candidate} instead of {study.baseline}"
    said = f"Phase {study.phase.name} ({study.phase.title}): {what}.{expects} "
    said += f"{len(found.used)} of {len(found.sources)} reports count, as of {found.today}."
    if found.example:
        said += (
            " This is an example: every report there is ran on the example data of its own notebook, so "
            "results of data/migration stand in for those that say nothing of this decision. With the first "
            "report on data of your own only your reports count."
        )
    if found.accept_stale:
        said += f" Results that are too old count, because: {found.accept_stale}"
    return said


def warnings(study: MemoStudy) -> tuple[str, ...]:
    """What does not stop the memo, and should be known to whoever reads it."""
    found = []
    apart = lengths_apart(study.evidence)
    if apart is not None:
        word, graded, paid = apart
        found.append(
            f"The messages that were graded have {graded:,.0f} tokens {word} on average, those that are paid "
            f"for {paid:,.0f}: quality and money may be about different work."
        )
    if study.evidence.used and study.spent is None:
        found.append(
            "What the reports have spent on calls is not known, and is left out of what is spent once."
        )
    return tuple(found)


def memo_text(study: MemoStudy) -> str:
    """The decision and the gates as plain text, the same on every machine."""
    decided = verdict(study)
    lines = [f"{study.candidate} instead of {study.baseline}, {study.stage}: {decided.decision}"]
    lines += [f"{r.gate.stage:>12}  {r.gate.name:<16} {r.state}" for r in study.results]
    lines += [f"{s.report:>12}  {s.state}" for s in study.evidence.sources]
    return "\n".join(lines)


def _unpaid(study: MemoStudy) -> bool:
    """Whether it is more likely than not that what was spent is not earned back within the horizon."""
    return study.budget is not None and study.budget.payback.within(study.budget.payback.horizon) < 0.5
