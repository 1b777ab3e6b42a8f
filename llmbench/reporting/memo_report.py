"""The notebook `migration_memo` to its result.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.reporting.envelope import input_file
from llmbench.reporting.memo_tables import gate_rows
from llmbench.reporting.memo_words import verdict, warnings
from llmbench.results import InputFile, Spend
from llmbench.run_files import RESULT

if TYPE_CHECKING:
    from llmbench.reporting.memo_study import MemoStudy

__all__ = ["envelope_fields"]


def envelope_fields(study: MemoStudy, parameters: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What `Report.finish` is told."""
    evidence = study.evidence
    days = [source.data_until for source in evidence.used if source.data_until]
    return {
        "verdict": verdict(study),
        "data": {
            "phase": study.phase.name,
            "asked": _asked(study),
            "gates": gate_rows(study),
            "budget": _months(study),
            "money": _money(study),
            "ending_models": study.ending.data(),
            "sources": _sources(study),
            "stages": study.advice.data(),
            "risk": _risk(study),
            "warnings": list(warnings(study)),
            "rollback": None if study.rollback is None else study.rollback.sentence(),
            "flip": None if study.flip is None else [cell._asdict() for cell in study.flip.cells],
            **({"simulated": True} if evidence.simulated else {}),
        },
        "inputs": _inputs(study, parameters, root),
        "workload_sha256": evidence.subject.workload_sha256 or None,
        "baseline": study.baseline,
        "candidate": study.candidate,
        "data_until": max(days, default=None),
        "price_book": ", ".join(sorted({price.book for price in study.prices or () if price.book})) or "none",
        "seed": parameters["seed"],
        "spend": Spend(0.0, 0.0),
    }


def _asked(study: MemoStudy) -> dict[str, Any]:
    phase = study.phase
    return {
        "title": phase.title,
        "stage": study.stage,
        "open_stage": study.open_stage,
        "share": phase.share,
        "expects": phase.expects,
        "as_of": str(study.evidence.today),
        "example": study.evidence.example,
        "accept_stale": study.evidence.accept_stale or None,
    }


def _months(study: MemoStudy) -> list[dict[str, Any]] | None:
    return None if study.budget is None else [row._asdict() for row in study.budget.rows]


def _money(study: MemoStudy) -> dict[str, Any] | None:
    budget = study.budget
    if budget is None:
        return None
    payback = budget.payback
    return {
        "totals": budget.totals._asdict(),
        "total_saving": budget.total_saving._asdict(),
        "npv": budget.npv._asdict(),
        "saving_per_month": budget.saving_per_month._asdict(),
        "full_saving_per_month": budget.full_saving_per_month._asdict(),
        "payback": {
            "stated": payback.stated,
            "p10": payback.p10,
            "p50": payback.p50,
            "p90": payback.p90,
            "within_horizon": payback.within(payback.horizon),
            "horizon": payback.horizon,
        },
    }


def _risk(study: MemoStudy) -> dict[str, Any] | None:
    risk, hold = study.risk, study.hold
    if risk is None:
        return None
    return {
        "probability_wrong": risk.probability_wrong,
        "expected_usd": risk.expected_usd,
        "if_wrong_usd": risk.if_wrong_usd,
        "worst_usd": risk.worst_usd,
        "worst_until_trigger_usd": risk.worst_until_trigger_usd,
        "week_of_hold_usd": None if hold is None else hold.net._asdict(),
    }


def _sources(study: MemoStudy) -> list[dict[str, Any]]:
    evidence = study.evidence
    return [
        {
            "report": source.report,
            "state": str(source.state),
            "reason": source.reason or None,
            "passed_over": over,
            "run_id": source.run_id,
            "sha256": source.sha256,
            "workload_sha256": source.workload_sha256,
            "data_until": source.data_until,
            "age_days": source.age_days(evidence.today),
            "decision": None if source.envelope is None else str(source.envelope.verdict.decision),
        }
        for source, over in evidence.looked_at
    ]


def _inputs(study: MemoStudy, parameters: Mapping[str, Any], root: Path) -> list[InputFile]:
    """The gates, and the results of the example; those of the folder of reports are told by their runs."""
    found = [input_file(root, parameters["gates"], None)]
    for source in study.evidence.used:
        if source.of_example:
            path = f"{parameters['example']}/{source.report}/{RESULT}"
            found.append(replace(input_file(root, path, None), simulated=source.simulated))
    return found
