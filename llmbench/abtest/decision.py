"""From comparisons to one decision, in words that a reader without statistics can act on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmbench.abtest.anytime_plan import ANYTIME_LOOKS
from llmbench.money import dollars
from llmbench.results import Decision, Verdict

if TYPE_CHECKING:
    from llmbench.abtest.needed import Needed
    from llmbench.abtest.results import AbResult, Comparison

__all__ = ["SURE", "decide", "decisive", "needed_sentence"]

SURE = 0.95
"""Probability of a higher net value from which on money is decided."""
_GOOD = ("better", "not worse")


def decisive(result: AbResult) -> Comparison | None:
    """The comparison that the decision is about: of those that are not worse the one most probably worth
    more, else of those that cannot be told yet, else the best of the worse ones. None of one arm.
    """

    def rank(c: Comparison) -> tuple[float, ...]:
        kind = 2 if c.verdict in _GOOD else 0 if c.verdict == "worse" else 1
        sure = c.net_value.probability_positive if c.net_value else -1.0
        ratio = c.ratio if c.ratio is not None and math.isfinite(c.ratio) else -1.0
        return (kind, sure, ratio)

    return max(result.comparisons, key=rank, default=None)


def decide(result: AbResult) -> Verdict:
    """Unhealthy split: HOLD. Wholly beyond the margin: NO_GO. Not worse, and net value above zero with a
    probability of .95: GO; not worse otherwise: GO_WITH_CONDITIONS. Anything else: HOLD.
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
        decision = Decision.GO if sure else Decision.GO_WITH_CONDITIONS
        return Verdict(decision, label + _good(result, chosen, sure=sure), reasons)
    return Verdict(Decision.HOLD, label + _open(result, chosen), reasons)


def needed_sentence(needed: Needed) -> str:
    """Units and days in words.

    >>> from llmbench.abtest.needed import Needed
    >>> needed_sentence(Needed("end of the plan", "90 / 10", 250_000, 196_400, 78.2))
    'about 197,000 more leads, 79 days at the present rate with the reply window'
    """
    if needed.units is None:
        return "no number of leads"
    if needed.days is None:
        return f"about {_about(needed.more or 0)} more leads"
    days = f"{math.ceil(needed.days):,} day{'' if math.ceil(needed.days) == 1 else 's'}"
    if not needed.more:
        return f"no more leads; those sent to are mature in {days}"
    return f"about {_about(needed.more)} more leads, {days} at the present rate with the reply window"


def _good(result: AbResult, c: Comparison, *, sure: bool) -> str:
    word = "replies are better with" if c.verdict == "better" else "replies are not worse with"
    text = f"{word[0].upper()}{word[1:]} {c.treatment} than with {c.control}: {_rates(c)}."
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
    span = f"net value {dollars(net.ci.low)} to {dollars(net.ci.high)}" if net.estimate < 0 else (
        f"{dollars(net.ci.low)} to {dollars(net.ci.high)}"
    )  # fmt: skip
    money = (
        f"{brings} ({span}), and the net value is above zero with {_probability(net.probability_positive)} "
        "probability"
    )
    if sure:
        return f"{text} It {money}."
    if round(net.probability_positive, 9) <= round(1 - SURE, 9):
        return f"{text} Not worse within the margin, but money speaks against it: it {money}."
    return f"{text} Not worse within the margin, money undecided: it {money}, and {SURE:.0%} are asked for."


def _worse(result: AbResult, c: Comparison) -> str:
    who = f"{c.treatment} loses more replies than the margin allows"
    if len(result.comparisons) > 1:
        who = f"Every treatment loses more replies than the margin allows; the best, {c.treatment}, has"
        return f"{who} {_rates(c)}."
    return f"{who}: {_rates(c)}."


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
    return f"It cannot be told yet whether {c.treatment} matches {c.control}: {_rates(c)}. {_more(result)}"


def _more(result: AbResult) -> str:
    """What is to be done next; a test that has ended is not gone on with, but made anew."""
    new = result.needed[-1]
    if result.occasion.next_fraction is None:
        if new.units is None:
            return "This test has ended, and no number of leads answers its question."
        days = "" if new.days is None else f", {math.ceil(new.days):,} days at the present rate"
        return (
            f"This test has ended: do not switch on it. A new one takes about {_about(new.units)} leads in "
            "equal "
            f"arms{days}."
        )
    goals = [each for each in result.needed[:-1] if each.units is None or each.more or each.days]
    if not goals:
        return "Run it again on newer data."
    text = f"Keep the test running: an answer takes {needed_sentence(_last(goals))}."
    if result.plan.stopping_rule == "anytime":
        text += f" That is the number of the always-valid test, with {ANYTIME_LOOKS} looks on the way."
    if goals[0].goal == "next look" and len(goals) > 1:
        text += f" The next look is due{_due(goals[0])}."
    return text


