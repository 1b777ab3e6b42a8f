"""The decision of a migration: gates over the results of the other reports. Reads results, runs nothing."""

from llmbench.decision.gates import STAGES, Gate, GateBook, read_gates
from llmbench.decision.judging import FAIL_LEVEL, GateResult, adjust_fails, decide, judge_gate
from llmbench.decision.metrics import METRICS, Measured, Metric
from llmbench.decision.sources import Source, SourceState, Subject, find_source, same_model

__all__ = [
    "FAIL_LEVEL",
    "METRICS",
    "STAGES",
    "Gate",
    "GateBook",
    "GateResult",
    "Measured",
    "Metric",
    "Source",
    "SourceState",
    "Subject",
    "adjust_fails",
    "decide",
    "find_source",
    "judge_gate",
    "read_gates",
    "same_model",
]
