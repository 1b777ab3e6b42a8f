"""What a matrix found: answers, cells, comparisons, and the verdict."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.matrix.categories import (
    CategoryDifference,
    CategoryScore,
    category_differences,
    category_scores,
)
from llmbench.matrix.columns import recorded_columns, shown_columns
from llmbench.matrix.compare import Comparison, compare
from llmbench.matrix.confirmation import Confirmation, confirm
from llmbench.matrix.counts import CallCounts
from llmbench.matrix.dataset import Dataset
from llmbench.matrix.disagreements import disagreements
from llmbench.matrix.frontier import BOOTSTRAPS, FrontierPoint, quality_cost_frontier
from llmbench.matrix.judge_health import Judging
from llmbench.matrix.missingness import UnevenMissing, missing_by_reason, uneven_missing
from llmbench.matrix.power import PairPower, pair_power
from llmbench.matrix.reliability import Reliability, cell_reliability
from llmbench.matrix.results_data import results_data
from llmbench.matrix.results_tables import comparison_table, ranking_table
from llmbench.matrix.strengths import Strength, pairwise_strengths
from llmbench.matrix.summary import CellSummary, item_scores, summarise
from llmbench.matrix.text import nearest
from llmbench.matrix.verdict import decide, decisive
from llmbench.results import Verdict
from llmbench.shown import shown
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from llmbench.matrix.plan import Plan
    from llmbench.matrix.quote import Quote

__all__ = ["MatrixResults", "make_results"]


@shown
@dataclass(frozen=True, slots=True, eq=False)
class MatrixResults:
    """Results of one matrix. Made by `Matrix.run` and `Matrix.results`."""

    answers: pd.DataFrame
    """One row per cell, item and repeat: item_id, category, cluster, cell, model, prompt, params,
    repeat, answer, expected, score (0..1, NaN when missing), note, missing, error, finish_reason,
    cost_usd, latency_ms, input_tokens, output_tokens, cached_tokens (of the input), reasoning_tokens (of
    the output), served_model, replayed, attempts."""
    cells: tuple[CellSummary, ...]
    comparisons: tuple[Comparison, ...]
    calls: CallCounts
    quote: Quote
    """As it stood before the run."""
    spent_usd: float | None
    """By calls of this run, failed attempts included; None where the charge of one is not known
    (`calls.charge_unknown` counts them)."""
    baseline: str
    """Label of the cell that the others are compared with."""
    price_book: str | None
    data_until: str | None
    """ISO instant (UTC) of the newest answer."""
    dataset: Dataset
    margin: float
    confidence: float
    seed: int
    run_id: str | None = None
    judging: Judging | None = None
    """What the judge did, where one graded."""
    grader: str | None = None
    """Name of the grader by whose rule the scores are; None where a judge or another tool graded."""
    confirmation: Confirmation | None = None
    """The best of several candidates, on items that had no part in picking it."""
    uneven: tuple[UnevenMissing, ...] = ()
    """Candidates whose answers are missing unlike the baseline's."""
    asked: tuple[str, ...] = ()
    """Columns of the items that the prompts show."""
    recorded: tuple[str, ...] = ()
    """Columns of the items that hold past answers, their costs and their times."""
    sources: tuple[Path, ...] = ()
    """Files that another tool wrote, where the results are read from those (`Matrix.from_results`)."""
    simulated: bool = False
    """Those files say that nobody answered: every report of them must say so too."""
    _frontiers: dict[int, tuple[FrontierPoint, ...]] = field(default_factory=dict, repr=False)
    """What was computed before: it takes seconds for a million answers, and is asked for twice."""

    def cell(self, label: str) -> CellSummary:
        """The cell of that label, or the only cell of that model. Raises UsageError."""
        matches = [c for c in self.cells if c.cell == label] or [c for c in self.cells if c.model == label]
        if len(matches) != 1:
            labels = [c.cell for c in self.cells]
            hint = nearest(label, [*labels, *(c.model for c in self.cells)])
            raise UsageError(f"{label!r} is not one cell; they are {', '.join(labels)}.{hint}")
        return matches[0]

    def ranking(self) -> pd.DataFrame:
        """Cells by falling score, with intervals, cost, latency and their comparison with the baseline."""
        return ranking_table(self.cells, self.comparisons, self.baseline)

    def comparison_table(self) -> pd.DataFrame:
        """One row per comparison with the baseline."""
        return comparison_table(self.comparisons)

    def disagreements(self, candidate: str, n: int = 10, seed: int | None = None) -> pd.DataFrame:
        """Up to `n` items on which candidate and baseline score differently: the largest differences of
        their mean scores first, drawn by `seed` (default the matrix's) among equals.

        Of several draws the answers are of two that differ as the means do: the best of the side that is
        better, the worst of the other (the first of equals; `candidate_repeat`, `baseline_repeat`).
        `candidate_right` of `candidate_draws` that have a score are right; NaN where a score is not just
        right or wrong. Answers are None where results of others do not tell them.
        """
        return disagreements(
            self.answers, self.dataset, self.cell(candidate).cell, self.baseline, n,
            self.seed if seed is None else seed,
        )  # fmt: skip

    def verdict(self) -> Verdict:
        """GO, HOLD or NO_GO, and one sentence with its numbers."""
        cells = {c.cell: c for c in self.cells}
        verdict = decide(self.comparisons, cells, self.confirmation, self.uneven)
        return replace(verdict, summary=f"Simulated data: {verdict.summary}") if self.simulated else verdict

    @property
    def chosen(self) -> Comparison | None:
        """The comparison that the verdict rests on; None where nothing is compared."""
        return decisive(self.comparisons, {c.cell: c for c in self.cells}, self.confirmation)

    @property
    def items_needed(self) -> int | None:
        """About how many more items the verdict needs, where it cannot be told yet."""
        return self.chosen.items_needed if self.chosen else None

    def data(self) -> dict[str, Any]:
        """`data` of the report's result.json: models, comparisons, calls; null is unknown."""
        return results_data(self)

    def frontier(self, n_boot: int = BOOTSTRAPS) -> tuple[FrontierPoint, ...]:
        """Cells in the plane of cost and score, with the probability that no other beats them in both.

        A cell with an answer whose cost is not known is left out.
        """
        if n_boot not in self._frontiers:
            self._frontiers[n_boot] = quality_cost_frontier(
                self.answers, _clusters(self.dataset), n_boot=n_boot, seed=self.seed
            )
        return self._frontiers[n_boot]

    def power(self) -> tuple[PairPower, ...]:
        """What these items can show of each cell beside the baseline, at the level that Holm's adjustment
        leaves to the smallest of several p-values.
        """
        level = (1 - self.confidence) / max(1, len(self.comparisons))
        return pair_power(self.answers, self.baseline, _clusters(self.dataset), level)

    def categories(self) -> tuple[CategoryScore, ...]:
        """Score of every cell in every category of the items, the cells best first."""
        return category_scores(self.answers, list(self.ranking()["cell"]), self.dataset, self.confidence)

    def category_differences(self, candidate: str) -> tuple[CategoryDifference, ...]:
        """A candidate against the baseline within each category of the items: exploratory."""
        return category_differences(self.answers, candidate, self.baseline, self.dataset, self.confidence)

    def reliability(self) -> tuple[Reliability, ...]:
        """What repeats tell, of each cell that was asked more than once an item."""
        return cell_reliability(self.answers, [cell.cell for cell in self.cells])

    def strengths(self) -> tuple[Strength, ...]:
        """Bradley-Terry strengths by a pairwise judge; none for another grader or under three cells."""
        if self.judging is None or self.judging.opponent is None:
            return ()
        return pairwise_strengths(self.answers, self.cells, self.judging.opponent)

    def missing(self) -> list[dict[str, Any]]:
        """Missing answers, and those without a score, by model and reason, most first."""
        return missing_by_reason(self.answers)

    def to_pandas(self) -> pd.DataFrame:
        """One row per cell, best first: `ranking()`; single answers are in `answers`."""
        return self.ranking()

    def __repr__(self) -> str:
        return (
            f"MatrixResults({len(self.cells)} cells, {len(self.answers)} answers, {self.verdict().summary!r})"
        )

    def _repr_html_(self) -> str:
        verdict = self.verdict()
        table = self.ranking().drop(columns=["model", "prompt", "params"])
        text = table.to_html(index=False, na_rep=UNKNOWN, float_format=lambda value: f"{value:.4g}", border=0)
        return f"<p><strong>{verdict.decision}</strong>: {html.escape(verdict.summary)}</p>{text}"


