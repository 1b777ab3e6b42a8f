"""What models cost, at a vendor and on machines of one's own, as pure functions: numbers in, results out.

Prices, machines and measurements come from the catalog. Nothing here brings in numpy before it is called.
"""

from llmbench.economics.accepted import AcceptedCost, accepted_costs
from llmbench.economics.api import api_cost, listed_price_of
from llmbench.economics.api_lines import ApiLine, ApiLines, TokenPrices, api_lines, token_prices
from llmbench.economics.break_even import BreakEven, Crossing, break_even, break_even_of
from llmbench.economics.claims import CheckedClaim, ClaimAudit, audit_claims
from llmbench.economics.estimate import Estimate, EstimateRow, estimate
from llmbench.economics.finance import CashFlow, cash_flow, net_present_value, payback_month
from llmbench.economics.hosting import HostingCosts, HostingOption, MonthlyCost, cheapest
from llmbench.economics.hybrid import HybridPlan, JobPlan, hybrid_plans, nightly_job
from llmbench.economics.levers import Lever, levers
from llmbench.economics.memory import MemoryFit, memory_fit
from llmbench.economics.monte_carlo import (
    MonteCarlo,
    Range,
    Tornado,
    Uncertainty,
    monte_carlo,
    tornado,
)
from llmbench.economics.prompt_cache import cached_tokens
from llmbench.economics.queueing import ReplicaPlan, Waiting, availability, erlang_c, replicas_needed, waiting
from llmbench.economics.study import BreakEvenStudy, Money, Pays
from llmbench.economics.throughput import Throughput, throughput
from llmbench.economics.week import MeasuredWorkload, week_profile, workload_of_log
from llmbench.economics.workload import Workload

__all__ = [
    "AcceptedCost",
    "ApiLine",
    "ApiLines",
    "BreakEven",
    "BreakEvenStudy",
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
    "MeasuredWorkload",
    "MemoryFit",
    "Money",
    "MonteCarlo",
    "MonthlyCost",
    "Pays",
    "Range",
    "ReplicaPlan",
    "Throughput",
    "TokenPrices",
    "Tornado",
    "Uncertainty",
    "Waiting",
    "Workload",
    "accepted_costs",
    "api_cost",
    "api_lines",
    "audit_claims",
    "availability",
    "break_even",
    "break_even_of",
    "cached_tokens",
    "cash_flow",
    "cheapest",
    "erlang_c",
    "estimate",
    "hybrid_plans",
    "levers",
    "listed_price_of",
    "memory_fit",
    "monte_carlo",
    "net_present_value",
    "nightly_job",
    "payback_month",
    "replicas_needed",
    "throughput",
    "token_prices",
    "tornado",
    "waiting",
    "week_profile",
    "workload_of_log",
]
