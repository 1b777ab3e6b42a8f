"""The notebook `model_matrix` around its tables: from its parameters to a matrix, from the results to
result.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import BudgetExceededError, ReportError, UsageError
from llmbench.matrix.label_statistics import labels_data
from llmbench.money import dollars
from llmbench.reporting.envelope import input_file, to_json
from llmbench.reporting.matrix_parameters import (
    call_parameters,
    checked_recorded,
    grader_of,
    limits_of,
    named_prompts,
    prompt_files,
)
from llmbench.reporting.matrix_tables import best_candidate
from llmbench.results import InputFile, Spend

if TYPE_CHECKING:
    from llmbench.matrix import Dataset, Matrix, MatrixResults, Quote
    from llmbench.matrix.labels import Labels

__all__ = [
    "ResultsOfOthers",
    "envelope_fields",
    "input_files",
    "is_simulated",
    "make_matrix",
    "quote_matrix",
    "refuse_redacted_filter",
    "run_matrix",
    "stop_above_budget",
    "templates",
    "unused_parameters",
]

_NOT_OF_RESULTS = frozenset(
    {
        "dataset", "models", "prompts", "recorded_models", "grader", "judge", "judge_rubric", "judge_against",
        "judge_question", "temperature", "max_tokens", "stop", "parameter_sets", "repeats", "where", "sample",
        "limit", "pilot", "limits", "budget_usd", "allow_unpriced", "concurrency", "batch",
        "max_answer_age_days", "id_column", "prompt_column", "expected_column", "category_column",
        "cluster_column",
    }
)  # fmt: skip
"""Parameters that nothing asks for where `results_path` names results of another tool."""


@dataclass(frozen=True)
class ResultsOfOthers:
    """Results that another tool wrote, where the notebook otherwise has a matrix: nothing is called."""

    results: MatrixResults

    def quote(self) -> Quote:
        """Of no call."""
        return self.results.quote

    @property
    def dataset(self) -> Dataset:
        """The items, as far as the results tell of them."""
        return self.results.dataset

    def close(self) -> None:
        """There is nothing to close."""


def unused_parameters(parameters: Mapping[str, Any]) -> frozenset[str]:
    """Names of the notebook's parameters that have no part in a run of these: of results that another tool
    wrote, all that say what to call and how to grade it; else how to read such results.
    """
    return _NOT_OF_RESULTS if parameters["results_path"] else frozenset({"results_options"})


def refuse_redacted_filter(parameters: Mapping[str, Any]) -> None:
    """Raise UsageError where `where` names a column that `redact_columns` puts out of sight: papermill
    writes parameters into the notebook, so this is also asked before a notebook is run.

    Of parameters without both of these there is nothing to say.
    """
    p = parameters
    if not p.get("where") or not p.get("redact_columns"):
        return
    from llmbench.matrix.redaction import refuse_filter

    roles = {role: p.get(f"{role}_column") for role in ("id", "expected", "category", "cluster")}
    recorded = p.get("recorded_models", [])
    answers = [str(each.get("answer_column")) for each in recorded if isinstance(each, dict)]
    refuse_filter(p["redact_columns"], p["where"], roles, answers)


def make_matrix(parameters: Mapping[str, Any], root: Path) -> Matrix | ResultsOfOthers:
    """The matrix of the notebook's parameters, or the results that `results_path` names; paths are
    relative to `root`.

    In the notebook's parameters, which cannot hold None, 0 and "" mean "not given". Raises
    UsageError and DatasetError before any call.
    """
    from llmbench.matrix import Dataset, Matrix, RecordedModel
    from llmbench.matrix.redaction import check_columns

    p = parameters
    refuse_redacted_filter(p)
    if p["results_path"]:
        return ResultsOfOthers(_read_results(p, root))
    dataset = Dataset.load(
        p["dataset"] if p["dataset"].startswith("hf:") else root / Path(p["dataset"]).expanduser(),
        id_column=p["id_column"] or None,
        prompt_column=p["prompt_column"] or None,
        expected_column=p["expected_column"] or None,
        category_column=p["category_column"] or None,
        cluster_column=p["cluster_column"] or None,
        where=p["where"],
        sample=p["sample"] or None,
        seed=p["seed"],
        limit=p["limit"] or None,
    )
    check_columns(dataset, p["redact_columns"])
    recorded = [RecordedModel(**checked_recorded(entry)) for entry in p["recorded_models"]]
    return Matrix(
        dataset,
        [*recorded, *p["models"]],
        named_prompts(prompt_files(p), root),
        call_parameters(p),
        repeats=p["repeats"] or None,
        baseline=p["baseline"] or None,
        grader=grader_of(p),
        margin=p["margin"],
        confidence=p["confidence"],
        confirmation=p["confirmation"],
        seed=p["seed"],
        limits=limits_of(p["limits"]),
    )


def is_simulated(matrix: Matrix | ResultsOfOthers) -> bool:
    """Whether nobody gave these answers, as a table of results may say of itself."""
    return isinstance(matrix, ResultsOfOthers) and matrix.results.simulated


def quote_matrix(matrix: Matrix | ResultsOfOthers, parameters: Mapping[str, Any], progress: Any) -> Quote:
    """What the run would take, after the calls of a pilot where one is asked for."""
    if isinstance(matrix, ResultsOfOthers):
        return matrix.quote()
    p = parameters
    concurrency, age = p["concurrency"] or None, p["max_answer_age_days"] or None
    if not p["pilot"]:
        return matrix.quote(concurrency=concurrency, max_answer_age_days=age)
    return matrix.pilot(
        p["pilot"], p["budget_usd"], allow_unpriced=p["allow_unpriced"], progress=progress,
        concurrency=concurrency, max_answer_age_days=age,
    )  # fmt: skip


def stop_above_budget(quote: Quote, parameters: Mapping[str, Any]) -> None:
    """Raise BudgetExceededError, before a call but those of a pilot, where `budget_usd` does not hold what
    is expected together with what the pilot cost.
    """
    budget = parameters["budget_usd"]
    usd = quote.batch_usd if parameters["batch"] and quote.batch_usd else quote.usd
    spent = quote.pilot_usd or 0.0
    if usd.expected is not None and usd.expected + spent > budget:
        low, about, high = (dollars(value) for value in usd)
        beside, called = "", "nothing was called"
        if quote.pilot_usd != 0:
            beside = f", beside {dollars(quote.pilot_usd)} of the pilot,"
            called = "only the pilot was called, and its answers are kept"
        raise BudgetExceededError(
            f"The run is expected to cost {about} ({low} to {high}){beside} and budget_usd is "
            f"{dollars(budget)}: {called}; raise budget_usd, or limit the items."
        )


def run_matrix(
    matrix: Matrix | ResultsOfOthers, parameters: Mapping[str, Any], progress: Any
) -> MatrixResults:
    """Make the calls that the ledger cannot answer, within the budget of the parameters, and put out of
    sight what `redact_columns` names.

    Raises ReportError when not one call was answered: there is nothing to report.
    """
    from llmbench.matrix.redaction import redacted

    if isinstance(matrix, ResultsOfOthers):
        return redacted(matrix.results, parameters["redact_columns"])
    results = matrix.run(
        budget_usd=parameters["budget_usd"],
        concurrency=parameters["concurrency"] or None,
        max_answer_age_days=parameters["max_answer_age_days"] or None,
        allow_unpriced=parameters["allow_unpriced"],
        batch=parameters["batch"],
        progress=progress,
    )
    if results.answers["missing"].all():
        reason = results.answers["error"].value_counts().index[0]
        raise ReportError(f"None of {len(results.answers)} answers is there; most often: {reason}")
    return redacted(results, _hidden_columns(parameters))


def _hidden_columns(parameters: Mapping[str, Any]) -> list[str]:
    """With "answer", the columns that past answers come from too: pages show the items' columns."""
    from llmbench.matrix.redaction import ANSWERS

    named: list[str] = parameters["redact_columns"]
    recorded = [entry["answer_column"] for entry in parameters["recorded_models"]]
    return [*named, *recorded] if ANSWERS in named else named


