"""The notebook `fine_tune` from what was read to its verdict and result.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.finetune.verdict import Gain, GainVerdict, TuningEvidence, tuning_verdict
from llmbench.money import dollars
from llmbench.numbers import signed_points
from llmbench.reporting.envelope import input_file
from llmbench.reporting.fine_tune_money import cell_costs, paybacks
from llmbench.reporting.fine_tune_provenance import asked_until
from llmbench.reporting.fine_tune_tables import answer_forms, regressions
from llmbench.reporting.matrix_tables import ranked_table, score_text
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import counted, estimate, whole
from llmbench.results import InputFile, Spend, Verdict
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    from llmbench.matrix import MatrixResults
    from llmbench.reporting.fine_tune_results import TunedResults

__all__ = [
    "envelope_fields",
    "evidence",
    "first_table",
    "general_sentence",
    "result_text",
    "verdict",
]


def evidence(tuned: TunedResults, parameters: Mapping[str, Any]) -> TuningEvidence:
    """All that the rule of `llmbench.finetune.verdict` looks at."""
    p = parameters
    return TuningEvidence(
        gain=_gain(tuned.results, tuned.candidate, p["margin"]),
        least_gain=p["least_gain"],
        money=paybacks(tuned, p)[tuned.results.baseline],
        value_per_answer_usd=p["value_per_answer_usd"],
        general=(None if tuned.general is None else _loss(tuned.general, p["general_margin"])),
        seen_in_training=tuned.seen_in_training,
        horizon_months=p["horizon_months"],
    )


def verdict(tuned: TunedResults, parameters: Mapping[str, Any]) -> Verdict:
    """The decision of the notebook."""
    return tuning_verdict(evidence(tuned, parameters))


def general_sentence(tuned: TunedResults, parameters: Mapping[str, Any]) -> str:
    """What became of what it was not trained for."""
    found = evidence(tuned, parameters).general
    if found is None:
        return (
            "Nothing was asked beyond the task, so what the model has forgotten is not known: put answers to "
            "questions that nobody trained for into general.csv."
        )
    how = {
        "worse": "It has lost some of it",
        "not worse": "It has kept it, within the margin",
    }.get(found.verdict, "Whether it has lost some of it cannot be told")
    change = estimate(found.difference, found.ci, signed_points)
    asked = f"{counted(found.n, 'question')} that nobody trained for"
    if found.difference is None:
        return f"{how}: no question that nobody trained for has an answer of both models."
    return f"{how}: {change} points on {asked}, against the untrained model."


def first_table(tuned: TunedResults, parameters: Mapping[str, Any]) -> ReportTable:
    """The ranked cells of the first screen, with the tokens of a request and what it costs."""
    found = ranked_table(tuned.results)
    costs = {each.cell: each for each in cell_costs(tuned, parameters)}
    shown = found.shown.drop(columns=["latency p50, ms", "$ per 1,000 calls"], errors="ignore")
    cells = list(shown["model [prompt]"])
    into = [costs[cell].input_tokens for cell in cells]
    shown["tokens in, a request"] = [UNKNOWN if value is None else whole(value) for value in into]
    shown["$ per 1,000 requests"] = [dollars(costs[cell].cost.usd_per_1k_requests) for cell in cells]
    numbers = (*found.numbers, "tokens in, a request", "$ per 1,000 requests")
    return ReportTable(found.frame, shown, tuple(name for name in numbers if name in shown))


def result_text(tuned: TunedResults, parameters: Mapping[str, Any]) -> str:
    """A few lines of plain text, the same on every machine."""
    decided = verdict(tuned, parameters)
    lines = [score_text(tuned.results)]
    if tuned.curve is not None:
        lines += [
            f"{p.n_train:>5} examples, {counted(p.seeds, 'seed')}: {100 * p.score:.1f}%"
            for p in tuned.curve.points
        ]
    return "\n".join([*lines, f"{decided.decision}"])


def envelope_fields(tuned: TunedResults, parameters: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What `Report.finish` is told."""
    results = tuned.results
    matrix = results.data()
    data = {
        "dataset": None
        if tuned.training is None
        else tuned.training.summary() | {"seen": tuned.seen_in_training},
        "models": matrix["models"],
        "comparisons": matrix["comparisons"],
        "learning_curve": _curve(tuned),
        "costs": _costs(tuned, parameters),
        "regressions": regressions(tuned),
        "general": _general(tuned, parameters),
        "beside_stronger": None
        if tuned.beside_stronger is None
        else tuned.beside_stronger.data()["comparisons"],
        "forms": [form._asdict() for form in answer_forms(results)],
    }
    return {
        "verdict": verdict(tuned, parameters),
        "data": data,
        "inputs": _inputs(tuned, root),
        "workload_sha256": results.dataset.sha256,
        "baseline": results.baseline,
        "candidate": tuned.candidate,
        "data_until": asked_until(tuned.provenance),
        "price_book": "as charged",
        "seed": results.seed,
        "spend": Spend(0.0, 0.0),
    }


