"""Which model is asked: strategies, fallback, experiments, limits, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.routing.baselines import category_scores, length_scores, oracle_scores, rule_scores
    from llmbench.routing.calibrated import CalibratedRouting
    from llmbench.routing.calibration import calibrate
    from llmbench.routing.curve import Curve
    from llmbench.routing.draw import draw
    from llmbench.routing.evaluation import RoutingEvaluation, evaluate
    from llmbench.routing.experiment import Experiment
    from llmbench.routing.label_budget import label_budget, unseen_chances
    from llmbench.routing.limits import Budgets, Limit
    from llmbench.routing.outcomes import Outcomes, outcomes_of
    from llmbench.routing.performance import PerformanceReport
    from llmbench.routing.route import Candidate, Route
    from llmbench.routing.router import ModelRouter
    from llmbench.routing.strategy import RoutingStrategy
    from llmbench.routing.table import RoutingTable, routing_table

_HOMES = {
    "Budgets": "llmbench.routing.limits",
    "CalibratedRouting": "llmbench.routing.calibrated",
    "Candidate": "llmbench.routing.route",
    "Curve": "llmbench.routing.curve",
    "Experiment": "llmbench.routing.experiment",
    "Limit": "llmbench.routing.limits",
    "ModelRouter": "llmbench.routing.router",
    "Outcomes": "llmbench.routing.outcomes",
    "PerformanceReport": "llmbench.routing.performance",
    "Route": "llmbench.routing.route",
    "RoutingEvaluation": "llmbench.routing.evaluation",
    "RoutingStrategy": "llmbench.routing.strategy",
    "RoutingTable": "llmbench.routing.table",
    "calibrate": "llmbench.routing.calibration",
    "category_scores": "llmbench.routing.baselines",
    "draw": "llmbench.routing.draw",
    "evaluate": "llmbench.routing.evaluation",
    "label_budget": "llmbench.routing.label_budget",
    "length_scores": "llmbench.routing.baselines",
    "oracle_scores": "llmbench.routing.baselines",
    "outcomes_of": "llmbench.routing.outcomes",
    "routing_table": "llmbench.routing.table",
    "rule_scores": "llmbench.routing.baselines",
    "unseen_chances": "llmbench.routing.label_budget",
}

__all__ = [
    "Budgets",
    "CalibratedRouting",
    "Candidate",
    "Curve",
    "Experiment",
    "Limit",
    "ModelRouter",
    "Outcomes",
    "PerformanceReport",
    "Route",
    "RoutingEvaluation",
    "RoutingStrategy",
    "RoutingTable",
    "calibrate",
    "category_scores",
    "draw",
    "evaluate",
    "label_budget",
    "length_scores",
    "oracle_scores",
    "outcomes_of",
    "routing_table",
    "rule_scores",
    "unseen_chances",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
