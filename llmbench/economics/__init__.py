"""What models cost, at a vendor and on machines of one's own, as pure functions: numbers in, results out.

Prices, machines and measurements come from the catalog. What needs numpy and scipy as it is imported,
calibration and validation, is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.economics.accepted import AcceptedCost, accepted_costs
from llmbench.economics.api import api_cost, listed_price_of
from llmbench.economics.api_lines import ApiLine, ApiLines, TokenPrices, api_lines, token_prices
from llmbench.economics.autoscale import ScaledHours, cold_start_s, scaled_hours
from llmbench.economics.break_even import BreakEven, Crossing, break_even, break_even_of
from llmbench.economics.claims import CheckedClaim, ClaimAudit, audit_claims
from llmbench.economics.estimate import Estimate, EstimateRow, estimate
from llmbench.economics.finance import CashFlow, Money, cash_flow, net_present_value, payback_month
from llmbench.economics.hosting import HostingCosts, HostingOption, MonthlyCost, cheapest
from llmbench.economics.hybrid import HybridPlan, JobPlan, hybrid_plans, nightly_job
from llmbench.economics.levers import Lever, levers
from llmbench.economics.machine import Machine, MachineRun, fit_machine
from llmbench.economics.memory import MemoryFit, memory_fit
from llmbench.economics.monte_carlo import MonteCarlo, Tornado, monte_carlo, tornado
from llmbench.economics.objective import throughput_within
from llmbench.economics.prompt_cache import cached_tokens
from llmbench.economics.queueing import ReplicaPlan, Waiting, availability, erlang_c, replicas_needed, waiting
from llmbench.economics.study import BreakEvenStudy, Pays
from llmbench.economics.throughput import Throughput, throughput
from llmbench.economics.uncertainty import Range, Uncertainty
from llmbench.economics.week import MeasuredWorkload, week_profile, workload_of_log
from llmbench.economics.workload import Workload
from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration, adapted, default_calibration
    from llmbench.economics.validation import Validation, published_validation, validate_throughput

__all__ = [
    "AcceptedCost",
    "ApiLine",
    "ApiLines",
    "BreakEven",
    "BreakEvenStudy",
    "Calibration",
    "CashFlow",
    "CheckedClaim",
    "ClaimAudit",
    "Crossing",
    "Estimate",
    "EstimateRow",
    "HostingCosts",
    "HostingOption",
    "HybridPlan",
    "JobPlan",
    "Lever",
    "Machine",
    "MachineRun",
    "MeasuredWorkload",
    "MemoryFit",
    "Money",
    "MonteCarlo",
    "MonthlyCost",
    "Pays",
    "Range",
    "ReplicaPlan",
    "ScaledHours",
    "Throughput",
    "TokenPrices",
    "Tornado",
    "Uncertainty",
    "Validation",
    "Waiting",
    "Workload",
    "accepted_costs",
    "adapted",
    "api_cost",
    "api_lines",
    "audit_claims",
    "availability",
    "break_even",
    "break_even_of",
    "cached_tokens",
    "cash_flow",
    "cheapest",
    "cold_start_s",
    "default_calibration",
    "erlang_c",
    "estimate",
    "fit_machine",
    "hybrid_plans",
    "levers",
    "listed_price_of",
    "memory_fit",
    "monte_carlo",
    "net_present_value",
    "nightly_job",
    "payback_month",
    "published_validation",
    "replicas_needed",
    "scaled_hours",
    "throughput",
    "throughput_within",
    "token_prices",
    "tornado",
    "validate_throughput",
    "waiting",
    "week_profile",
    "workload_of_log",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Calibration": "llmbench.economics.calibration",
        "Validation": "llmbench.economics.validation",
        "adapted": "llmbench.economics.calibration",
        "default_calibration": "llmbench.economics.calibration",
        "published_validation": "llmbench.economics.validation",
        "validate_throughput": "llmbench.economics.validation",
    },
)
