"""Rates, leads, money and events in the words of a decision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.money import dollars
from llmbench.numbers import signed_points
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    from llmbench.abtest.guardrails import Guardrail
    from llmbench.abtest.needed import Needed
    from llmbench.abtest.results import AbResult, Comparison

__all__ = [
    "about_units",
    "due_words",
    "fine_words",
    "guardrail_words",
    "needed_sentence",
    "no_share_words",
    "points_words",
    "probability_words",
    "rates_words",
    "share_words",
    "undelivered_words",
]


def needed_sentence(needed: Needed) -> str:
    """Units and days in words.

    >>> from llmbench.abtest.needed import Needed
    >>> needed_sentence(Needed("end of the plan", "90 / 10", 250_000, 196_400, 78.2))
    'about 197,000 more leads, 79 days at the present rate with the reply window'
    """
    if needed.units is None:
        return "no number of leads"
    if needed.days is None:
        return f"about {about_units(needed.more or 0)} more leads"
    days = f"{math.ceil(needed.days):,} day{'' if math.ceil(needed.days) == 1 else 's'}"
    if not needed.more:
        return f"no more leads; those sent to are mature in {days}"
    return f"about {about_units(needed.more)} more leads, {days} at the present rate with the reply window"


def due_words(needed: Needed) -> str:
    """When and after how many leads a look is due.

    >>> from llmbench.abtest.needed import Needed
    >>> due_words(Needed("next look", "90 / 10", 125_700, 50_700, 61.2))
    ' in 62 days, 50,700 leads from now'
    """
    days = "" if needed.days is None else f" in {math.ceil(needed.days):,} days"
    leads = f"{about_units(needed.more)} leads from now" if needed.more else "when those sent to are mature"
    return f"{days}, {leads}" if days else f" {leads}"


def guardrail_words(g: Guardrail, control: str) -> str:
    """How far beyond its margin an unwanted event is."""
    if g.ratio is None:
        return (
            f"there are {g.events:,} leads with {g.guardrail} with {g.treatment} and none with {control}, "
            f"and at most {share_words(g.margin)} of {control}'s are allowed"
        )
    return (
        f"{g.guardrail} with {g.treatment} are {share_words(g.ratio)} of {control}'s, and at most "
        f"{share_words(g.margin)} are allowed"
    )


def rates_words(c: Comparison) -> str:
    """The effect and the margin on the plan's scale."""
    if c.scale == "difference":
        told = f"difference {points_words(c.difference)}"
        if c.difference_ci is not None:
            told += f" (interval {points_words(c.difference_ci.low)} to {points_words(c.difference_ci.high)})"
        return f"{told} points, margin {points_words(c.margin)}"
    if c.ratio is None and c.difference is not None:
        return (
            f"its reply rate is {points_words(c.difference)} points from that of {c.control}, which got no "
            "reply, so "
            f"that there is no ratio; at least {share_words(c.margin)} must be kept"
        )
    told = f"its reply rate is {share_words(c.ratio)} of {c.control}'s"
    if c.ratio_ci is not None:
        told += f" (interval {share_words(c.ratio_ci.low)} to {share_words(c.ratio_ci.high)})"
    return f"{told}, and at least {share_words(c.margin)} must be kept"


def probability_words(share: float) -> str:
    """Never certain: so many draws cannot tell."""
    if share > 0.999:
        return "more than 99.9%"
    return "less than 0.1%" if share < 0.001 else f"{share:.1%}"


def share_words(value: float | None) -> str:
    """A ratio in percent, to three digits."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return (
        "without limit"
        if math.isinf(value)
        else f"{100 * value:.3g}%"
        if value < 10
        else f"{100 * value:,.0f}%"
    )


def fine_words(value: float) -> str:
    """A ratio in percent, to a hundredth."""
    return f"{100 * value:.2f}%"


def no_share_words(result: AbResult, treatment: str) -> str:
    """From where on it pays, where the control got no reply that others could be a share of."""
    value, saving = result.plan.value_per_reply_usd, result.money[treatment].saving_per_unit
    if not value:
        return ""
    control = result.plan.control
    than = f"{1000 * abs(saving) / value:.2g} {'fewer' if saving >= 0 else 'more'} replies per 1,000 leads"
    return (
        f"{control} got no reply, so there is no share of its replies to keep; at {dollars(value)} a reply "
        f"{treatment} pays {'down to' if saving >= 0 else 'from'} {than} than {control}."
    )


def points_words(value: float | None) -> str:
    """A difference of rates in points, with its sign."""
    return UNKNOWN if value is None else signed_points(value, 2)


def about_units(units: float) -> str:
    """Three digits, since more would be invented.

    >>> about_units(196_412), about_units(87.2)
    ('197,000', '88')
    """
    if units < 1000:
        return f"{math.ceil(units):,}"
    unit = 10 ** (math.floor(math.log10(units)) - 2)
    return f"{math.ceil(units / unit) * unit:,}"


def undelivered_words(assigned: int, delivered: int, more: float) -> str:
    """How many leads to assign so that `more` are delivered, at the share that was.

    >>> undelivered_words(3000, 2910, 90)[-73:]
    'assign about 93 more, since at that share so many bring the 90 that lack.'
    """
    lost, asked = assigned - delivered, about_units(more * assigned / delivered)
    return (
        f" {lost:,} of the {assigned:,} leads assigned ({lost / assigned:.1%}) have no delivered message, "
        "and only leads with one count: waiting alone does not end the plan. If they stay undelivered, "
        f"assign about {asked} more, since at that share so many bring the {about_units(more)} that lack."
    )