def _due(needed: Needed) -> str:
    """When and after how many leads a look is due.

    >>> from llmbench.abtest.needed import Needed
    >>> _due(Needed("next look", "90 / 10", 125_700, 50_700, 61.2))
    ' in 62 days, 50,700 leads from now'
    """
    days = "" if needed.days is None else f" in {math.ceil(needed.days):,} days"
    leads = f"{_about(needed.more)} leads from now" if needed.more else "when those sent to are mature"
    return f"{days}, {leads}" if days else f" {leads}"


def _last(goals: Sequence[Needed]) -> Needed:
    """The end of the plan where there is one."""
    return next((each for each in goals if each.goal == "end of the plan"), goals[-1])


def _rates(c: Comparison) -> str:
    """The effect and the margin on the plan's scale."""
    if c.scale == "difference":
        told = f"difference {_points(c.difference)}"
        if c.difference_ci is not None:
            told += f" (interval {_points(c.difference_ci.low)} to {_points(c.difference_ci.high)})"
        return f"{told} points, margin {_points(c.margin)}"
    if c.ratio is None and c.difference is not None:
        return (
            f"its reply rate is {_points(c.difference)} points from that of {c.control}, which got no "
            "reply, so "
            f"that there is no ratio; at least {_share(c.margin)} must be kept"
        )
    told = f"its reply rate is {_share(c.ratio)} of {c.control}'s"
    if c.ratio_ci is not None:
        told += f" (interval {_share(c.ratio_ci.low)} to {_share(c.ratio_ci.high)})"
    return f"{told}, and at least {_share(c.margin)} must be kept"


def _reasons(result: AbResult, chosen: Comparison | None) -> tuple[str, ...]:
    told = [
        f"{each.treatment}: {each.verdict}; {_rates(each)}."
        for each in result.comparisons
        if len(result.comparisons) > 1 and each is not chosen and each.difference is not None
    ]
    told += [
        f"Guardrail broken: {each.guardrail} with {each.treatment} are {_share(each.ratio)} of the "
        "control's, and at "
        f"most {_share(each.margin)} are allowed. Look at this before anything is sent."
        for each in result.guardrails
        if each.verdict == "broken"
    ]
    if chosen is not None and result.shows_effect and (money := result.money.get(chosen.treatment)):
        told.append(_money_reason(result, chosen, money.saving_per_message, money.economic_margin))
    told += result.cut_off_notes
    told += [f"Deviation from the plan: {each}" for each in result.deviations]
    told += result.health.warnings
    if result.shows_effect or not result.health.healthy:
        told.append(f"{result.occasion.why} Split: {result.health.why}")
    else:
        told.append(f"Split: {result.health.why}")
    return tuple(told)


def _money_reason(result: AbResult, c: Comparison, saving: float, margin: float | None) -> str:
    cheaper = "cheaper" if saving >= 0 else "dearer"
    text = f"A message of {c.treatment} is {dollars(abs(saving))} {cheaper} than one of {c.control}."
    if margin is None:
        return f"{text} With value_per_reply_usd the report says what that is worth in replies."
    value = dollars(result.plan.value_per_reply_usd)
    if c.scale == "ratio":
        limit = f"keeping {_fine(margin)} of the control's replies"
        beside = f"the statistical margin is {_share(c.margin)}"
    else:
        limit = f"a difference of {_points(margin)} points"
        beside = f"the statistical margin is {_points(c.margin)}"
    return f"{text} At {value} a reply it pays from {limit} on; {beside}."


def _probability(share: float) -> str:
    """Never certain: so many draws cannot tell."""
    if share > 0.999:
        return "more than 99.9%"
    return "less than 0.1%" if share < 0.001 else f"{share:.1%}"


def _share(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "unknown"
    return (
        "without limit"
        if math.isinf(value)
        else f"{100 * value:.3g}%"
        if value < 10
        else f"{100 * value:,.0f}%"
    )


def _fine(value: float) -> str:
    return f"{100 * value:.2f}%"


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:+.2f}".replace("-", "−")


def _about(units: float) -> str:
    """Three digits, since more would be invented.

    >>> _about(196_412), _about(87.2)
    ('197,000', '88')
    """
    if units < 1000:
        return f"{math.ceil(units):,}"
    unit = 10 ** (math.floor(math.log10(units)) - 2)
    return f"{math.ceil(units / unit) * unit:,}"
