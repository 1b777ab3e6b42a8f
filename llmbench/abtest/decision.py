"""From comparisons to one decision, in words that a reader without statistics can act on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmbench.abtest.anytime_plan import ANYTIME_LOOKS
from llmbench.abtest.decision_words import (
    about_units,
    due_words,
    fine_words,
    guardrail_words,
    needed_sentence,
    no_share_words,
    points_words,
    probability_words,
    rates_words,
    share_words,
    undelivered_words,
)
from llmbench.abtest.plan import LEAST_EXPECTED_REPLIES
from llmbench.money import dollars
from llmbench.results import Decision, Verdict

if TYPE_CHECKING:
    from llmbench.abtest.guardrails import Guardrail
    from llmbench.abtest.needed import Needed
    from llmbench.abtest.results import AbResult, Comparison

__all__ = ["SURE", "broken_guardrails", "decide", "decisive"]

SURE = 0.95
"""Probability of a higher net value, over all looks, from which on money is decided."""
_GOOD = ("better", "not worse")


def decisive(result: AbResult) -> Comparison | None:
    """The comparison that the decision is about: of those that are not worse the one most probably worth
    more, one with a broken guardrail last; else of those that cannot be told yet, else the best of the worse
    ones. None of one arm.
    """

    def rank(c: Comparison) -> tuple[float, ...]:
        kind = 2 if c.verdict in _GOOD else 0 if c.verdict == "worse" else 1
        sure = c.net_value.probability_positive if c.net_value else -1.0
        ratio = c.ratio if c.ratio is not None and math.isfinite(c.ratio) else -1.0
        return (kind, -len(broken_guardrails(result, c)), sure, ratio)

    return max(result.comparisons, key=rank, default=None)


def decide(result: AbResult) -> Verdict:
    """Unhealthy split: HOLD. Wholly beyond the margin: NO_GO. Not worse, and net value above zero with a
    probability of .95: GO, or GO_WITH_CONDITIONS where a guardrail is broken; not worse otherwise:
    GO_WITH_CONDITIONS. Anything else: HOLD.
    """
    label = "Simulated data: " if result.counts.simulated else ""
    chosen = decisive(result)
    reasons = _reasons(result, chosen)
    if chosen is None:
        return Verdict(
            Decision.HOLD, f"{label}There is one arm only, so nothing is compared; add an arm.", reasons
        )
    if not result.health.healthy:
        summary = f"Nothing can be concluded, because the split is broken. {result.health.why}"
        return Verdict(Decision.HOLD, label + summary, reasons)
    if chosen.verdict == "worse":
        return Verdict(Decision.NO_GO, label + _worse(result, chosen), reasons)
    if chosen.verdict in _GOOD:
        net = chosen.net_value
        sure = net is not None and net.probability_positive >= SURE
        broken = broken_guardrails(result, chosen)
        decision = Decision.GO if sure and not broken else Decision.GO_WITH_CONDITIONS
        return Verdict(
            decision, label + _good(result, chosen, sure=sure) + _condition(broken, chosen), reasons
        )
    return Verdict(Decision.HOLD, label + _open(result, chosen) + _before(result, chosen), reasons)


def broken_guardrails(result: AbResult, c: Comparison) -> list[Guardrail]:
    """Unwanted events of a treatment whose interval lies wholly beyond their margin."""
    return [each for each in result.guardrails if each.treatment == c.treatment and each.verdict == "broken"]


def _good(result: AbResult, c: Comparison, *, sure: bool) -> str:
    word = "replies are better with" if c.verdict == "better" else "replies are not worse with"
    text = f"{word[0].upper()}{word[1:]} {c.treatment} than with {c.control}: {rates_words(c)}."
    net = c.net_value
    if net is None:
        today = result.money.get(c.treatment)
        if today is not None and today.net_value_per_1000 is not None:
            why = (
                f"it was not known at look {c.look}, which decided; that of today is shown beside it and "
                "does not change the decision"
            )
        elif result.plan.value_per_reply_usd is not None:
            why = "its cost is not known"
        else:
            why = "no value of a reply was given"
        return f"{text} Not worse within the margin, money undecided: {why}."
    if net.estimate < 0:
        brings = f"loses {dollars(-net.estimate)} per 1,000 leads against {c.control}"
    else:
        brings = f"brings {dollars(net.estimate)} more per 1,000 leads than {c.control}"
    if math.isfinite(net.ci.low) and math.isfinite(net.ci.high):
        span = f"{dollars(net.ci.low)} to {dollars(net.ci.high)}"
        span = f"net value {span}" if net.estimate < 0 else span
    else:
        span = "without limits, because no number of leads is planned"
    probability = probability_words(net.probability_positive)
    money = f"{brings} ({span}), and the net value is above zero with {probability} probability"
    if sure:
        return f"{text} It {money}."
    if round(net.probability_positive, 9) <= round(1 - SURE, 9):
        return f"{text} Not worse within the margin, but money speaks against it: it {money}."
    return f"{text} Not worse within the margin, money undecided: it {money}, and {SURE:.0%} are asked for."


def _condition(broken: Sequence[Guardrail], c: Comparison) -> str:
    if not broken:
        return ""
    told = "; ".join(guardrail_words(each, c.control) for each in broken)
    return f" Condition: {told}; that has to be solved before the switch."


def _before(result: AbResult, c: Comparison) -> str:
    broken = broken_guardrails(result, c)
    if not broken:
        return ""
    return f" Before anything more is sent: {'; '.join(guardrail_words(g, c.control) for g in broken)}."


def _worse(result: AbResult, c: Comparison) -> str:
    who = f"{c.treatment} loses more replies than the margin allows"
    if len(result.comparisons) > 1:
        who = f"Every treatment loses more replies than the margin allows; the best, {c.treatment}, has"
        return f"{who} {rates_words(c)}."
    return f"{who}: {rates_words(c)}."


def _open(result: AbResult, c: Comparison) -> str:
    if c.ratio is None and c.difference is None:
        if result.occasion.back:
            return (
                f"{result.occasion.why} No effect is shown of them; give an as_of of a look, or a later one."
            )
        if not result.shows_effect:
            first = "It is too early to read." if not result.looks else "The next look is not due yet."
            return f"{first} {result.occasion.why} No effect is shown until then. {_more(result)}"
        return (
            f"It cannot be told whether {c.treatment} matches {c.control}: there is nothing to compare yet."
        )
    return (
        f"It cannot be told yet whether {c.treatment} matches {c.control}: {rates_words(c)}. {_more(result)}"
    )


def _more(result: AbResult) -> str:
    """What is to be done next; a test that has ended is not gone on with, but made anew."""
    new = result.needed[-1]
    if result.occasion.next_fraction is None:
        if new.units is None:
            return "This test has ended, and no number of leads answers its question."
        days = "" if new.days is None else f", {math.ceil(new.days):,} days at the present rate"
        return (
            f"This test has ended: do not switch on it. A new one takes about {about_units(new.units)} leads "
            f"in equal arms{days}."
        )
    goals = [each for each in result.needed[:-1] if each.units is None or each.more or each.days]
    if not goals:
        return "Run it again on newer data."
    last = _last(goals)
    if last.units is None and not result.pooled_rate:
        return "Keep the test running: with no reply yet it cannot be said how many leads an answer takes."
    if result.plan_is_short and last.goal == "end of the plan":
        return _short_plan(result, last, goals[0]) + _undelivered(result, last)
    text = f"Keep the test running: an answer takes {needed_sentence(last)}."
    if result.plan.stopping_rule == "anytime" and last.units is not None:
        text += f" That is the number of the always-valid test, with {ANYTIME_LOOKS} looks on the way."
    if goals[0].goal == "next look" and len(goals) > 1:
        text += f" The next look is due{due_words(goals[0])}."
    return text + _undelivered(result, last)


def _undelivered(result: AbResult, last: Needed) -> str:
    """What to do where all planned leads are assigned and those never delivered keep the plan from its end.
    Told once no window is open: before that, what was not sent may still be on its way.
    """
    if last.goal != "end of the plan" or not last.units or not last.more:
        return ""
    counts = result.counts
    assigned = sum(each.units for each in counts.assigned)
    mature = sum(each.units for each in counts.arms)
    if not mature or assigned < last.units or sum(row.started for row in counts.days) > mature:
        return ""
    return undelivered_words(assigned, mature, last.more)


def _short_plan(result: AbResult, last: Needed, following: Needed) -> str:
    """A plan that ends before it can be expected to answer says so, and what an answer takes."""
    asked = next(each for each in result.needed if each.goal.startswith("planned power"))
    text = (
        f"The plan ends after {about_units(result.planned_units)} leads ({needed_sentence(last)}), where the "
        f"chance to show that the margin is kept is {share_words(result.planned_power)} if the arms are "
        "equal;"
    )
    if asked.units is None:
        text += f" no number of leads makes it {share_words(result.plan.power)}."
    else:
        leads = about_units(asked.units)
        text += f" to make it {share_words(result.plan.power)} takes about {leads} leads in all."
    if following.goal == "next look":
        text += f" The next look is due{due_words(following)}."
    return text


def _last(goals: Sequence[Needed]) -> Needed:
    """The end of the plan where there is one."""
    return next((each for each in goals if each.goal == "end of the plan"), goals[-1])


def _reasons(result: AbResult, chosen: Comparison | None) -> tuple[str, ...]:
    told = [
        f"{each.treatment}: {each.verdict}; {rates_words(each)}."
        for each in result.comparisons
        if len(result.comparisons) > 1 and each is not chosen and each.difference is not None
    ]
    told += [
        f"Guardrail broken: {guardrail_words(each, result.plan.control)}. Look at this before anything is "
        "sent."
        for each in result.guardrails
        if each.verdict == "broken"
    ]
    if chosen is not None and result.shows_effect and (money := result.money.get(chosen.treatment)):
        told.append(_money_reason(result, chosen, money.saving_per_message, money.economic_margin))
    told += _silent_arms(result)
    told += result.cut_off_notes
    told += [f"Deviation from the plan: {each}" for each in result.deviations]
    told += result.health.warnings
    if result.shows_effect or not result.health.healthy:
        told.append(f"{result.occasion.why} Split: {result.health.why}")
    else:
        told.append(f"Split: {result.health.why}")
    return tuple(told)


def _silent_arms(result: AbResult) -> list[str]:
    """An arm without a reply where the others have many is more often a table that does not match."""
    if not result.shows_effect:
        return []
    rate = result.pooled_rate or 0.0
    return [
        f"Not one of the {each.units:,} leads of {each.arm} replied, where the rate of all arms would bring "
        f"{rate * each.units:,.0f} replies: before acting on it, check that its replies are in the source "
        "under the same ids."
        for each in result.arms
        if each.replies == 0 and rate * each.units >= LEAST_EXPECTED_REPLIES
    ]


def _money_reason(result: AbResult, c: Comparison, saving: float, margin: float | None) -> str:
    cheaper = "cheaper" if saving >= 0 else "dearer"
    text = f"A message of {c.treatment} is {dollars(abs(saving))} {cheaper} than one of {c.control}."
    if margin is None and result.plan.value_per_reply_usd is None:
        return f"{text} With value_per_reply_usd the report says what that is worth in replies."
    if margin is None:
        return f"{text} {no_share_words(result, c.treatment)}"
    value = dollars(result.plan.value_per_reply_usd)
    if c.scale == "ratio":
        limit = f"keeping {fine_words(margin)} of the control's replies"
        beside = f"the statistical margin is {share_words(c.margin)}"
    else:
        limit = f"a difference of {points_words(margin)} points"
        beside = f"the statistical margin is {points_words(c.margin)}"
    return f"{text} At {value} a reply it pays from {limit} on; {beside}."