def templates(matrix: Matrix | ResultsOfOthers) -> dict[str, str]:
    """The prompt templates by name, as they were given."""
    if isinstance(matrix, ResultsOfOthers):
        return {}
    return {cell.prompt: cell.template.text for cell in matrix.plan.cells if cell.template is not None}


def input_files(
    matrix: Matrix | ResultsOfOthers, parameters: Mapping[str, Any], root: Path
) -> list[InputFile]:
    """What the report was made from, with hash and number of rows: for `Report.finish`."""
    files: dict[str, int | None] = {}
    found: list[InputFile] = []
    if isinstance(matrix, ResultsOfOthers):
        files |= dict.fromkeys(map(str, matrix.results.sources))
    else:
        data = matrix.dataset
        if data.of_hub:
            found.append(InputFile(str(data.path), data.sha256, len(data)))
        else:
            files[str(data.path)] = len(data)
        files |= dict.fromkeys(prompt_files(parameters))
    files |= dict.fromkeys([parameters["labels"]] if parameters["labels"] else [])
    return [*found, *(input_file(root, path, rows) for path, rows in files.items())]


def envelope_fields(results: MatrixResults, dataset: Dataset, labels: Labels | None = None) -> dict[str, Any]:
    """What `Report.finish` is told of a matrix over `dataset`, but for its input files."""
    data = results.data()
    data["labels"] = labels_data(labels, results) if labels is not None else None
    if data["judge"] is not None:
        data["judge"]["kappa_people"] = labels.grader_kappa() if labels is not None else None
    return {
        "verdict": results.verdict(),
        "data": data,
        "workload_sha256": _workload_sha256(dataset),
        "baseline": results.baseline,
        "candidate": best_candidate(results),
        "price_book": results.price_book or results.quote.price_book or "current",
        "data_until": results.data_until,
        "seed": results.seed,
        "spend": Spend(results.quote.quoted_usd, results.spent_usd),
    }


def _workload_sha256(dataset: Dataset) -> str:
    """Of the items that were run, which a limit makes fewer than the file has."""
    digest = hashlib.sha256()
    for item in dataset.rows:
        digest.update(json.dumps([item.id, to_json(dict(item.fields))], sort_keys=True).encode())
    return digest.hexdigest()


def _read_results(p: Mapping[str, Any], root: Path) -> MatrixResults:
    from llmbench.matrix import Matrix

    given: dict[str, Any] = p["results_options"]
    known = {"columns", "wide", "ignore", "score", "score_scale", "tie", "model", "category"}
    if set(given) - known:
        raise UsageError(
            f"Parameter 'results_options' has {', '.join(sorted(set(given) - known))}; it takes "
            f"{', '.join(sorted(known))}, as Matrix.from_results does."
        )
    return Matrix.from_results(
        root / Path(p["results_path"]).expanduser(),
        baseline=p["baseline"] or None,
        margin=p["margin"],
        confidence=p["confidence"],
        confirmation=p["confirmation"],
        seed=p["seed"],
        **given,
    )
