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
from llmbench.decision.ending import (
    EndingModel,
    EndingModels,
    EndingSpend,
    EndState,
    ending_models,
)
from llmbench.decision.flip import (
    FlipCell,
    FlipGrid,
    FlipLine,
    FlipVerdict,
    flip_grid,
    months_discounted,
)
from llmbench.decision.gates import (
    STAGES,
    Gate,
    GateBook,
    read_gates,
)
from llmbench.decision.hold import (
    CostOfHold,
    RevenueAtRisk,
    cost_of_hold,
    revenue_at_risk,
)
from llmbench.decision.judging import (
    FAIL_LEVEL,
    GateResult,
    adjust_fails,
    decide,
    judge_gate,
)
from llmbench.decision.metrics import METRICS, Measured, Metric
from llmbench.decision.planned_gates import (
    MeanGate,
    PlannedGate,
    RatesGate,
    ShareGate,
    SureGate,
)
from llmbench.decision.planning import GateNeed, GatesPlan, plan_gates
from llmbench.decision.ramp import DEFAULT_WEEKS, RampMonth, ramp_by_stage
from llmbench.decision.rollback import RollbackBound, RollbackTrigger, rollback_trigger
from llmbench.decision.sources import (
    Source,
    SourceState,
    Subject,
    find_source,
    same_model,
)
from llmbench.decision.stage_advice import (
    DOCUMENT_STAGES,
    StageAdvice,
    StageRow,
    StageVerdict,
    stage_advice,
)
from llmbench.decision.stage_costs import (
    CLASSES,
    Priced,
    Way,
    api_way,
    hosted_way,
    mixed_way,
)

__all__ = [
    "CLASSES",
    "DEFAULT_WEEKS",
    "DOCUMENT_STAGES",
    "FAIL_LEVEL",
    "METRICS",
    "STAGES",
    "Budget",
    "BudgetMonth",
    "BudgetTotals",
    "BudgetUncertainty",
    "Commitment",
    "CostOfHold",
    "EndState",
    "EndingModel",
    "EndingModels",
    "EndingSpend",
    "FlipCell",
    "FlipGrid",
    "FlipLine",
    "FlipVerdict",
    "Gate",
    "GateBook",
    "GateNeed",
    "GateResult",
    "GatesPlan",
    "MeanGate",
    "Measured",
    "Metric",
    "OneOffCosts",
    "Payback",
    "PlannedGate",
    "Priced",
    "RampMonth",
    "RatesGate",
    "ReplyEffect",
    "RevenueAtRisk",
    "RollbackBound",
    "RollbackTrigger",
    "ShareGate",
    "Source",
    "SourceState",
    "Spread",
    "StageAdvice",
    "StageRow",
    "StageVerdict",
    "Subject",
    "SureGate",
    "Way",
    "adjust_fails",
    "api_way",
    "cost_of_hold",
    "decide",
    "ending_models",
    "find_source",
    "flip_grid",
    "hosted_way",
    "judge_gate",
    "mixed_way",
    "months_discounted",
    "months_until",
    "plan_gates",
    "ramp_by_stage",
    "read_gates",
    "revenue_at_risk",
    "rollback_trigger",
    "same_model",
    "stage_advice",
    "twelve_month_budget",
]