def _gain(results: MatrixResults, candidate: str, margin: float) -> Gain:
    c = next(each for each in results.comparisons if each.candidate == candidate)
    return Gain(candidate, c.baseline, c.difference, c.ci, c.n, c.verdict, margin, c.items_needed)


def _loss(general: MatrixResults, margin: float) -> Gain:
    """By the interval alone, however few the questions: a warning needs less than a recommendation."""
    c = general.comparisons[0]
    verdict: GainVerdict = "cannot tell"
    if c.ci is not None and c.ci.high < 0:
        verdict = "worse"
    elif c.ci is not None and c.ci.low > -margin:
        verdict = "not worse"
    return Gain(c.candidate, c.baseline, c.difference, c.ci, c.n, verdict, margin)


def _general(tuned: TunedResults, p: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The comparison, with the verdict that this report gives, however few the questions."""
    if tuned.general is None:
        return None
    found = _loss(tuned.general, p["general_margin"])
    return [
        {**row, "verdict": found.verdict, "reason": "by the interval alone"}
        for row in tuned.general.data()["comparisons"]
    ]


def _curve(tuned: TunedResults) -> list[dict[str, Any]]:
    if tuned.curve is None:
        return []
    return [
        {"n_train": each.n_train, "seed": each.seed, "score": each.score, "ci": list(each.ci)}
        for each in tuned.curve.trained
    ]


def _costs(tuned: TunedResults, p: Mapping[str, Any]) -> dict[str, Any]:
    costs = {each.cell: each.cost for each in cell_costs(tuned, p)}
    mine, back = costs[tuned.candidate], paybacks(tuned, p)[tuned.results.baseline]
    gain = _gain(tuned.results, tuned.candidate, p["margin"]).difference
    return {
        "training_usd": mine.training_usd,
        "per_1k_requests": mine.usd_per_1k_requests,
        "break_even_requests": back.break_even_requests,
        "break_even_months": back.break_even_months,
        "saving_per_month": back.saving_per_month,
        "right_answers_per_month": None if gain is None else gain * p["requests_per_month"],
        "requests_per_month": p["requests_per_month"],
        "by_cell": [
            {
                "cell": cell,
                "per_1k_requests": cost.usd_per_1k_requests,
                "hosting_usd_per_month": cost.hosting_usd_per_month,
            }
            for cell, cost in costs.items()
        ],
    }


def _inputs(tuned: TunedResults, root: Path) -> list[InputFile]:
    import pandas as pd

    found = []
    for path in tuned.files:
        rows = None
        if path.suffix == ".csv":
            rows = len(pd.read_csv(path, usecols=[0]))  # an answer may have several lines
        elif tuned.training is not None and path == tuned.training.path:
            rows = tuned.training.examples
        found.append(input_file(root, path, rows))
    return found
