"""The notebook `routing` from a file of results to its verdict, the file to deploy, and result.json."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.errors import UsageError
from llmbench.money import dollars
from llmbench.numbers import signed
from llmbench.reporting.envelope import input_file
from llmbench.results import Decision, Spend, Verdict
from llmbench.routing import calibrate, evaluate, label_budget, outcomes_of, unseen_chances
from llmbench.routing.calibrated import Status
from llmbench.stats import Interval, adjust_p_values, paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmbench.matrix import MatrixResults
    from llmbench.routing import CalibratedRouting, Outcomes, RoutingEvaluation
    from llmbench.routing.label_needs import BudgetPoint

__all__ = [
    "CategoryLoss",
    "RoutingStudy",
    "category_losses",
    "envelope_fields",
    "monthly_saving",
    "read_study",
    "result_text",
    "routes_file",
    "verdict",
]

_GOOD = (Status.ROUTE, Status.CHEAPEST)
_FEWEST_LABELS = 50


@dataclass(frozen=True, slots=True)
class RoutingStudy:
    """Everything that the notebook shows."""

    results: MatrixResults
    known: Outcomes
    routing: CalibratedRouting
    evaluation: RoutingEvaluation | None
    """Of chances of prompts that no fit has seen, between the cheapest model and the strong one; None where
    there is no cheaper model."""
    budget: tuple[BudgetPoint, ...]
    requests_per_month: float

    @property
    def weak(self) -> str:
        """The cheapest model that may be asked."""
        return self.routing.models[0]


@dataclass(frozen=True, slots=True)
class CategoryLoss:
    """What routing does to the prompts of one category, on those that trained nothing."""

    category: str
    n: int
    cheap_share: float
    """Of its prompts that another model than the strong one answers."""
    lost: float
    """Quality of the strong model minus that of the routed answers."""
    ci: Interval
    p_adjusted: float | None
    """Two-sided, of no difference; Benjamini-Hochberg over the categories."""


def read_study(parameters: Mapping[str, Any], root: Path) -> RoutingStudy:
    """Read the results, learn, certify, and evaluate; paths are relative to `root`.

    Raises DatasetError for a file that cannot be read, UsageError for parameters that cannot be meant, and
    ConfigError where the extra `routing` is missing.
    """
    from llmbench.matrix import Matrix

    p = parameters
    if not p["requests_per_month"] >= 0:
        raise UsageError("Parameter 'requests_per_month' must be a number from 0 up.")
    path = root / Path(p["results_path"]).expanduser()
    results = Matrix.from_results(path, confirmation=0.0, confidence=p["confidence"], **p["results_options"])
    known = outcomes_of(results)
    chosen = p["models"] or list(known.models)
    routing = calibrate(
        known,
        models=chosen,
        strong=p["strong"] or None,
        names=p["names"] or None,
        tolerance=p["tolerance"],
        level=p["level"],
        penalty=p["penalty"] or None,
        seed=p["seed"],
    )
    known = _named(known.of(chosen), p["names"])
    evaluation = None
    budget: list[BudgetPoint] = []
    if routing.status is not Status.NO_CHEAPER:
        pair = known.of((routing.models[0], routing.strong))
        chances = unseen_chances(pair, penalty=p["penalty"] or None, seed=p["seed"])
        evaluation = evaluate(
            chances[:, 1] - chances[:, 0],
            pair.scores[:, 0],
            pair.scores[:, 1],
            costs=None if np.isnan(pair.costs).all() else (pair.costs[:, 0], pair.costs[:, 1]),
            clusters=pair.groups().tolist(),
            prompts=pair.prompts,
            categories=_categories(results),
            name="learned",
            bootstraps=p["bootstraps"],
            confidence=p["confidence"],
            seed=p["seed"],
        )
        sizes = [size for size in p["curve_sizes"] if size >= _FEWEST_LABELS]
        if sizes and evaluation.reason is None:
            budget = label_budget(
                pair, *pair.models, sizes=sizes, repeats=p["curve_repeats"], penalty=p["penalty"] or None,
                bootstraps=p["bootstraps"], confidence=p["confidence"], seed=p["seed"],
            )  # fmt: skip
    return RoutingStudy(results, known, routing, evaluation, tuple(budget), p["requests_per_month"])


def _named(known: Outcomes, names: Mapping[str, str]) -> Outcomes:
    from llmbench.routing import Outcomes

    renamed = tuple(names.get(model, model) for model in known.models)
    return Outcomes(known.prompts, renamed, known.scores, known.costs, known.clusters)


def _categories(results: MatrixResults) -> list[str] | None:
    found = [row.category for row in results.dataset.rows]
    return None if any(each is None for each in found) else [str(each) for each in found]


def monthly_saving(study: RoutingStudy) -> tuple[float, Interval] | None:
    """USD a month that routing saves against asking the strong model always; None where costs are not known
    or nothing is routed.
    """
    expected = study.routing.expected
    if expected is None or expected.saving_usd is None or expected.saving_interval is None:
        return None
    if not study.routing.routes:
        return None
    low, high = (study.requests_per_month * usd for usd in expected.saving_interval)
    return study.requests_per_month * expected.saving_usd, Interval(low, high)


def verdict(study: RoutingStudy) -> Verdict:
    """GO where a threshold is certified, its choices are better than a coin's and it saves money; NO_GO where
    that is not so; HOLD where there are too few prompts to say.
    """
    routing = study.routing
    reasons = _reasons(study)
    if routing.status is Status.NOT_ENOUGH_DATA:
        return Verdict(Decision.HOLD, routing.summary, reasons)
    if routing.status not in _GOOD:
        return Verdict(Decision.NO_GO, routing.summary, reasons)
    saving = monthly_saving(study)
    if saving is None:
        return Verdict(Decision.GO_WITH_CONDITIONS, routing.summary, reasons)
    interval = saving[1]
    if interval.high <= 0:
        return Verdict(Decision.NO_GO, f"Routing costs more than it saves. {routing.summary}", reasons)
    if interval.low <= 0:
        return Verdict(
            Decision.GO_WITH_CONDITIONS, f"{routing.summary} That it saves money is not shown.", reasons
        )
    return Verdict(Decision.GO, routing.summary, reasons)


def _reasons(study: RoutingStudy) -> list[str]:
    found = []
    saving = monthly_saving(study)
    if saving is not None:
        usd, (low, high) = saving
        found.append(
            f"At {study.requests_per_month:,.0f} requests a month it saves {dollars(usd)} ({dollars(low)} to "
            f"{dollars(high)})."
        )
    evaluation = study.evaluation
    if evaluation is not None:
        if evaluation.reason is not None:
            found.append(evaluation.reason)
        else:
            found += [_against(evaluation, name) for name in ("prompt length", "category")]
        found += evaluation.notes
    if study.routing.status in _GOOD and saving is None:
        found.append("What an answer costs is not in the results, so what routing saves is not known.")
    return [text for text in found if text]


def _against(evaluation: RoutingEvaluation, name: str) -> str:
    row = next((each for each in evaluation.policies if each.name == name), None)
    if row is None or np.isnan(row.difference_interval.low):
        return ""
    low, high = row.difference_interval
    how = "beats" if low > 0 else "is worse than" if high < 0 else "cannot be told from"
    return (
        f"What was learned {how} routing by {name}: APGR {evaluation.apgr:.2f} against {row.apgr:.2f} "
        f"(difference {signed(low, '+.2f')} to {signed(high, '+.2f')})."
    )


def category_losses(study: RoutingStudy) -> tuple[CategoryLoss, ...]:
    """By category, on the prompts that trained nothing, the largest loss first; empty without categories or
    where nothing is routed.
    """
    categories, routing = _categories(study.results), study.routing
    if categories is None or not routing.routes:
        return ()
    rows = np.array(routing.certified_on, dtype=int)
    column = {model: place for place, model in enumerate(study.known.models)}
    asked = np.array([column[routing.score(study.known.prompts[i]).model] for i in rows])
    scores: NDArray[np.float64] = study.known.scores
    strong = scores[rows, column[routing.strong]]
    routed = scores[rows, asked]
    groups = study.known.groups()[rows]
    parts = []
    for category in dict.fromkeys(categories[i] for i in rows):
        inside = np.array([categories[i] == category for i in rows])
        repeated = len(set(groups[inside])) < inside.sum()
        difference = paired_difference(
            strong[inside], routed[inside], groups[inside].tolist() if repeated else None
        )
        cheap = float((asked[inside] != column[routing.strong]).mean())
        parts.append((category, int(inside.sum()), cheap, difference))
    known = [d.p_value for *_, d in parts if not np.isnan(d.p_value)]
    adjusted = iter(adjust_p_values(known, method="benjamini-hochberg") if known else [])
    found = [
        CategoryLoss(
            category, n, cheap, d.difference, d.interval,
            None if np.isnan(d.p_value) else float(next(adjusted)),
        )
        for category, n, cheap, d in parts
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda each: -each.lost))


def routes_file(study: RoutingStudy) -> bytes:
    """The file for `ModelRouter(routes=...)`. It holds words of the prompts, and nothing that can be run."""
    with tempfile.TemporaryDirectory() as folder:
        return study.routing.save(Path(folder) / "routes.json").read_bytes()


def result_text(study: RoutingStudy) -> str:
    """A few lines of plain text, the same on every machine."""
    lines = [f"{cell.cell:<48}{cell.n:>6}  {100 * (cell.score or 0):.1f}%" for cell in study.results.cells]
    return "\n".join([*lines, f"{study.routing.status}: {verdict(study).decision}"])


def envelope_fields(study: RoutingStudy, parameters: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What `Report.finish` is told."""
    saving, data = monthly_saving(study), study.routing.data()
    recommended = {
        **data["recommended"],
        "expected_saving_usd": None if saving is None else saving[0],
        "saving_ci": None if saving is None else list(saving[1]),
        "saving_per_request_usd": data["recommended"]["expected_saving_usd"],
        "requests_per_month": study.requests_per_month,
        "n": study.routing.certificate.n,
    }
    return {
        "verdict": verdict(study),
        "data": {
            "policies": [row.data() for row in study.evaluation.policies] if study.evaluation else [],
            "recommended": recommended,
            "categories": [
                {
                    "category": c.category, "n": c.n, "cheap_share": c.cheap_share, "lost": c.lost,
                    "ci": list(c.ci), "p_adjusted": c.p_adjusted,
                }
                for c in category_losses(study)
            ],
            "learning_curve": [{**point._asdict(), "interval": [*point.interval]} for point in study.budget],
            "status": data["status"],
            "certificate": data["certificate"],
            "gain": data["gain"],
        },
        "inputs": [input_file(root, path, None) for path in study.results.sources],
        "workload_sha256": study.known.sha256,
        "baseline": study.routing.strong,
        "candidate": None if study.routing.status is Status.NO_CHEAPER else study.weak,
        "price_book": "as charged",
        "seed": parameters["seed"],
        "spend": Spend(0.0, 0.0),
    }  # fmt: skip
