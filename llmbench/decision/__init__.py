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
from llmbench.decision.facts import (
    Needed,
    Price,
    Quality,
    Traffic,
    measured_quality,
    measured_replies,
    needed_evidence,
    price_of,
    spent_usd,
    traffic_of,
    training_usd,
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
from llmbench.decision.gathering import (
    REPORTS,
    STALE_AFTER_DAYS,
    Evidence,
    Example,
    gather,
    read_example,
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
from llmbench.decision.phases import Phase, phase_named, read_phases
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

__all__ = [
    "DEFAULT_WEEKS",
    "DOCUMENT_STAGES",
    "FAIL_LEVEL",
    "METRICS",
    "REPORTS",
    "STAGES",
    "STALE_AFTER_DAYS",
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
    "Evidence",
    "Example",
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
    "Needed",
    "OneOffCosts",
    "Payback",
    "Phase",
    "PlannedGate",
    "Price",
    "Quality",
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
    "Traffic",
    "adjust_fails",
    "cost_of_hold",
    "decide",
    "ending_models",
    "find_source",
    "flip_grid",
    "gather",
    "judge_gate",
    "measured_quality",
    "measured_replies",
    "months_discounted",
    "months_until",
    "needed_evidence",
    "phase_named",
    "plan_gates",
    "price_of",
    "ramp_by_stage",
    "read_example",
    "read_gates",
    "read_phases",
    "revenue_at_risk",
    "rollback_trigger",
    "same_model",
    "spent_usd",
    "stage_advice",
    "traffic_of",
    "training_usd",
    "twelve_month_budget",
]
