"""How long messages wait for a free place, by the number of serving machines."""

from __future__ import annotations

import math

from llmbench.economics.queueing import waiting
from llmbench.reporting.break_even_inputs import Question
from llmbench.reporting.report_table import ReportTable
from llmbench.unknown import NONE

__all__ = ["wait_table"]

_FEWER, _MORE = 9, 2
"""Rows below and above the number chosen."""


def wait_table(question: Question) -> ReportTable:
    """In the busiest hour, by the number of serving replicas: how full they are, and who waits (Erlang C)."""
    import pandas as pd

    study = question.study
    option, month = study.best
    load, costs = study.load, study.costs
    servers = max(1, int(option.in_flight or 1))
    rate = (
        load.messages_per_month * (1 - costs.fallback_share) / (costs.month_hours * 3600) * load.peak_to_mean
    )
    # Little's law at the chosen point: so many in flight at that rate take so long each.
    seconds = servers * load.output_tokens / option.output_tokens_per_s
    patience = None
    if question.objective.ttft_ms is not None and option.ttft_ms is not None:
        patience = (question.objective.ttft_ms - option.ttft_ms) / 1000
    rows, shown = [], []
    for serving in range(max(1, month.serving - _FEWER), month.serving + _MORE + 1):
        offered = rate * seconds
        full = offered / (serving * servers)
        queue = waiting(serving * servers, offered, seconds)
        chance = queue.probability
        late = None if patience is None else queue.beyond(patience)
        rows.append(
            {
                "serving": serving,
                "in_flight": serving * servers,
                "busiest_hour_utilisation": full,
                "probability_wait": chance,
                "probability_late": late,
                "mean_wait_s": queue.mean_s if full < 1 else None,
            }
        )
        shown.append(
            {
                "serving replicas": f"{serving}{' (chosen)' if serving == month.serving else ''}",
                "in flight at most": f"{serving * servers:,}",
                "full in the busiest hour": f"{full:.1%}",
                "messages that wait then": _chance(chance) if full < 1 else "the queue grows",
                "that begin too late": NONE if late is None else _chance(late),
            }
        )
    numbers = (
        "in flight at most",
        "full in the busiest hour",
        "messages that wait then",
        "that begin too late",
    )
    return ReportTable(pd.DataFrame(rows), pd.DataFrame(shown), numbers)


def _chance(share: float) -> str:
    return NONE if math.isnan(share) else "under 0.1%" if share < 0.001 else f"{share:.1%}"
