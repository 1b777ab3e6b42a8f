"""The tables of the notebook `break_even`. Numbers come from `llmbench.economics`; here they get columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmbench.economics import BreakEvenStudy, ClaimAudit, accepted_costs, levers
from llmbench.economics.claims import number_text
from llmbench.economics.scenarios import Scenario
from llmbench.reporting.break_even_inputs import Question
from llmbench.reporting.break_even_words import each_text, usd_text, volume_text
from llmbench.reporting.report_table import ReportTable
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.economics import HostingOption

__all__ = [
    "accepted_table",
    "break_even_table",
    "claim_table",
    "decision_table",
    "decision_text",
    "lever_table",
    "scenario_table",
]


def decision_table(question: Question) -> ReportTable:
    """Each API beside the cheapest machines: what both cost, how sure that is, and from where on it turns."""
    import pandas as pd

    study = question.study
    month = study.best[1]
    rows, shown = [], []
    for name in study.cheapest_first:
        line, pays = study.line(name), study.pays[name]
        bill = study.usd_per_month(name)
        chance = study.probability(name)
        ended = line.ended(question.today)
        rows.append(
            {
                "against": name,
                "api_usd_per_message": line.usd_per_message,
                "api_usd_per_month": bill,
                "self_hosting_usd_per_month": month.usd,
                "difference_usd": bill - month.usd,
                "probability_cheaper": chance,
                "pays_from_messages": pays.messages_per_month,
                "pays_on": pays.option.name if pays.option else None,
                "api_ended": line.shutdown_date if ended else None,
            }
        )
        shown.append(
            {
                "against": f"{name}, its own API" if name == study.model else name,
                "API, a month": usd_text(bill),
                "own machines": usd_text(month.usd),
                "self-hosting": f"saves {usd_text(bill - month.usd)}"
                if bill > month.usd
                else f"loses {usd_text(month.usd - bill)}",
                "chance that it saves": f"{chance:.0%}",
                "pays from, messages a month": volume_text(pays.messages_per_month),
                "then on": pays.option.replica if pays.option else NONE,
                "the API": f"ended {line.shutdown_date}" if ended else "sold",
            }
        )
    frame = pd.DataFrame(shown)
    numbers = (
        "API, a month",
        "own machines",
        "self-hosting",
        "chance that it saves",
        "pays from, messages a month",
    )
    return ReportTable(pd.DataFrame(rows), frame, numbers)


def decision_text(study: BreakEvenStudy) -> str:
    """A few lines of plain text, the same on every machine."""
    option, month = study.best
    load = study.load
    lines = [
        f"{load.messages_per_month:,.0f} messages a month",
        f"{study.model} on {month.replicas} x {option.hardware}: ${month.usd:,.2f}",
        f"{'against':<18}{'USD/month':>12}{'pays from':>16}",
    ]
    for name in study.cheapest_first:
        bill = study.usd_per_month(name)
        lines.append(f"{name:<18}{bill:>12,.2f}{volume_text(study.pays[name].messages_per_month):>16}")
    return "\n".join(lines)


def break_even_table(study: BreakEvenStudy) -> ReportTable:
    """For each API the machine that gets below it first: the volume, whether one replica carries it, and how
    busy it would have to be.
    """
    import pandas as pd

    rows, shown = [], []
    for name in study.cheapest_first:
        for option in study.working:
            found = study.break_even(option, name)
            rows.append(
                {
                    "against": name,
                    "option": option.name,
                    "messages_per_month": found.messages_per_month,
                    "below_capacity": found.below_capacity,
                    "pays_from": found.pays_from,
                    "capacity_per_month": found.capacity_per_month,
                    "utilisation_needed": found.utilisation,
                    "utilisation_achievable": found.achievable_utilisation,
                    "crossings": [each._asdict() for each in found.crossings[:20]],
                }
            )
        pays = study.pays[name]
        option = pays.option or study.best[0]
        found = study.break_even(option, name)
        shown.append(
            {
                "against": name,
                "machine": option.replica,
                "one replica's cost is met at": volume_text(found.messages_per_month),
                "it carries": volume_text(found.capacity_per_month),
                "below capacity": "yes" if found.below_capacity else "none below capacity",
                "busy it must be": NONE if found.utilisation is None else f"{found.utilisation:.0%}",
                "busy it can be": f"{found.achievable_utilisation:.0%}",
                "changes sides at": _crossings(study, option, name),
            }
        )
    numbers = ("one replica's cost is met at", "it carries", "busy it must be", "busy it can be")
    return ReportTable(pd.DataFrame(rows), pd.DataFrame(shown), numbers)


def _crossings(study: BreakEvenStudy, option: HostingOption, against: str) -> str:
    found = study.break_even(option, against).crossings
    if not found:
        return "never: a full replica costs more than what it saves"
    told = [
        f"{volume_text(each.messages_per_month)} ({'own' if each.cheaper == 'self-hosting' else 'API'})"
        for each in found[:5]
    ]
    return ", ".join(told) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def lever_table(study: BreakEvenStudy, against: str) -> ReportTable:
    """What would have to change, each number alone."""
    import pandas as pd

    found = levers(
        study.best[0],
        study.load,
        study.costs,
        study.usd_per_message(against),
        fallback_usd_per_message=study.fallback_usd,
    )
    # At another volume another machine may be the first to get there.
    found[0] = found[0]._replace(needed=study.pays[against].messages_per_month)
    shown = [
        {
            "what": lever.what,
            "now": _lever_text(lever.now, lever.unit),
            "would have to be": "no value is enough"
            if lever.needed is None
            else _lever_text(lever.needed, lever.unit),
            "times": NONE if not lever.needed or not lever.now else f"{lever.needed / lever.now:.3g}x",
        }
        for lever in found
    ]
    frame = pd.DataFrame([{"against": against, **lever._asdict()} for lever in found])
    return ReportTable(frame, pd.DataFrame(shown), ("now", "would have to be", "times"))


def _lever_text(value: float, unit: str) -> str:
    if unit == "USD":
        return each_text(value)
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def scenario_table(found: list[Scenario]) -> ReportTable:
    """Every way to have it answered, cheapest first."""
    import pandas as pd

    shown = [
        {
            "way": each.name,
            "USD/month": usd_text(each.usd_per_month),
            "with": each.how or NONE,
            "for": "messages that can wait" if each.waits else "all",
        }
        for each in found
    ]
    return ReportTable(pd.DataFrame([each._asdict() for each in found]), pd.DataFrame(shown), ("USD/month",))


def accepted_table(study: BreakEvenStudy, accepted: Mapping[str, float]) -> ReportTable | None:
    """Cost per good answer of each API and of one's own machines; None where nothing was evaluated."""
    import pandas as pd

    own = f"{study.model}, own machines"
    usd = {name: study.usd_per_message(name) for name in study.cheapest_first}
    usd[own] = study.own_usd_per_message
    shares = {name: accepted[name] for name in usd if name in accepted}
    if study.model in accepted:
        shares[own] = accepted[study.model]
    if not shares:
        return None
    best = max((name for name in shares if name != own), key=lambda name: shares[name], default=None)
    found = accepted_costs(usd, shares, fallback=best)
    shown = [
        {
            "answered by": row.name,
            "a message": each_text(row.usd_per_message),
            "good answers": f"{row.accepted:.1%}",
            "a good answer, asked again until it is": each_text(row.usd_per_accepted),
            f"a message, the rest to {best}": UNKNOWN
            if row.usd_with_fallback is None
            else each_text(row.usd_with_fallback),
        }
        for row in found
    ]
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame([row._asdict() for row in found]), frame, tuple(frame.columns[1:]))


def claim_table(audit: ClaimAudit) -> ReportTable:
    """Every claim with its verdict, the right number and where it comes from."""
    import pandas as pd

    marks = {
        "holds": "✓ holds",
        "wrong": "✕ wrong",
        "impossible": "⊘ impossible",
        "cannot be checked": "? cannot be checked",
    }
    shown = [
        {
            "where": f"{row.where} (implied)" if row.implied else row.where,
            "claim": row.claim,
            "claimed": number_text(row.claimed, row.unit),
            "right": number_text(row.derived, row.unit),
            "verdict": marks[row.verdict],
            "derivation": row.derivation,
        }
        for row in audit
    ]
    return ReportTable(audit.to_pandas(), pd.DataFrame(shown), ("claimed", "right"))
