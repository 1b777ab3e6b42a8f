"""What result.json says of a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmbench.matrix.results import MatrixResults
    from llmbench.stats import Interval

__all__ = ["results_data"]


def results_data(results: MatrixResults) -> dict[str, Any]:
    """`data` of the report's result.json: models, comparisons, calls; null is unknown."""
    return {
        "models": [
            {
                "model": c.model, "prompt": c.prompt, "params": c.params, "n": c.n, "missing": c.missing,
                "ungraded": c.ungraded, "score": c.score, "score_ci": _pair(c.score_ci),
                "cost_usd": c.cost_usd,
                "cost_per_1k_calls": c.cost_per_1k_calls,
                "cost_per_1k_calls_ci": _pair(c.cost_per_1k_calls_ci),
                "cost_per_correct": c.cost_per_correct,
                "latency_ms": {
                    "p50": c.latency_p50_ms, "p95": c.latency_p95_ms, "p50_ci": _pair(c.latency_p50_ci),
                    "p95_ci": _pair(c.latency_p95_ci),
                },
                "tokens": {"input": c.input_tokens, "output": c.output_tokens},
                "served_model": c.served_model,
            }
            for c in results.cells
        ],
        "comparisons": [
            {
                "baseline": c.baseline, "candidate": c.candidate, "difference": c.difference,
                "ci": _pair(c.ci), "p_value": c.p_value, "p_adjusted": c.p_adjusted, "n": c.n,
                "mde": c.mde, "margin": c.margin, "verdict": c.verdict,
                "only_candidate": c.only_candidate, "only_baseline": c.only_baseline,
                "p_mcnemar": c.p_mcnemar, "clusters": c.clusters,
                "p_not_worse_adjusted": c.p_not_worse_adjusted, "worst_case_low": c.worst_case_low,
                "best_case_high": c.best_case_high, "items_needed": c.items_needed, "reason": c.reason,
            }
            for c in results.comparisons
        ],
        "calls": {
            "made": results.calls.made, "replayed": results.calls.replayed, "failed": results.calls.failed,
            "retried": results.calls.retried,
        },
        "frontier": [
            {"model": p.model, "cell": p.cell, "probability_on_frontier": p.probability_on_frontier}
            for p in results.frontier()
        ],
        "power": {
            p.candidate: {"n": p.n, "mde": p.mde, "items_needed": p.items_needed,
            "resolution": p.resolution} for p in results.power()
        },
        "confirmation": results.confirmation.data() if results.confirmation else None,
        "missing": results.missing(),
        "missing_uneven": [each._asdict() for each in results.uneven],
        "reliability": [each.data() for each in results.reliability()],
        "judge": results.judging.data() if results.judging else None,
        "strengths": [
            {**each._asdict(), "ci": _pair(each.ci)} for each in results.strengths()
        ],
        "quote": results.quote.data(),
        **({"simulated": True} if results.simulated else {}),
    }  # fmt: skip


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
