"""Which model is asked: strategies, fallback, experiments, limits, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.routing.baselines import category_scores, length_scores, oracle_scores, rule_scores
    from llmbench.routing.calibrated import CalibratedRouting
    from llmbench.routing.calibration import calibrate
    from llmbench.routing.cascade import Cascade
    from llmbench.routing.cascade_evaluation import CascadeEvaluation, evaluate_cascade, evaluate_trust
    from llmbench.routing.cascade_judges import Judgement, format_check, self_consistency, verifier
    from llmbench.routing.curve import Curve
    from llmbench.routing.drawing import draw
    from llmbench.routing.evaluation import RoutingEvaluation, evaluate
    from llmbench.routing.experiment import Experiment
    from llmbench.routing.label_needs import label_budget, unseen_chances
    from llmbench.routing.limits import Budgets, Limit
    from llmbench.routing.outcomes import Outcomes, outcomes_of
    from llmbench.routing.performance import PerformanceReport
    from llmbench.routing.policies import PolicyEvaluation, evaluate_policy
    from llmbench.routing.route import Candidate, Route
    from llmbench.routing.router import ModelRouter
    from llmbench.routing.strategy import RoutingStrategy
    from llmbench.routing.table import RoutingTable, routing_table

_MODULE_OF = {
    "Budgets": "llmbench.routing.limits",
    "CalibratedRouting": "llmbench.routing.calibrated",
    "Candidate": "llmbench.routing.route",
    "Cascade": "llmbench.routing.cascade",
    "CascadeEvaluation": "llmbench.routing.cascade_evaluation",
    "Curve": "llmbench.routing.curve",
    "Experiment": "llmbench.routing.experiment",
    "Judgement": "llmbench.routing.cascade_judges",
    "Limit": "llmbench.routing.limits",
    "ModelRouter": "llmbench.routing.router",
    "Outcomes": "llmbench.routing.outcomes",
    "PerformanceReport": "llmbench.routing.performance",
    "PolicyEvaluation": "llmbench.routing.policies",
    "Route": "llmbench.routing.route",
    "RoutingEvaluation": "llmbench.routing.evaluation",
    "RoutingStrategy": "llmbench.routing.strategy",
    "RoutingTable": "llmbench.routing.table",
    "calibrate": "llmbench.routing.calibration",
    "category_scores": "llmbench.routing.baselines",
    "draw": "llmbench.routing.drawing",
    "evaluate": "llmbench.routing.evaluation",
    "evaluate_cascade": "llmbench.routing.cascade_evaluation",
    "evaluate_policy": "llmbench.routing.policies",
    "evaluate_trust": "llmbench.routing.cascade_evaluation",
    "format_check": "llmbench.routing.cascade_judges",
    "label_budget": "llmbench.routing.label_needs",
    "length_scores": "llmbench.routing.baselines",
    "oracle_scores": "llmbench.routing.baselines",
    "outcomes_of": "llmbench.routing.outcomes",
    "routing_table": "llmbench.routing.table",
    "rule_scores": "llmbench.routing.baselines",
    "self_consistency": "llmbench.routing.cascade_judges",
    "unseen_chances": "llmbench.routing.label_needs",
    "verifier": "llmbench.routing.cascade_judges",
}

__all__ = [
    "Budgets",
    "CalibratedRouting",
    "Candidate",
    "Cascade",
    "CascadeEvaluation",
    "Curve",
    "Experiment",
    "Judgement",
    "Limit",
    "ModelRouter",
    "Outcomes",
    "PerformanceReport",
    "PolicyEvaluation",
    "Route",
    "RoutingEvaluation",
    "RoutingStrategy",
    "RoutingTable",
    "calibrate",
    "category_scores",
    "draw",
    "evaluate",
    "evaluate_cascade",
    "evaluate_policy",
    "evaluate_trust",
    "format_check",
    "label_budget",
    "length_scores",
    "oracle_scores",
    "outcomes_of",
    "routing_table",
    "rule_scores",
    "self_consistency",
    "unseen_chances",
    "verifier",
]

__getattr__, __dir__ = attach(__name__, _MODULE_OF)
