"""The sentences of the notebook `migration_memo`: the decision, and what it rests on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmbench.decision import SourceState, decide, same_model
from llmbench.decision.facts import lengths_apart
from llmbench.decision.gates import SHARE_OF_STAGE
from llmbench.numbers import signed_points
from llmbench.reporting.memo_amounts import usd
from llmbench.reporting.memo_money_words import saving_sentence
from llmbench.reporting.wording import percent, span
from llmbench.results import Decision, Verdict

if TYPE_CHECKING:
    from llmbench.reporting.memo_study import MemoStudy

__all__ = [
    "again_sentence",
    "evidence_sentence",
    "main_risk",
    "memo_text",
    "quality_sentence",
    "rollback_sentence",
    "verdict",
    "warnings",
]


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
        return f"{stage} ({SHARE_OF_STAGE[stage]:.0%} of the traffic)"
    return {"offline": "offline tests", "shadow": "shadow traffic", "full": "full traffic"}.get(stage, stage)


def _way(study: MemoStudy) -> str:
    """What would be done, as the subject of a sentence."""
    return f"{study.candidate} the new way" if study.same_model else study.candidate


def quality_sentence(study: MemoStudy) -> str:
    """The difference of the scores against its margin, and of the replies against theirs."""
    found, parts = study.quality, []
    if found is not None:
        change = f"{100 * abs(found.difference):.1f}"
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


def main_risk(study: MemoStudy) -> str:
    """What would hurt most: lost replies, a model that ends, or money that never comes back."""
    risk, budget, effect = study.risk, study.budget, study.effect
    saving = budget.full_saving_per_month.p50 if budget is not None else None
    if risk is not None and effect is not None and risk.worst_usd > max(saving or 0.0, 0.0):
        times = f", {_times(risk.worst_usd / saving)} what is saved" if saving and saving > 0 else ""
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
        test = study.evidence.source("ab_test")
        if test.reason and test.state is not SourceState.MISSING:
            return (
                f"Main risk: what {_way(study)} does to the replies is not known: the ab_test report does "
                f"not count ({test.reason})."
            )
        return f"Main risk: nobody has measured what {_way(study)} does to the replies."
    if risk is None:
        return "Main risk: what a reply is worth is not known, so lost replies have no price."
    return (
        f"Main risk: even at the bad end of the interval lost replies cost {usd(risk.worst_usd)} a month, "
        "no more than what is saved."
    )


def _times(factor: float) -> str:
    """Never in powers of ten, which a director does not read."""
    return f"{factor:,.3g} times" if factor < 1000 else f"{factor:,.0f} times"


def _ends(study: MemoStudy, model: str) -> str | None:
    """That the model ends within a year, or has ended; None: not that anybody has said so."""
    for row in study.ending.rows:
        if row.model == model and row.days_left is not None and row.days_left <= 365:
            when = "has ended" if row.days_left <= 0 else f"ends in {row.days_left:,} days"
            return f"{row.model} {when} at {row.backend}, on {row.ends}"
    return None


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
    rule = study.rollback
    first = next((bound for bound in rule.bounds if bound.at_most is not None), None)
    if first is None:
        return (
            f"Rollback: with {rule.share:.0%} of the traffic no number of replies within {rule.days} days "
            "shows a loss with so few false alarms; it takes more traffic."
        )
    return (
        f"Rollback: with {rule.share:.0%} of the traffic, {first.expected:,.0f} of the first {first.total:,} "
        f"replies (day {first.day}) would be the candidate's if it were as good; take it back if only "
        f"{first.at_most:,} are, and on later days by the table. A candidate that keeps {rule.margin:.0%} of "
        f"the reply rate is taken back by mistake with a chance of at most {rule.alpha:.1%}. One that keeps "
        f"{rule.true_ratio:.0%} is found within {rule.days} days with a chance of "
        f"{rule.detected(rule.true_ratio):.0%}; on average that takes {rule.days_to_detect():,.0f} days of "
        f"traffic, and {rule.reply_window_days:g} more for the replies to come."
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
    what = "the same model" if study.same_model else f"{study.candidate} instead of {study.baseline}"
    said = f"{_phase_words(study, what)} "
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


def _phase_words(study: MemoStudy, what: str) -> str:
    """The phase with its title and promise, which are of its own two models and of no others."""
    phase, names = study.phase, study.evidence.subject.names
    pairs = ((study.baseline, phase.baseline), (study.candidate, phase.candidate))
    if not all(same_model(asked, own, names) for asked, own in pairs):
        return f"By the gates of the phase {phase.name}: {what}."
    expects = f" Promised of it: {phase.expects}." if phase.expects else ""
    return f"Phase {phase.name} ({phase.title}): {what}.{expects}"


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
