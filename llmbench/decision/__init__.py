"""The decision of a migration: gates over the results of the other reports, and its money. Runs nothing."""

from llmbench.decision.budget import twelve_month_budget
from llmbench.decision.budget_parts import (
    BudgetUncertainty,
    Commitment,
    OneOffCosts,
    Payback,
    months_until,
)
from llmbench.decision.budget_result import Budget, BudgetMonth, BudgetTotals
from llmbench.decision.effects import ReplyEffect, Spread
from llmbench.decision.gates import STAGES, Gate, GateBook, read_gates
from llmbench.decision.judging import GateResult, decide, judge_gate
from llmbench.decision.metrics import METRICS, Measured, Metric
from llmbench.decision.ramp import DEFAULT_WEEKS, RampMonth, ramp_by_stage
from llmbench.decision.sources import Source, SourceState, Subject, find_source, same_model

__all__ = [
    "DEFAULT_WEEKS",
    "METRICS",
    "STAGES",
    "Budget",
    "BudgetMonth",
    "BudgetTotals",
    "BudgetUncertainty",
    "Commitment",
    "Gate",
    "GateBook",
    "GateResult",
    "Measured",
    "Metric",
    "OneOffCosts",
    "Payback",
    "RampMonth",
    "ReplyEffect",
    "Source",
    "SourceState",
    "Spread",
    "Subject",
    "decide",
    "find_source",
    "judge_gate",
    "months_until",
    "ramp_by_stage",
    "read_gates",
    "same_model",
    "twelve_month_budget",
]
