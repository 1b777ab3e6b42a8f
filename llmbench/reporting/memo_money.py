"""The tables of the notebook `migration_memo` about money, for those who sign budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.decision import Spread
from llmbench.reporting.memo_amounts import usd, usd_range
from llmbench.reporting.report_table import ReportTable
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.decision import EndingModel
    from llmbench.reporting.memo_study import MemoStudy

__all__ = [
    "advice_table",
    "budget_table",
    "commitment_table",
    "correlation_table",
    "ending_table",
    "flip_table",
    "risk_table",
]

_RISK_COLUMN = "USD, or chance"
"""A chance stands above the amounts that it belongs to."""


def budget_table(study: MemoStudy) -> ReportTable | None:
    """Before and after, month by month, with what is spent once; None where a price is not known."""
    import pandas as pd

    if study.budget is None:
        return None
    budget, total = study.budget, study.budget.totals
    shown = [
        {
            "month": "today" if row.month == 0 else str(row.month),
            "moved": f"{row.moved:.0%}",
            "before": usd(row.before_usd),
            "after": usd(row.after_usd),
            "of it once": usd(row.one_off_usd),
            "both running": usd(row.dual_usd),
            **({"unused contracts": usd(row.idle_usd)} if study.commitments else {}),
            "saved": usd(row.before_usd - row.after_usd),
            "saved, p50 (p10 to p90)": usd_range(Spread(row.p10, row.p50, row.p90)),
        }
        for row in budget.rows
    ]
    shown.append(
        {
            "month": "all",
            "moved": "",
            "before": usd(total.before_usd),
            "after": usd(total.after_usd),
            "of it once": usd(total.one_off_usd),
            "both running": usd(total.dual_usd),
            **({"unused contracts": usd(total.idle_usd)} if study.commitments else {}),
            "saved": usd(total.saving_usd),
            "saved, p50 (p10 to p90)": usd_range(budget.total_saving),
        }
    )
    frame = pd.DataFrame(shown)
    return ReportTable(budget.to_pandas(), frame, tuple(frame.columns[1:]))


def correlation_table(study: MemoStudy) -> ReportTable | None:
    """The saving where volume and lengths rise together, beside what is assumed; None without a budget."""
    import pandas as pd

    if not study.by_correlation:
        return None
    rows, shown = [], []
    for each in study.by_correlation:
        spreads = {"total": each.total_saving, "month": each.full_saving_per_month}
        rows.append(
            {"correlation": each.correlation, "assumed": each.assumed}
            | {f"{what}_{at}": usd for what, of in spreads.items() for at, usd in of._asdict().items()}
        )
        shown.append(
            {
                "correlation": f"{each.correlation:g}{', as assumed' if each.assumed else ''}",
                "saved in all, p50 (p10 to p90)": usd_range(each.total_saving),
                "a month once all has moved": usd_range(each.full_saving_per_month),
            }
        )
    frame = pd.DataFrame(shown)
    return ReportTable(pd.DataFrame(rows), frame, tuple(frame.columns[1:]))


def risk_table(study: MemoStudy) -> ReportTable | None:
    """Revenue at risk if the decision is wrong, beside the saving; None without replies and their value."""
    import pandas as pd

    risk, hold = study.risk, study.hold
    if risk is None:
        return None
    rows = [
        ("chance that replies are lost", risk.probability_wrong, f"{risk.probability_wrong:.0%}"),
        ("lost a month, on average over what is not known", risk.expected_usd, usd(risk.expected_usd)),
        ("lost a month, if replies are lost at all", risk.if_wrong_usd, usd(risk.if_wrong_usd)),
        ("lost a month, at the bad end of the interval", risk.worst_usd, usd(risk.worst_usd)),
    ]
    until = risk.worst_until_trigger_usd
    if until is not None and study.rollback is not None:
        what = f"lost at {study.rollback.share:.0%} of the traffic until the rollback, at the bad end"
        rows.append((what, until, usd(until)))
    if study.budget is not None:
        month = study.budget.full_saving_per_month
        rows.append(("saved a month, once all has moved", month.p50, usd_range(month)))
    if hold is not None:
        rows.append(("a week of HOLD costs", hold.net.p50, usd_range(hold.net)))
    frame = pd.DataFrame(rows, columns=["what", "value", "shown"])
    shown = frame[["what", "shown"]].rename(columns={"shown": _RISK_COLUMN})
    return ReportTable(frame[["what", "value"]], shown, (_RISK_COLUMN,))


def ending_table(study: MemoStudy) -> ReportTable:
    """Models in use that end, and what is spent on them."""
    import pandas as pd

    rows = study.ending.rows
    frame = study.ending.to_pandas()
    shown = pd.DataFrame(
        {
            "model": [row.model for row in rows],
            "at": [row.backend or UNKNOWN for row in rows],
            "USD a month": [usd(row.usd_per_month) for row in rows],
            "ends": [str(row.ends) if row.ends else row.no_day for row in rows],
            "in days": [_days_left(row) for row in rows],
            **{
                f"within {days} days": [
                    "yes" if row.days_left is not None and 0 < row.days_left <= days else NONE for row in rows
                ]
                for days in (total.within_days for total in study.ending.totals)
            },
        }
    )
    return ReportTable(frame, shown, ("USD a month", "in days"))


def _days_left(row: EndingModel) -> str:
    left = row.days_left
    return row.no_day if left is None else "has ended" if left <= 0 else f"{left:,}"


def commitment_table(study: MemoStudy) -> ReportTable | None:
    """What contracts still take; None where there are none."""
    import pandas as pd

    if not study.commitments:
        return None
    frame = pd.DataFrame(
        [
            {
                "commitment": each.name,
                "covers": each.covers,
                "usd_per_month": each.usd_per_month,
                "months": each.months,
                "penalty_usd": each.penalty_usd,
            }
            for each in study.commitments
        ]
    )
    shown = frame.assign(
        usd_per_month=[usd(each.usd_per_month) for each in study.commitments],
        penalty_usd=[
            "cannot be ended" if each.penalty_usd is None else usd(each.penalty_usd)
            for each in study.commitments
        ],
    ).rename(columns={"usd_per_month": "USD a month", "months": "months left", "penalty_usd": "to end it"})
    return ReportTable(frame, shown, ("USD a month", "months left", "to end it"))


def flip_table(study: MemoStudy) -> ReportTable | None:
    """From how many messages on it pays, by the value of a reply; None where nothing could be computed."""
    import pandas as pd

    if study.flip is None:
        return None
    lines = study.flip.lines
    shown = pd.DataFrame(
        {
            "value of a reply": [usd(line.value_per_reply) for line in lines],
            "surely pays from": [_volume(line.go_from) for line in lines],
            "pays on average from": [_volume(line.even_at) for line in lines],
            "surely does not below": [_volume(line.no_go_below) for line in lines],
        }
    )
    return ReportTable(pd.DataFrame(lines), shown, tuple(shown.columns))


def advice_table(study: MemoStudy) -> ReportTable:
    """The document's recommendations by stage of the company, at this volume and by our numbers."""
    import pandas as pd

    rows = study.advice.rows
    shown = pd.DataFrame(
        {
            "stage": [row.stage for row in rows],
            "the document advises": [row.advice for row in rows],
            "": [f"{row.verdict}: {'; '.join(row.reasons)}" if row.reasons else row.verdict for row in rows],
            "it says": [row.claimed_text(usd) for row in rows],
            "it costs": [usd(row.derived_usd) for row in rows],
            "instead": [
                NONE if row.alternative is None else f"{row.alternative}, {usd(row.alternative_usd)}"
                for row in rows
            ],
        }
    )
    return ReportTable(study.advice.to_pandas(), shown, ("it says", "it costs"))


def _volume(messages: float | None) -> str:
    return "never" if messages is None else f"{messages:,.0f}"
