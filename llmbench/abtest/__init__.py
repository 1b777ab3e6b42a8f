"""Experiments on real recipients: what was replied to, by arm, and what that says.

plan = Plan("mail-7", control="gpt-4o", margin=0.9, margin_reason="a tenth fewer replies is one call a week")
analyse(counts, plan, ledger)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.abtest.analysis import analyse
    from llmbench.abtest.counts import Counts
    from llmbench.abtest.off_policy import (
        PolicyValue,
        always,
        by_table,
        cheapest_arm,
        evaluate_policy,
        unit_cost_variances,
    )
    from llmbench.abtest.off_policy_log import Policy
    from llmbench.abtest.plan import Plan, planned_units
    from llmbench.abtest.reading import read_counts
    from llmbench.abtest.results import AbResult, Comparison
    from llmbench.abtest.series import day_series, power_curve
    from llmbench.abtest.source import OutcomeSource
    from llmbench.abtest.source_ledger import ledger_costs, ledger_source
    from llmbench.abtest.source_parts import Assignments, Costs, Epoch, Guardrail, Replies, Sends
    from llmbench.abtest.totals import ArmTotals, read_totals

# numpy and scipy stand behind most of these, so they are imported when they are asked for.
_MODULE_OF = {
    "AbResult": "results",
    "ArmTotals": "totals",
    "Assignments": "source_parts",
    "Comparison": "results",
    "Costs": "source_parts",
    "Counts": "counts",
    "Epoch": "source_parts",
    "Guardrail": "source_parts",
    "OutcomeSource": "source",
    "Plan": "plan",
    "Policy": "off_policy_log",
    "PolicyValue": "off_policy",
    "Replies": "source_parts",
    "Sends": "source_parts",
    "always": "off_policy",
    "analyse": "analysis",
    "by_table": "off_policy",
    "cheapest_arm": "off_policy",
    "day_series": "series",
    "evaluate_policy": "off_policy",
    "ledger_costs": "source_ledger",
    "ledger_source": "source_ledger",
    "planned_units": "plan",
    "power_curve": "series",
    "read_counts": "reading",
    "read_totals": "totals",
    "unit_cost_variances": "off_policy",
}

__all__ = [
    "AbResult",
    "ArmTotals",
    "Assignments",
    "Comparison",
    "Costs",
    "Counts",
    "Epoch",
    "Guardrail",
    "OutcomeSource",
    "Plan",
    "Policy",
    "PolicyValue",
    "Replies",
    "Sends",
    "always",
    "analyse",
    "by_table",
    "cheapest_arm",
    "day_series",
    "evaluate_policy",
    "ledger_costs",
    "ledger_source",
    "planned_units",
    "power_curve",
    "read_counts",
    "read_totals",
    "unit_cost_variances",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{module}" for name, module in _MODULE_OF.items()})
