"""Money in the notebook `ab_test`: what arms are worth, and what other policies would have been."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmbench.abtest.decision_words import no_share_words
from llmbench.money import dollars
from llmbench.reporting.ab_wording import fine_percent, fine_points, sure_percent
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import estimate, limits, span, whole
from llmbench.unknown import NONE

if TYPE_CHECKING:
    from llmbench.abtest import AbResult, PolicyValue
    from llmbench.abtest.money import NetValue
    from llmbench.stats import Interval

__all__ = [
    "money_sentence",
    "money_table",
    "policy_table",
]


def money_sentence(result: AbResult) -> str:
    """The economic margin beside the statistical one."""
    if not result.shows_effect:
        return "What the replies are worth is shown with the effect, and not before."
    if not result.money:
        return "The cost of an arm is not known, so nothing can be said of money."
    told = [_saving(result, treatment) for treatment in result.money]
    return " ".join([*told, *_over_looks(result)])


def money_table(result: AbResult) -> ReportTable | None:
    """Net value by arm; None without costs, a value per reply, or an effect that may be shown."""
    import pandas as pd

    found: dict[str, NetValue] = {}
    for treatment, money in result.money.items():
        if money.net_value_per_1000 is not None:
            found |= money.arm_net_value_per_1000
            found[f"{treatment} − {result.plan.control}"] = money.net_value_per_1000
    if not found:
        return None
    frame = pd.DataFrame(
        [
            {
                "what": what, "net_value_per_1000": n.estimate, "low": n.ci.low, "high": n.ci.high,
                "probability_positive": n.probability_positive, "look_confidence": n.look_confidence,
            }
            for what, n in found.items()
        ]
    )  # fmt: skip
    shown = pd.DataFrame(
        [
            {
                "arm": what,
                "net value of 1,000 leads": span(n.estimate, *limits(_finite(n.ci)), dollars),
                "interval, were this the only look": _level(n.look_confidence),
                "probability above zero": sure_percent(n.probability_positive),
            }
            for what, n in found.items()
        ]
    )
    if all(n.look_confidence == result.plan.confidence for n in found.values()):
        shown = shown.drop(columns="interval, were this the only look")
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


def policy_table(result: AbResult, values: Sequence[PolicyValue]) -> ReportTable | None:
    """What other policies would have replied and cost; None without any, or before an effect is shown."""
    import pandas as pd

    if not values or not result.shows_effect:
        return None
    rows, shown = [], []
    for v in values:
        found = {each.name: getattr(v, each.name) for each in dataclasses.fields(v)}
        for name in ("rate_ci", "rate_ipw_ci", "cost_per_1000_ci"):
            found[f"{name[:-3]}_low"], found[f"{name[:-3]}_high"] = limits(found.pop(name))
        rows.append(found)
        valued = v.refused is None
        shown.append(
            {
                "policy": v.policy,
                "reply rate, doubly robust": estimate(v.rate, v.rate_ci, fine_percent) if valued else NONE,
                "by weighting alone": estimate(v.rate_ipw, v.rate_ipw_ci, fine_percent) if valued else NONE,
                "$ per 1,000 leads": estimate(v.cost_per_1000, v.cost_per_1000_ci, dollars)
                if valued
                else NONE,
                "worth leads": NONE if v.effective_units is None else whole(v.effective_units),
                "refused, because": v.refused or NONE,
            }
        )
    frame = pd.DataFrame(shown)
    if all(v.refused is None for v in values):
        frame = frame.drop(columns="refused, because")
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:5]))


def _over_looks(result: AbResult) -> list[str]:
    """What the interval of a net value is at this look; nothing where there is one look only."""
    plan = result.plan
    nets = [each.net_value_per_1000 for each in result.money.values()]
    level = next((net.look_confidence for net in nets if net is not None), None)
    if level is None or level == plan.confidence:
        return []
    told = (
        "The interval of the net value and its probability hold over all looks together: "
        f"{plan.confidence:.0%} over all is an interval of {_level(level)} at this one."
    )
    return [told]


def _level(confidence: float | None) -> str:
    """With as many digits as tell it from certainty.

    >>> _level(0.95), _level(0.99696), _level(0.9999853)
    ('95%', '99.70%', '99.999%')
    """
    if confidence is None:
        return NONE
    if confidence > 0.99999:
        return "over 99.999%"
    text = f"{confidence:.3%}" if confidence > 0.9995 else f"{confidence:.2%}"
    return text.replace(".00%", "%")


def _finite(interval: Interval) -> Interval | None:
    return interval if all(map(math.isfinite, interval)) else None


def _saving(result: AbResult, treatment: str) -> str:
    money, plan = result.money[treatment], result.plan
    cheaper = "saves" if money.saving_per_message >= 0 else "costs more by"
    text = (
        f"A message of {treatment} {cheaper} {dollars(abs(money.saving_per_message))} against one of "
        f"{plan.control}, and a lead with all its messages {dollars(abs(money.saving_per_unit))}."
    )
    value = plan.value_per_reply_usd
    if value is None:
        return f"{text} What a reply is worth was not given (value_per_reply_usd), so money is undecided."
    if money.economic_margin is None:
        return f"{text} {no_share_words(result, treatment)}"
    if plan.scale == "ratio":
        text += (
            f" With replies worth {dollars(value)} it pays if it keeps more than "
            f"{fine_percent(money.economic_margin)} of {plan.control}'s reply rate; the statistical margin "
            f"asks for {100 * plan.margin:g}%."
        )
    else:
        text += (
            f" With replies worth {dollars(value)} it pays above a difference of "
            f"{fine_points(money.economic_margin)} points; the statistical margin is "
            f"{fine_points(plan.margin)}."
        )
    if money.economic_margin > plan.margin:
        text += " Money is stricter: what is not worse by the margin may still lose more than it saves."
    return text
