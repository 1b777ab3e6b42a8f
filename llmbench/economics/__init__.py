"""What models cost, as pure functions: numbers in, results out. Prices come from the catalog."""

from llmbench.economics.api import api_cost, listed_price_of
from llmbench.economics.estimate import Estimate, EstimateRow, estimate
from llmbench.economics.workload import Workload

__all__ = ["Estimate", "EstimateRow", "Workload", "api_cost", "estimate", "listed_price_of"]
