"""The sentences of the notebook `migration_memo`: the decision, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.decision import decide
from llmbench.decision.facts import lengths_apart
from llmbench.money import dollars
from llmbench.reporting.wording import percent, signed_points, span
from llmbench.results import Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmbench.decision import EndingModel, Spread
    from llmbench.reporting.memo_study import MemoStudy

__all__ = [
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
    decided = decide(study.decided, stage=study.stage, candidate=study.candidate)
    decision, summary = decided.decision, decided.summary
    if decision is Decision.GO and _unpaid(study):
        decision = Decision.GO_WITH_CONDITIONS
        summary = f"{summary} What it costs once is not expected to be earned back."
    if decision in {Decision.HOLD, Decision.NO_GO} and study.open_stage is not None:
        summary = f"{summary} It can go to {study.open_stage}: those gates are passed."
    if study.evidence.simulated:
        summary = f"Simulated data: {summary}"
    reasons = [quality_sentence(study), saving_sentence(study), main_risk(study)]
    stale = study.evidence.accept_stale
    if stale and any(result.accepted_stale for result in study.decided):
        reasons.append(f"Results that are too old count, because: {stale}")
    return Verdict(decision, summary, reasons)


def quality_sentence(study: MemoStudy) -> str:
    """The difference of the scores against its margin, and of the replies against theirs."""
    found, parts = study.quality, []
    if found is None:
        parts.append(
            f"Quality: no comparison of {study.candidate} with {study.baseline} on the same items counts"
        )
    else:
        change = span(found.difference, found.low, found.high, signed_points)
        margin = "" if found.margin is None else f", and {100 * found.margin:g} may be lost"
        parts.append(f"Quality: {change} points on {found.n or 0:,} items{margin}")
    if study.effect is not None:
        kept = span(study.effect.value, study.effect.low, study.effect.high, percent)
        gate = next((r.gate for r in study.decided[::-1] if r.gate.metric.name == "reply_ratio"), None)
        asked = "" if gate is None else f", and {percent(gate.threshold)} must be kept"
        parts.append(f"it keeps {kept} of the replies{asked}")
    return f"{'; '.join(parts)}."


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
            name
            for name, price in zip(names, study.prices or (), strict=False)
            if price.usd_per_message is None and price.usd_per_month is None
        ]
        return f"Money: no price of {' and '.join(lacking)} is known, so nothing is said of what is saved."
    budget, volume = study.budget, study.traffic.messages_per_month
    month = usd_range(budget.full_saving_per_month)
    stated, horizon = budget.payback.stated, budget.payback.horizon
    paid = f"by month {stated}" if stated else "at once" if stated == 0 else f"later than in {horizon} months"
    return (
        f"Saving: {month} a month once all of {volume:,.0f} messages have moved. With what is spent once, "
        f"the first {budget.months} months {_saved(budget.total_saving)}. "
        f"As stated it is earned back {paid}; within {horizon} months in "
        f"{budget.payback.within(horizon):.0%} of the draws."
    )


def _saved(total: Spread) -> str:
    if total.p50 >= 0:
        return f"save {usd_range(total)}"
    return f"cost {usd(-total.p50)} more than they save ({usd(-total.p90)} to {usd(-total.p10)})"


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
    risk, budget = study.risk, study.budget
    saving = budget.full_saving_per_month.p50 if budget is not None else None
    if risk is not None and (saving is None or risk.worst_usd > saving):
        times = f", {risk.worst_usd / saving:,.0f} times what is saved" if saving and saving > 0 else ""
        return (
            f"Main risk: lost replies. At the bad end of the interval they cost {usd(risk.worst_usd)} a month"
            f"{times}; the chance that replies are lost at all is {risk.probability_wrong:.0%}."
        )
    ends = [row for row in study.ending.rows if row.days_left is not None and row.days_left <= 365]
    if ends:
        row = min(ends, key=lambda each: each.days_left or 0)
        when = "has ended" if (row.days_left or 0) <= 0 else f"ends in {row.days_left:,} days"
        return f"Main risk: {row.model} {when} at {row.backend}, on {row.ends}."
    if _unpaid(study):
        return "Main risk: what is spent once is not expected to come back."
    if study.effect is None:
        return f"Main risk: nobody has measured what {study.candidate} does to the replies."
    if risk is None:
        return "Main risk: what a reply is worth is not known, so lost replies have no price."
    return (
        f"Main risk: even at the bad end of the interval lost replies cost {usd(risk.worst_usd)} a month, "
        "less than what is saved."
    )


def hold_sentence(study: MemoStudy) -> str:
    """What a week of waiting costs."""
    hold = study.hold
    if hold is None:
        return (
            "What a week of waiting costs is not known: it takes the saving, the replies and what a reply is "
            "worth."
        )
    return (
        f"A week of HOLD costs {usd_range(hold.net)}: {usd(hold.saving_usd)} are not saved, and the "
        "candidate's replies, more or fewer, are not had. "
        f"It is a cost in {hold.probability_costs:.0%} of the draws."
    )


def rollback_sentence(study: MemoStudy) -> str:
    """When to go back."""
    if study.rollback is None:
        return (
            "A rollback trigger takes the reply rate of the baseline and the traffic: an A/B test or a "
            "break_even report is lacking."
        )
    told = study.rollback.sentence()
    return f"With {study.rollback.share:.0%} of the traffic: {told}."


def evidence_sentence(study: MemoStudy) -> str:
    """Which results the memo rests on, and how it came to them."""
    found = study.evidence
    if not found.used:
        return "No result counts, so every gate is open. The table says why."
    expects = f" Somebody expects of it: {study.phase.expects}." if study.phase.expects else ""
    said = (
        f"Phase {study.phase.name}, {study.phase.title[0].lower()}{study.phase.title[1:]}: {study.candidate} "
        f"instead of {study.baseline}.{expects} "
    )
    said += f"{len(found.used)} of {len(found.sources)} results count, as of {found.today}."
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
