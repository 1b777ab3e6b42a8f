"""The model matrix: models x prompts x parameters over one set of items."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from llmbench.matrix.caller import Caller
from llmbench.matrix.checks import share
from llmbench.matrix.counts import CallCounts
from llmbench.matrix.dataset import Dataset
from llmbench.matrix.endpoints import Endpoints
from llmbench.matrix.execution import Execution, total_usd
from llmbench.matrix.freshness import answers_from
from llmbench.matrix.graders import GraderLike, grader_for
from llmbench.matrix.judges import Judge
from llmbench.matrix.limits import checked_limits
from llmbench.matrix.outcome import Outcome, newest_and_books
from llmbench.matrix.plan import Plan, baseline_of, make_plan, params_sets
from llmbench.matrix.progress import ProgressCallback
from llmbench.matrix.prompts import prompts_for
from llmbench.matrix.quote import Quote
from llmbench.matrix.recorded import RecordedModel
from llmbench.matrix.replay import Replay
from llmbench.matrix.results import MatrixResults, make_results
from llmbench.matrix.scoring import answer_table

if TYPE_CHECKING:
    from llmbench.config import ProjectConfig
    from llmbench.ledger import Ledger
    from llmbench.matrix.grading import Grader
    from llmbench.matrix.judge_health import Judging
    from llmbench.matrix.judging import Judged, JudgePlan
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.routing.limits import Limit

__all__ = ["Matrix"]


class Matrix:
    """Models under prompts and parameters, put to the same items, graded, compared and priced.

    Everything given is checked here, before any call: files by line, templates by column, models
    and labels by name. Methods are plain functions that may be called from a notebook's cell.

    Args:
        dataset: a Dataset, or the path of a file with the default column names.
        models: `endpoint/model` names and RecordedModels.
        prompts: {name: template}; None sends the prompt column as it is. See `Prompt`.
        params: parameters of every call, or several named sets of them. Default temperature 0.
        repeats: draws of each answer; None is 1 at temperature 0, else 3.
        baseline: label `model[prompt]` of the cell to compare with, or a model with one cell; None
            is the first recorded model, else the first cell.
        grader: a name (`llmbench.matrix.graders.GRADERS`: "exact", "contains", ...), a Grader, a function
            of (answer, item), or a judge (Rubric, Pairwise), whose calls are quoted, recorded, replayed and
            held by the budget like any other; None is the data set's column `grader` where it has one,
            else "exact".
        grade_truncated: grade an answer that was cut off at max_tokens, which otherwise scores 0.
        ledger: a Ledger, or the path of one; None is the project's.
        providers: {endpoint: provider} to use instead of the project's endpoints of these names;
            they must record to the same ledger; one that records to none is refused.
        limits: {"endpoint/model" or "endpoint": llmbench.routing.Limit}: requests and tokens a minute that
            a run keeps to and the quote reckons with. Without one, rate limits are found by their errors.
        margin: how much worse, in score, is still good enough.
        confidence: of every interval.
        confirmation: of several candidates the best one's difference is taken from this share of the
            items, drawn by the seed, which has no part in picking it; 0 takes it from all.
        seed: of what is drawn (examples, items held out).

    Raises DatasetError, UsageError and ConfigError.
    """

    def __init__(
        self,
        dataset: Dataset | str | Path,
        models: Sequence[str | RecordedModel],
        prompts: Mapping[str, str | Path] | str | None = None,
        params: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        repeats: int | None = None,
        baseline: str | None = None,
        *,
        grader: GraderLike = None,
        grade_truncated: bool = False,
        ledger: Ledger | str | Path | None = None,
        config: ProjectConfig | None = None,
        providers: Mapping[str, BaseLLMProvider] | None = None,
        limits: Mapping[str, Limit] | None = None,
        margin: float = 0.03,
        confidence: float = 0.95,
        confirmation: float = 0.5,
        seed: int = 20250123,
    ) -> None:
        self.margin = share("margin", margin, such_as=0.03)
        self.confidence = share("confidence", confidence, such_as=0.95)
        self.confirmation = confirmation and share("confirmation", confirmation, such_as=0.5)
        self.dataset = dataset if isinstance(dataset, Dataset) else Dataset.load(dataset)
        self.plan = make_plan(
            self.dataset, models, prompts_for(self.dataset, prompts), params_sets(params), repeats
        )
        self.baseline = baseline_of(self.plan, baseline).label
        self.seed = seed
        self._grader = self._bound(grader)
        self._grade_truncated = grade_truncated
        self._endpoints = Endpoints(ledger, config, providers or {})
        judges = [self._grader.judge] if isinstance(self._grader, Judge) else []
        limits = checked_limits(limits or {}, self.plan, judges)
        self._pilots: list[Execution] = []
        self._caller = Caller(self.plan, self._endpoints, limits, grade_truncated=grade_truncated)

    @staticmethod
    def from_results(
        path: str | Path | Sequence[str | Path],
        *,
        baseline: str | None = None,
        columns: Mapping[str, str] | None = None,
        wide: bool = False,
        ignore: Sequence[str] = (),
        score: str | None = None,
        score_scale: tuple[float, float] = (0.0, 1.0),
        tie: float | None = None,
        model: str | None = None,
        category: str = "category",
        cells: Sequence[str] = (),
        margin: float = 0.03,
        confidence: float = 0.95,
        confirmation: float = 0.5,
        seed: int = 20250123,
    ) -> MatrixResults:
        """Results that another tool has written, in the same statistics, verdict and report. Calls nothing.

        Args:
            path: a file, a folder, a pattern such as "logs/*.eval", or a list of these: logs of Inspect
                (.eval, .json), results of promptfoo (.json), samples of lm-evaluation-harness (.jsonl), or
                a table (.csv, .tsv, .jsonl, .xlsx, .parquet) of the columns
                `llmbench.matrix.foreign.rows.SCHEMA`: item, model and score, and whatever else is known.
            baseline: the model, or the label `model[prompt]`, to compare with; None is the first.
            columns: {our name: the table's} where they differ.
            wide: the table has a row an item, and each column is a model's scores but for those in
                `columns`, under our names, or in `ignore`.
            ignore: columns of the table that are to be left alone.
            score: which score, where items have several: a scorer of Inspect ("match", "scorer.key"), a
                metric of the harness ("acc", "acc,none"), "success" or a named score of promptfoo. None is
                the first, which the results' notes tell.
            score_scale: (worst, best); scores become 0 to 1.
            tie: a value that stands for a tie, which is half of the scale.
            model: name of the model where files do not say it.
            category: field of the items' metadata (Inspect, harness, promptfoo) that is their kind.
            cells: labels `model[prompt]` to look at; empty is all that there are.
            margin: as of a Matrix.
            confidence: as of a Matrix.
            confirmation: as of a Matrix.
            seed: as of a Matrix.

        A draw without score and answer is missing; so is an item that a model has no row for. A cost that
        is not told is unknown. Raises DatasetError by file and line, and UsageError.
        """
        from llmbench.matrix.foreign.reading import Reading, read_results
        from llmbench.matrix.foreign.results import results_of

        low, high = score_scale
        how = Reading(
            columns or {}, wide, tuple(ignore), score, (float(low), float(high)), tie, model, category
        )
        return results_of(
            read_results(path, how),
            baseline=baseline,
            margin=share("margin", margin, such_as=0.03),
            confidence=share("confidence", confidence, such_as=0.95),
            confirmation=confirmation and share("confirmation", confirmation, such_as=0.5),
            seed=seed,
            kept=cells,
        )

    # What one does with a matrix

    def quote(
        self,
        *,
        concurrency: int | Mapping[str, int] | None = None,
        fresh: bool | None = None,
        max_answer_age_days: float | None = None,
    ) -> Quote:
        """What `run` with the same arguments would call, cost and take. Makes no call.

        Tokens and times are those of earlier answers, where the ledger has five of a model: `pilot` makes
        them.
        """
        not_before = answers_from(self.ledger, fresh, max_answer_age_days, run_id=None)
        quote = self._caller.quote(self._grader, not_before, concurrency)
        return replace(quote, pilot_usd=total_usd(self._pilots))

    def pilot(
        self, items: int, budget_usd: float | None = None, *, allow_unpriced: bool = False, **options: Any
    ) -> Quote:
        """Ask every cell for its first answers to `items` items (as `Dataset.limit` takes them), and quote
        the rest by what they took. The run then replays them: nothing is paid twice.

        `options` as of `run`. Nobody judges here. What it costs counts in the budget of the run that
        follows. Raises as `run` does.
        """
        part = Plan(self.dataset.limit(items), tuple(replace(cell, repeats=1) for cell in self.plan.cells))
        made, _ = self._caller.execute(
            part, None, budget_usd,
            allow_unpriced=allow_unpriced, charged_usd=self._charged_by_pilots, **options,
        )  # fmt: skip
        self._pilots.append(made)
        age = options.get("max_answer_age_days")
        return self.quote(concurrency=options.get("concurrency"), max_answer_age_days=age)

    def run(
        self,
        budget_usd: float | None = None,
        concurrency: int | Mapping[str, int] | None = None,
        fresh: bool | None = None,
        max_answer_age_days: float | None = None,
        progress: ProgressCallback | None = None,
        *,
        allow_unpriced: bool = False,
        batch: bool | Collection[str] = False,
        run_id: str | None = None,
    ) -> MatrixResults:
        """Make the calls that the ledger cannot answer, and grade everything.

        The same run again after Ctrl-C, a crash or a stop makes only what is missing.

        Args:
            budget_usd: dollars that the calls of this run may cost together. Each call's worst
                case (every byte a token, max_tokens of output) is set aside before it is made, once:
                tries that failed but may have been billed (timeouts, cut connections) count at
                their worst case only afterwards, so the calls then in flight can overdraw the
                budget by their retries, each by up to max_attempts - 1 worst cases.
            concurrency: calls in flight per endpoint at most, one number or {endpoint: number}.
                Default: from what the provider advises (8, and always 1 for the embedded model) up
                to 64, one more with each round of answers that came as fast as the first ones.
                A rate limit halves them in either case.
            fresh: answer nothing from before this run; None is what LLMBENCH_FRESH=1 says. With
                the `run_id` of a run that did not end, its answers are kept.
            max_answer_age_days: older answers are asked for again.
            progress: called with a Progress at most four times a second, from another thread.
            allow_unpriced: with a budget, also call models whose price is not known.
            batch: True: endpoints whose vendor takes many requests as one batch, at half the price and
                within a day, are asked that way; or the names of those that shall be. A run that is
                stopped leaves its batches at the vendor's, and the same run again takes them up.
            run_id: recorded with each call; None is LLMBENCH_RUN_ID, else a new one.

        Raises BudgetExceededError when the next call might cost more than is left, UsageError where
        a budget cannot be kept or a grader fails, LedgerError, and InvalidRequestError for
        parameters that an endpoint cannot pass on. Whatever was answered before is in the ledger.
        """
        made, quote = self._caller.execute(
            self.plan, self._grader, budget_usd, concurrency, fresh, max_answer_age_days, progress,
            allow_unpriced=allow_unpriced, batch=batch, run_id=run_id, charged_usd=self._charged_by_pilots,
        )  # fmt: skip
        pilots, self._pilots = self._pilots, []
        quote = replace(quote, pilot_usd=total_usd(pilots))
        counts = sum((each.counts for each in pilots), made.counts)
        spent = total_usd([*pilots, made])
        return self._results(made.outcomes, self._grader, quote, counts, spent, made.run_id, made.replies)

    def results(self, *, grader: GraderLike = None) -> MatrixResults:
        """Grade what the ledger has, making no call; another `grader` than the matrix's may be tried.

        What has no answer is missing, with the reason the last run of this matrix gave, and so is
        the score of an answer that a judge has not judged; to have another judge judge, run a Matrix
        with it: the answers come from the ledger. Raises as `quote`, and UsageError where a grader fails.
        """
        chosen = self._grader if grader is None else self._bound(grader)
        providers, not_before = self._caller.providers(chosen), self._caller.not_before
        outcomes = Replay(self.plan, providers, self.ledger, not_before).outcomes(self._caller.failures)
        replies: list[tuple[JudgePlan, Mapping[str, Sequence[Outcome]]]] = []
        if isinstance(chosen, Judge):
            asked, replay = self._caller.judge(chosen, not_before).calls(outcomes)
            replies.append((asked, replay.outcomes(self._caller.failures)))
        replayed = sum(
            outcome.replayed
            for plan, found in ((self.plan, outcomes), *replies)
            for cell in plan.cells
            if cell.recorded is None
            for outcome in found[cell.label]
        )
        quote = self._caller.quote(chosen, not_before)
        return self._results(outcomes, chosen, quote, CallCounts(replayed=replayed), 0.0, None, replies)

    @property
    def ledger(self) -> Ledger:
        """The ledger that answers come from and go to; opened at first use."""
        return self._endpoints.ledger

    def close(self) -> None:
        """Close the ledger, if this matrix opened it."""
        self._endpoints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        cells = ", ".join(cell.label for cell in self.plan.cells)
        size = f"{len(self.dataset)} items x {len(self.plan.cells)} cells"
        return f"Matrix({self.dataset.path.name}: {size}: {cells})"

    # How it is done

    @property
    def _charged_by_pilots(self) -> float:
        return max((pilot.budget.charged_usd for pilot in self._pilots), default=0.0)

    def _bound(self, given: GraderLike) -> Grader | Judge:
        grader = grader_for(given, self.dataset)
        return grader.bind_plan(self.plan) if isinstance(grader, Judge) else grader

    def _results(
        self,
        outcomes: Mapping[str, Sequence[Outcome | None]],
        grader: Grader | Judge,
        quote: Quote,
        calls: CallCounts,
        spent_usd: float | None,
        run_id: str | None,
        replies: Sequence[tuple[JudgePlan, Mapping[str, Sequence[Outcome | None]]]],
    ) -> MatrixResults:
        judging: Judging | None = None
        grades: Grader | Judged
        if isinstance(grader, Judge):
            ((asked, said),) = replies
            grades, judging = self._caller.judge(grader, self._caller.not_before).verdicts(asked, said)
        else:
            grades = grader
        answers = answer_table(self.plan, outcomes, grades, grade_truncated=self._grade_truncated)
        until, books = newest_and_books([outcomes, *(said for _, said in replies)])
        return make_results(
            self.plan,
            answers,
            baseline=self.baseline,
            calls=calls,
            quote=quote,
            spent_usd=spent_usd,
            price_book=books or quote.price_book,
            data_until=until,
            margin=self.margin,
            confidence=self.confidence,
            seed=self.seed,
            run_id=run_id,
            judging=judging,
            grader=None if isinstance(grader, Judge) else grader.name,
            confirmation_share=self.confirmation,
        )
