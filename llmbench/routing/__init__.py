"""Which model is asked: strategies, fallback, experiments, limits, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.routing.draw import draw
    from llmbench.routing.experiment import Experiment
    from llmbench.routing.limits import Budgets, Limit
    from llmbench.routing.performance import PerformanceReport
    from llmbench.routing.route import Candidate, Route
    from llmbench.routing.router import ModelRouter
    from llmbench.routing.strategy import RoutingStrategy
    from llmbench.routing.table import RoutingTable, routing_table

_HOMES = {
    "Budgets": "llmbench.routing.limits",
    "Candidate": "llmbench.routing.route",
    "Experiment": "llmbench.routing.experiment",
    "Limit": "llmbench.routing.limits",
    "ModelRouter": "llmbench.routing.router",
    "PerformanceReport": "llmbench.routing.performance",
    "Route": "llmbench.routing.route",
    "RoutingStrategy": "llmbench.routing.strategy",
    "RoutingTable": "llmbench.routing.table",
    "draw": "llmbench.routing.draw",
    "routing_table": "llmbench.routing.table",
}

__all__ = [
    "Budgets",
    "Candidate",
    "Experiment",
    "Limit",
    "ModelRouter",
    "PerformanceReport",
    "Route",
    "RoutingStrategy",
    "RoutingTable",
    "draw",
    "routing_table",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
