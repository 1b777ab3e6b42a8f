"""What models cost, as pure functions: numbers in, results out. Prices and machines come from the catalog.

What needs numpy and scipy, calibration and validation, is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.economics.api import api_cost, listed_price_of
from llmbench.economics.autoscale import ScaledHours, cold_start_s, scaled_hours
from llmbench.economics.estimate import Estimate, EstimateRow, estimate
from llmbench.economics.memory import MemoryFit, memory_fit
from llmbench.economics.objective import throughput_within
from llmbench.economics.queueing import ReplicaPlan, Waiting, availability, erlang_c, replicas_needed, waiting
from llmbench.economics.throughput import Throughput, throughput
from llmbench.economics.workload import Workload
from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration, adapted, default_calibration
    from llmbench.economics.validation import Validation, validate_throughput

__all__ = [
    "Calibration",
    "Estimate",
    "EstimateRow",
    "MemoryFit",
    "ReplicaPlan",
    "ScaledHours",
    "Throughput",
    "Validation",
    "Waiting",
    "Workload",
    "adapted",
    "api_cost",
    "availability",
    "cold_start_s",
    "default_calibration",
    "erlang_c",
    "estimate",
    "listed_price_of",
    "memory_fit",
    "replicas_needed",
    "scaled_hours",
    "throughput",
    "throughput_within",
    "validate_throughput",
    "waiting",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Calibration": "llmbench.economics.calibration",
        "Validation": "llmbench.economics.validation",
        "adapted": "llmbench.economics.calibration",
        "default_calibration": "llmbench.economics.calibration",
        "validate_throughput": "llmbench.economics.validation",
    },
)
