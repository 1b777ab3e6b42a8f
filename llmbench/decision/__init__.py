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
from llmbench.decision.ending import EndingModel, EndingModels, EndingSpend, ending_models
from llmbench.decision.flip import FlipCell, FlipGrid, FlipLine, flip_grid
from llmbench.decision.gates import STAGES, Gate, GateBook, read_gates
from llmbench.decision.hold import CostOfHold, RevenueAtRisk, cost_of_hold, revenue_at_risk
from llmbench.decision.judging import GateResult, decide, judge_gate
from llmbench.decision.metrics import METRICS, Measured, Metric
from llmbench.decision.ramp import DEFAULT_WEEKS, RampMonth, ramp_by_stage
from llmbench.decision.rollback import RollbackBound, RollbackTrigger, rollback_trigger
from llmbench.decision.sources import Source, SourceState, Subject, find_source, same_model
from llmbench.decision.stage_advice import StageAdvice, StageRow, stage_advice

__all__ = [
    "DEFAULT_WEEKS",
    "METRICS",
    "STAGES",
    "Budget",
    "BudgetMonth",
    "BudgetTotals",
    "BudgetUncertainty",
    "Commitment",
    "CostOfHold",
    "EndingModel",
    "EndingModels",
    "EndingSpend",
    "FlipCell",
    "FlipGrid",
    "FlipLine",
    "Gate",
    "GateBook",
    "GateResult",
    "Measured",
    "Metric",
    "OneOffCosts",
    "Payback",
    "RampMonth",
    "ReplyEffect",
    "RevenueAtRisk",
    "RollbackBound",
    "RollbackTrigger",
    "Source",
    "SourceState",
    "Spread",
    "StageAdvice",
    "StageRow",
    "Subject",
    "cost_of_hold",
    "decide",
    "ending_models",
    "find_source",
    "flip_grid",
    "judge_gate",
    "months_until",
    "ramp_by_stage",
    "read_gates",
    "revenue_at_risk",
    "rollback_trigger",
    "same_model",
    "stage_advice",
    "twelve_month_budget",
]
