"""What the notebook `ab_test` shows: tables and sentences of an experiment's result.

Numbers come from `llmbench.abtest`; here they are only put into words and columns.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmbench.money import dollars
from llmbench.reporting.matrix_tables import Table
from llmbench.reporting.wording import NONE, UNKNOWN, limits, p_value, percent, span, whole

if TYPE_CHECKING:
    from llmbench.abtest import AbResult, Comparison, PolicyValue
    from llmbench.abtest.money import NetValue
    from llmbench.stats import Interval

__all__ = [
    "arms_table",
    "clusters_sentence",
    "effect_table",
    "excluded_table",
    "fine_percent",
    "first_sentence",
    "guardrail_table",
    "health_sentence",
    "health_table",
    "label",
    "looks_table",
    "match_sentence",
    "money_sentence",
    "money_table",
    "more_arms_table",
    "needed_table",
    "other_table",
    "plan_sentence",
    "plan_text",
    "policy_table",
    "result_text",
    "segment_sentence",
    "segment_table",
    "simulated_sentence",
    "sizes_table",
]

_HIDDEN = "not shown yet"


def plan_text(result: AbResult) -> str:
    """The needed sample sizes, which are printed before anything else."""
    lines = [f"{'margin':<8}{'leads, planned split':>22}{'leads, equal arms':>20}"]
    for margin, units, equal in _sizes(result):
        lines.append(f"{margin:<8g}{_count(units):>22}{_count(equal):>20}")
    return "\n".join(lines)


def result_text(result: AbResult) -> str:
    """A few lines of plain text, the same on every machine."""
    lines = [f"{'arm':<12}{'leads':>9}{'replies':>9}{'rate':>9}{'ratio':>8}  verdict"]
    compared = {each.treatment: each for each in result.comparisons}
    for arm in result.arms:
        found = compared.get(arm.arm)
        ratio = "" if found is None or found.ratio is None else f"{found.ratio:.3f}"
        lines.append(
            f"{arm.arm:<12}{arm.units:>9,}{NONE if arm.replies is None else f'{arm.replies:,}':>9}"
            f"{NONE if arm.rate is None else fine_percent(arm.rate):>9}{ratio:>8}"
            f"  {found.verdict if found else 'control'}"
        )
    return "\n".join([*lines, f"decision: {result.verdict().decision}"])


def simulated_sentence(result: AbResult) -> str | None:
    """What has to stand over every report of data that nobody sent."""
    if not result.counts.simulated:
        return None
    return (
        "These data are simulated: no lead, mail or reply in them is real, and the numbers say nothing of "
        "the "
        "models."
    )


def label(result: AbResult) -> str:
    """The caption of every table of data that nobody sent."""
    return "Simulated data" if result.counts.simulated else ""


def first_sentence(result: AbResult) -> str:
    """What has to be known before the numbers are read."""
    plan = result.plan
    margin = (
        f"keeping at least {100 * plan.margin:g}%"
        if plan.scale == "ratio"
        else f"a margin of {_points(plan.margin)} points"
    )
    _, units, equal = next(row for row in _sizes(result) if row[0] == plan.margin)
    what = f"{margin} of {plan.control}'s reply rate" if plan.scale == "ratio" else margin
    text = (
        f"To show {what} takes {_count(units)} leads at the split of {_split(result)}, and {_count(equal)} "
        "with "
        f"equal arms; {sum(arm.units for arm in result.arms):,} are there."
    )
    if len(result.health.strata) > 1 and result.shows_effect:
        text += (
            " Leads were assigned in several epochs or campaigns: rates are of all leads of an arm, the "
            "comparison "
            "is made within each and is not their quotient."
        )
    simulated = simulated_sentence(result)
    return f"{simulated} {text}" if simulated else text


def health_sentence(result: AbResult) -> str:
    """The split, and whether it may be relied on."""
    found = result.health
    watched = (
        f" Watched day by day, the evidence against it is p = {found.sequential_p:.2g}, which may be "
        "looked at at "
        "any time."
        if found.sequential_p is not None
        else ""
    )
    answer = "Yes." if found.healthy else "No: nothing below can be trusted before it is known why."
    twice = sum(each.rows for each in result.counts.excluded if each.reason == "units in two arms")
    left_out = f" {twice:,} leads are in two arms, and counted in neither." if twice else ""
    return f"{answer} {found.why}{watched}{left_out}"


def plan_sentence(result: AbResult) -> str:
    """Hypothesis, unit, outcome, margin with its reason, and the stopping rule."""
    plan = result.plan
    others = " and ".join(c.treatment for c in result.comparisons) or "the treatment"
    if plan.scale == "ratio":
        margin = f"keeps at least {100 * plan.margin:g}% of {plan.control}'s reply rate"
    else:
        margin = f"loses at most {-100 * plan.margin:g} points of {plan.control}'s reply rate"
    because = plan.margin_reason.rstrip(".")
    reason = f" Why so much may be lost: {because}." if because else " No reason for the margin was given."
    rules = {
        "group-sequential": f"looked at {plan.looks} times at most, at equal steps of information",
        "fixed": "read once, when all planned leads are there",
        "anytime": "looked at as often as one likes",
    }
    return (
        f"Asked is whether {others} {margin}. A lead counts as replied to with at least one human reply "
        "within "
        f"{plan.window_days:g} days of its first delivered message; leads younger than that do not count "
        "yet. "
        f"Leads are counted by the arm that they were assigned to.{reason} The test is "
        f"{rules[plan.stopping_rule]}; it is wrong with at most {100 * plan.alpha:g}% probability when it "
        "says "
        f'"not worse", and meant to find that with {100 * plan.power:g}% if the arms are equal.'
    )


def sizes_table(result: AbResult) -> Table:
    """Leads that margins take, at the planned split and with equal arms."""
    import pandas as pd

    rows = _sizes(result)
    frame = pd.DataFrame(rows, columns=["margin", "units", "units_equal_arms"])
    ratio = result.plan.scale == "ratio"
    shown = pd.DataFrame(
        {
            "margin": [
                (f"keeps {100 * m:g}%" if ratio else f"loses {-100 * m:g} points")
                + (" (this test)" if m == result.plan.margin else "")
                for m, _, _ in rows
            ],
            f"leads at {_split(result)}": [_count(u) for _, u, _ in rows],
            "leads with equal arms": [_count(u) for _, _, u in rows],
        }
    )  # fmt: skip
    return Table(frame, shown, tuple(shown.columns[1:]))


def arms_table(result: AbResult) -> Table:
    """One row an arm: what a reader has to know of it."""
    import pandas as pd

    compared = {each.treatment: each for each in result.comparisons}
    ratio = result.plan.scale == "ratio"
    effect = f"% of {result.plan.control}'s rate" if ratio else f"points above {result.plan.control}"
    rows, shown = [], []
    for arm in result.arms:
        found = compared.get(arm.arm)
        cost = arm.cost
        low, high = limits(arm.rate_ci)
        rows.append(
            {
                "arm": arm.arm, "units": arm.units, "messages": arm.messages, "replies": arm.replies,
                "rate": arm.rate, "rate_low": low, "rate_high": high, "cost_usd": cost.cost_usd,
                "cost_per_message": cost.per_message, "cost_per_reply": cost.per_reply,
                "verdict": found.verdict if found else "control",
            }
        )  # fmt: skip
        shown.append(
            {
                "arm": arm.arm,
                "leads": arm.units,
                "replied": _HIDDEN if arm.replies is None else whole(arm.replies),
                "reply rate": _HIDDEN if arm.rate is None else span(arm.rate, low, high, fine_percent),
                effect: "control" if found is None else _effect(result, found),
                "verdict": found.verdict if found else NONE,
                "$ per message": dollars(cost.per_message),
                "$ per reply": (
                    _HIDDEN if arm.replies is None else _cost_per_reply(cost.per_reply, cost.per_reply_ci)
                ),
            }
        )  # fmt: skip
    frame = pd.DataFrame(shown)
    if not result.shows_effect:
        frame = frame.drop(columns=[effect, "$ per reply"])
    numbers = tuple(c for c in frame.columns if c not in {"arm", "verdict", "leads"})
    return Table(pd.DataFrame(rows), frame, numbers)


def more_arms_table(result: AbResult) -> Table:
    """What the first table has no room for."""
    import pandas as pd

    rows, shown = [], []
    for arm in result.arms:
        share = (
            arm.served_by_other / arm.messages if arm.served_by_other is not None and arm.messages else None
        )
        rows.append(
            {
                "arm": arm.arm, "assigned": arm.assigned, "mature": arm.units, "messages": arm.messages,
                "costed_units": arm.cost.costed_units, "cost_usd": arm.cost.cost_usd,
                "cost_per_unit": arm.cost.per_unit, "served_by_other": arm.served_by_other,
            }
        )  # fmt: skip
        shown.append(
            {
                "arm": arm.arm,
                "assigned": arm.assigned,
                "mature": arm.units,
                "messages": arm.messages,
                "messages a lead": f"{arm.messages / arm.units:.2f}" if arm.units else UNKNOWN,
                "cost": dollars(arm.cost.cost_usd),
                "leads with a known cost": arm.cost.costed_units,
                "$ per lead": dollars(arm.cost.per_unit),
                "written by another model": UNKNOWN if share is None else fine_percent(share),
            }
        )
    return Table(
        pd.DataFrame(rows), pd.DataFrame(shown),
        ("messages a lead", "cost", "$ per lead", "written by another model"),
    )  # fmt: skip


def health_table(result: AbResult) -> Table:
    """Assigned and promised leads, by stratum."""
    import pandas as pd

    rows, shown = [], []
    for stratum in result.health.strata:
        for arm, units in stratum.units.items():
            expected = stratum.expected[arm]
            rows.append(
                {
                    "stratum": stratum.stratum or "all", "arm": arm, "assigned": units,
                    "expected": expected, "p_value": stratum.p_value,
                }
            )  # fmt: skip
            shown.append(
                {
                    "epoch": stratum.stratum or "all",
                    "arm": arm,
                    "assigned": units,
                    "promised by the weights": whole(expected),
                    "difference": f"{units - expected:+,.0f}".replace("-", "−"),
                    "p of the epoch": p_value(stratum.p_value),
                }
            )
    return Table(
        pd.DataFrame(rows), pd.DataFrame(shown), ("promised by the weights", "difference", "p of the epoch")
    )


def effect_table(result: AbResult) -> Table | None:
    """The authoritative comparison; None where no effect is shown."""
    import pandas as pd

    known = [each for each in result.comparisons if each.difference is not None]
    if not known:
        return None
    rows = pd.json_normalize([each.data() for each in known])
    shown = pd.DataFrame(
        [
            {
                "treatment": c.treatment,
                "difference, points": _span(c.difference, c.difference_ci, _points),
                "ratio": _span(c.ratio, c.ratio_ci, _ratio),
                "p, no difference": p_value(c.p_value),
                "p adjusted": p_value(c.p_adjusted),
                "p, margin": p_value(c.margin_p),
                "P(better)": UNKNOWN if c.bayes is None else percent(c.bayes.probability_better),
                "expected loss, points": UNKNOWN if c.bayes is None else f"{100 * c.bayes.expected_loss:.3f}",
                "verdict": c.verdict,
                "method": c.method,
            }
            for c in known
        ]
    )
    numbers = tuple(shown.columns[1:8])
    return Table(rows, shown, numbers)


def other_table(result: AbResult) -> Table | None:
    """Supplementary analyses; None where no effect is shown."""
    import pandas as pd

    if not result.other_analyses:
        return None
    rows, shown = [], []
    for each in result.other_analyses:
        low, high = limits(each.ci)
        rows.append(each._asdict() | {"low": low, "high": high})
        show = _points if each.measure.startswith("difference") else _ratio
        shown.append(
            {
                "treatment": each.treatment,
                "what": f"{each.measure}, points" if show is _points else each.measure,
                "method": each.method,
                "estimate": NONE if each.estimate is None else _span(each.estimate, each.ci, show),
                "p": p_value(each.p_value),
            }
        )
    frame = pd.DataFrame(rows).drop(columns="ci")
    return Table(frame, pd.DataFrame(shown), ("estimate", "p"))


def match_sentence(result: AbResult, c: Comparison) -> str:
    """Does the treatment match the control? For a colleague who knows no statistics."""
    question = f"Does {c.treatment} match {c.control}?"
    if c.verdict == "invalid":
        return f"{question} Nobody can say: the split is broken, and any difference may come from that."
    if c.ratio is None or c.ratio_ci is None:
        return f"{question} Not shown yet: {result.occasion.why}"
    low, high = c.ratio_ci
    rate = next(arm.rate for arm in result.arms if arm.arm == c.control)
    control = 1000 * (rate or math.nan)
    per_thousand = (
        f"Of 1,000 leads that {c.control} would get {control:.0f} replies from, {c.treatment} gets about "
        f"{control * c.ratio:.0f}, and between {control * low:.0f} and {control * high:.0f} are compatible "
        "with what was seen."
    )
    if c.scale == "ratio":
        allowed = f"fewer than {control * c.margin:.1f} would be too few"
    else:
        allowed = f"fewer than {control + 1000 * c.margin:.1f} would be too few"
    answers = {
        "better": f"It does better. {per_thousand}",
        "not worse": (
            f"Yes, within the margin: {allowed}, and so few can be ruled out. {per_thousand} That is not the "
            "same as saying that they are equal."
        ),
        "worse": f"No: {allowed}, and it gets fewer. {per_thousand}",
        "cannot tell": f"It cannot be told yet: {allowed}, and neither too few nor enough can be ruled out. "
        f"{per_thousand}",
    }
    return f"{question} {answers[c.verdict]}"


def clusters_sentence(result: AbResult) -> str:
    """What clusters do to the intervals."""
    if not result.design_effects:
        return (
            "The source names no mailbox or domain (cluster_column), so leads are taken for independent of "
            "each "
            "other. If several leads sit behind one mail server, the intervals are too narrow."
        )
    told = [
        (
            f"{treatment}: leads behind one domain or mailbox reply alike, which multiplies the variance by "
            f"{effect:.2f} ({clusters:,} clusters). The intervals above are wider for it."
            if effect > 1
            else f"{treatment}: {clusters:,} mailboxes or domains, and no sign that leads behind one of them "
            f"reply more alike than others (design effect {effect:.2f}). The intervals are left as they are."
        )
        for treatment, (effect, clusters) in result.design_effects.items()
    ]
    few = min(clusters for _, clusters in result.design_effects.values())
    if few < 40:
        told.append(f"With {few} clusters that number is itself uncertain; 40 or more are wanted.")
    return " ".join(told)


def segment_table(result: AbResult) -> Table | None:
    """Effects by segment; None where there is none to show."""
    import pandas as pd

    if result.segments is None or not result.segments.effects:
        return None
    rows, shown = [], []
    ratio = result.plan.scale == "ratio"
    for e in result.segments.effects:
        found = e._asdict()
        for name in ("ratio_ci", "difference_ci"):
            found[f"{name[:-3]}_low"], found[f"{name[:-3]}_high"] = found.pop(name)
        rows.append(found)
        shown.append(
            {
                "column": e.column,
                "segment": e.segment,
                "treatment": e.treatment,
                "replied / leads": f"{e.replies:,} / {e.units:,}",
                "of the control": f"{e.control_replies:,} / {e.control_units:,}",
                "ratio" if ratio else "difference, points": (
                    _span(e.ratio, e.ratio_ci, _ratio)
                    if ratio
                    else _span(e.difference, e.difference_ci, _points)
                ),
                "p": p_value(e.p_value),
                "p adjusted": p_value(e.p_adjusted),
            }
        )
    frame = pd.DataFrame(shown)
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[3:]))


def segment_sentence(result: AbResult) -> str:
    """Interaction tests, and what is hidden."""
    found = result.segments
    if found is None:
        return "Segments are shown with the effect, and not before."
    if not found.effects and not found.hidden:
        return "The source names no segments (segment_columns)."
    told = [
        f"Whether the effect of {i.treatment} is the same in all {i.segments} segments of {i.column}: "
        + (f"nothing speaks against it (p = {i.p_adjusted:.2g})." if i.p_adjusted >= 0.05 else
           f"probably not (p = {i.p_adjusted:.2g}); a new test in that segment would tell.")
        for i in found.interactions
    ]  # fmt: skip
    if found.hidden:
        told.append(
            f"Not shown, with fewer than {result.plan.min_segment_replies} replies in an arm: "
            + ", ".join(f"{segment} ({column})" for column, segment in found.hidden) + "."
        )  # fmt: skip
    told.append(
        "Segments are looks at parts of the data, not adjusted for the looks at the whole: read them as "
        "hints."
    )
    return " ".join(told)


def guardrail_table(result: AbResult) -> Table | None:
    """Unwanted events; None where the source tells of none."""
    import pandas as pd

    if not result.guardrails:
        return None
    rows, shown = [], []
    for g in result.guardrails:
        low, high = limits(g.ratio_ci)
        rows.append(g._asdict() | {"ratio_low": low, "ratio_high": high})
        shown.append(
            {
                "event": g.guardrail,
                "treatment": g.treatment,
                "leads with it": f"{g.events:,} of {g.units:,}",
                "in the control": f"{g.control_events:,} of {g.control_units:,}",
                "ratio": NONE if g.ratio is None else _span(g.ratio, g.ratio_ci, _ratio),
                "at most": NONE if g.margin is None else f"{g.margin:g}",
                "p": p_value(g.p_value),
                "verdict": g.verdict,
            }
        )
    frame = pd.DataFrame(rows).drop(columns="ratio_ci")
    return Table(frame, pd.DataFrame(shown), ("leads with it", "in the control", "ratio", "at most", "p"))


def needed_table(result: AbResult) -> Table:
    """Leads and days to each goal."""
    import pandas as pd

    rows = pd.DataFrame([each._asdict() for each in result.needed])
    order = " / ".join([*(arm for arm in result.shares if arm != result.plan.control), result.plan.control])
    shown = pd.DataFrame(
        {
            "goal": [each.goal for each in result.needed],
            f"split, % ({order})": [each.split for each in result.needed],
            "mature leads in all": [_count(each.units) for each in result.needed],
            "still to send to": [_count(each.more) for each in result.needed],
            "days": [UNKNOWN if each.days is None else f"{math.ceil(each.days):,}" for each in result.needed],
        }
    )
    return Table(rows, shown, tuple(shown.columns[1:]))


def looks_table(result: AbResult) -> Table | None:
    """When the effect was seen, and what it was; None where it never was."""
    import pandas as pd

    if not result.looks:
        return None
    rows, shown = [], []
    for look in result.looks:
        for c in look.comparisons:
            rows.append(
                {
                    "look": look.number, "cut_off": look.cut_off.isoformat(), "units": look.units,
                    "information": look.information, "treatment": c["treatment"], "ratio": c["ratio"],
                    "ratio_ci": c["ratio_ci"], "verdict": c["verdict"],
                }
            )  # fmt: skip
            low, high = c["ratio_ci"] or (None, None)
            shown.append(
                {
                    "look": str(look.number),
                    "data up to": f"{look.cut_off:%Y-%m-%d}",
                    "leads": look.units,
                    "information": f"{look.information:.0%}",
                    "treatment": c["treatment"],
                    "ratio": UNKNOWN if c["ratio"] is None else span(c["ratio"], low, high, _ratio),
                    "verdict": c["verdict"],
                }
            )
    return Table(pd.DataFrame(rows), pd.DataFrame(shown), ("information", "ratio"))


def money_sentence(result: AbResult) -> str:
    """The economic margin beside the statistical one."""
    if not result.shows_effect:
        return "What the replies are worth is shown with the effect, and not before."
    if not result.money:
        return "The cost of an arm is not known, so nothing can be said of money."
    return " ".join(_saving(result, treatment) for treatment in result.money)


def money_table(result: AbResult) -> Table | None:
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
                "probability_positive": n.probability_positive,
            }
            for what, n in found.items()
        ]
    )  # fmt: skip
    shown = pd.DataFrame(
        [
            {
                "arm": what,
                "net value of 1,000 leads": span(n.estimate, n.ci.low, n.ci.high, dollars),
                "probability above zero": f"{n.probability_positive:.1%}",
            }
            for what, n in found.items()
        ]
    )
    return Table(frame, shown, ("net value of 1,000 leads", "probability above zero"))


def policy_table(result: AbResult, values: Sequence[PolicyValue]) -> Table | None:
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
                "reply rate, doubly robust": _span(v.rate, v.rate_ci, fine_percent) if valued else NONE,
                "by weighting alone": _span(v.rate_ipw, v.rate_ipw_ci, fine_percent) if valued else NONE,
                "$ per 1,000 leads": _span(v.cost_per_1000, v.cost_per_1000_ci, dollars) if valued else NONE,
                "worth leads": NONE if v.effective_units is None else whole(v.effective_units),
                "refused, because": v.refused or NONE,
            }
        )
    frame = pd.DataFrame(shown)
    if all(v.refused is None for v in values):
        frame = frame.drop(columns="refused, because")
    return Table(pd.DataFrame(rows), frame, tuple(frame.columns[1:5]))


def excluded_table(result: AbResult) -> Table | None:
    """Rows that are in no count, and why; None where all are."""
    import pandas as pd

    if not result.counts.excluded:
        return None
    frame = pd.DataFrame([each._asdict() for each in result.counts.excluded])
    return Table(frame, frame)


def fine_percent(share: float) -> str:
    """A reply rate: two digits after the point."""
    return f"{100 * share:.2f}%"


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
        return text
    if plan.scale == "ratio":
        text += (
            f" With replies worth {dollars(value)} it pays if it keeps more than "
            f"{fine_percent(money.economic_margin)} of {plan.control}'s reply rate; the statistical margin "
            "asks for "
            f"{100 * plan.margin:g}%."
        )
    else:
        text += (
            f" With replies worth {dollars(value)} it pays above a difference of "
            f"{_points(money.economic_margin)} points; the statistical margin is {_points(plan.margin)}."
        )
    if money.economic_margin > plan.margin:
        text += " Money is stricter: what is not worse by the margin may still lose more than it saves."
    return text


def _sizes(result: AbResult) -> list[tuple[float, float, float]]:
    """Margin, leads at the planned split and with equal arms: of the usual margins and the test's own."""
    from llmbench.abtest import planned_units

    plan = result.plan
    rate = result.planning_rate or 0.0
    usual = {0.8, 0.9, 0.95} if plan.scale == "ratio" else {plan.margin / 2, plan.margin * 2}
    equal = dict.fromkeys(result.shares, 1.0)
    return [
        (
            margin,
            planned_units(dataclasses.replace(plan, margin=margin), rate, result.shares),
            planned_units(dataclasses.replace(plan, margin=margin), rate, equal),
        )
        for margin in sorted({*usual, plan.margin})
    ]


def _split(result: AbResult) -> str:
    order = [arm for arm in result.shares if arm != result.plan.control] + [result.plan.control]
    return " / ".join(f"{100 * result.shares[arm]:.3g}" for arm in order)


def _effect(result: AbResult, c: Comparison) -> str:
    if c.verdict == "invalid" or c.difference is None:
        return _HIDDEN
    if result.plan.scale == "ratio":
        return _span(c.ratio, c.ratio_ci, percent)
    return _span(c.difference, c.difference_ci, _points)


def _cost_per_reply(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return UNKNOWN
    if interval is None:
        return dollars(value)
    if math.isinf(interval.high) or interval.low < 0:
        return f"{dollars(value)} (no upper limit)"
    return span(value, *interval, dollars)


def _span(value: float | None, interval: Interval | None, show: Any) -> str:
    low, high = limits(interval)
    return span(value, low, high, show)


def _ratio(value: float) -> str:
    return "without limit" if math.isinf(value) else f"{value:.3f}" if value < 10 else f"{value:,.0f}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")


def _count(value: float | None) -> str:
    return UNKNOWN if value is None or not math.isfinite(value) else whole(math.ceil(value))