def make_results(
    plan: Plan,
    answers: pd.DataFrame,
    *,
    baseline: str,
    calls: CallCounts,
    quote: Quote,
    spent_usd: float | None,
    price_book: str | None,
    data_until: str | None,
    margin: float,
    confidence: float,
    seed: int,
    run_id: str | None,
    judging: Judging | None = None,
    grader: str | None = None,
    confirmation_share: float = 0.5,
    sources: tuple[Path, ...] = (),
    simulated: bool = False,
) -> MatrixResults:
    """Summaries and comparisons of graded `answers` (see `llmbench.matrix.scoring.answer_table`)."""
    clusters = _clusters(plan.dataset)
    by_cell: dict[str, pd.DataFrame] = {}
    start = 0
    for cell in plan.cells:
        by_cell[cell.label] = answers.iloc[start : start + plan.size(cell)]
        start += plan.size(cell)
    scores = {cell.label: item_scores(by_cell[cell.label], cell.repeats) for cell in plan.cells}
    cells = tuple(
        summarise(cell, by_cell[cell.label], scores[cell.label], clusters, confidence) for cell in plan.cells
    )
    comparisons = compare(baseline, scores, clusters, margin=margin, confidence=confidence)
    confirmation = confirm(
        baseline, comparisons, {c.cell: c for c in cells}, scores, clusters,
        share=confirmation_share, confidence=confidence, seed=seed,
    )  # fmt: skip
    return MatrixResults(
        answers=answers,
        cells=cells,
        comparisons=comparisons,
        calls=calls,
        quote=quote,
        spent_usd=spent_usd,
        baseline=baseline,
        price_book=price_book,
        data_until=data_until,
        dataset=plan.dataset,
        margin=margin,
        confidence=confidence,
        seed=seed,
        run_id=run_id,
        judging=judging,
        grader=grader,
        confirmation=confirmation,
        uneven=uneven_missing(answers, baseline, list(scores)),
        asked=shown_columns(plan),
        recorded=recorded_columns(plan),
        sources=sources,
        simulated=simulated,
    )


def _clusters(dataset: Dataset) -> list[str] | None:
    """A label per item; None where no two items share one. An item without a cluster is one."""
    if not dataset.clustered:
        return None
    return [
        f"cluster {item.cluster}" if item.cluster is not None else f"item {item.id}" for item in dataset.rows
    ]
