"""The decision of a migration: gates over the results of the other reports. Reads results, runs nothing."""

from llmbench.decision.gates import STAGES, Gate, GateBook, read_gates
from llmbench.decision.judging import FAIL_LEVEL, GateResult, adjust_fails, decide, judge_gate
from llmbench.decision.metrics import METRICS, Measured, Metric
from llmbench.decision.planned_gates import MeanGate, PlannedGate, RatesGate, ShareGate, SureGate
from llmbench.decision.planning import GateNeed, GatesPlan, plan_gates
from llmbench.decision.sources import Source, SourceState, Subject, find_source, same_model

__all__ = [
    "FAIL_LEVEL",
    "METRICS",
    "STAGES",
    "Gate",
    "GateBook",
    "GateNeed",
    "GateResult",
    "GatesPlan",
    "MeanGate",
    "Measured",
    "Metric",
    "PlannedGate",
    "RatesGate",
    "ShareGate",
    "Source",
    "SourceState",
    "Subject",
    "SureGate",
    "adjust_fails",
    "decide",
    "find_source",
    "judge_gate",
    "plan_gates",
    "read_gates",
    "same_model",
]
