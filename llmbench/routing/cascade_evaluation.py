"""What a cascade would have done on answers that are there already: its curve, calls, time and cost."""

from __future__ import annotations

import html
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.cascade_judges import CascadeJudge, checked
from llmbench.routing.curve import Curve
from llmbench.routing.evaluation import RoutingEvaluation, evaluate
from llmbench.routing.resampling import percentile_interval
from llmbench.shown import shown
from llmbench.stats.checks import number_array, paired_arrays
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

__all__ = ["CascadeEvaluation", "CascadePoint", "evaluate_cascade", "evaluate_trust"]


class CascadePoint(NamedTuple):
    """A cascade at one threshold."""

    threshold: float
    """Answers with less trust are escalated."""
    escalated: float
    """Share of prompts."""
    quality: float
    cost_usd: float
    """Mean per prompt, of all calls; NaN where not known."""
    latency_ms: float
    """Mean per prompt, of all calls one after the other; NaN where not known."""
    saving_usd: float
    """Mean cost of the strong model alone minus this, per prompt."""


class _Stages(NamedTuple):
    """Both stages of every prompt kept (n values each); NaN where not known."""

    trust: NDArray[np.float64]
    cheap: NDArray[np.float64]
    strong: NDArray[np.float64]
    cheap_usd: NDArray[np.float64]
    strong_usd: NDArray[np.float64]
    cheap_ms: NDArray[np.float64]
    strong_ms: NDArray[np.float64]


@shown
@dataclass(frozen=True, slots=True, eq=False)
class CascadeEvaluation:
    """What `evaluate_cascade` and `evaluate_trust` found."""

    evaluation: RoutingEvaluation
    """The curve by the judge's distrust. Its costs hold every call: at share 0 those of the cheap
    model and the judge, at share 1 also the strong model's. So its last point is dearer than the
    strong model alone."""
    strong_cost_usd: float
    """Of the strong model asked at once; NaN where not known."""
    unanswered: int
    """Prompts without a cheap answer: escalated at every threshold, and so in no vertex of the curve."""
    _stages: _Stages

    @property
    def curve(self) -> Curve:
        """Of the evaluation."""
        return self.evaluation.curve

    def at(self, threshold: float) -> CascadePoint:
        """The cascade that escalates what is trusted less than `threshold`, from 0 (nothing that was
        answered) to above 1 (everything).
        """
        stages = self._stages
        up = ~(stages.trust >= threshold)
        quality = float(np.where(up, stages.strong, stages.cheap).mean())
        cost = _mean_with(stages.cheap_usd, stages.strong_usd, up)
        latency = _mean_with(stages.cheap_ms, stages.strong_ms, up)
        saving = self.strong_cost_usd - cost
        return CascadePoint(float(threshold), float(up.mean()), quality, cost, latency, saving)

    def points(self) -> pd.DataFrame:
        """One row per threshold that makes a difference: see `CascadePoint`."""
        import pandas as pd

        trust = self._stages.trust
        levels = np.unique(trust[~np.isnan(trust)])
        thresholds = [*levels.tolist(), float(np.nextafter(levels[-1], math.inf))] if len(levels) else [0.0]
        return pd.DataFrame([self.at(each) for each in thresholds])

    def to_pandas(self) -> pd.DataFrame:
        """One row per threshold: `points()`."""
        return self.points()

    def saving_at(self, quality: float) -> float:
        """What the cascade saves per prompt beside the strong model alone where it reaches `quality`;
        negative where it costs more, -inf where it never gets there.
        """
        return self.strong_cost_usd - self.curve.cost_at_quality(quality)

    def saving_interval(self, quality_kept: float = 0.95) -> Interval:
        """Bootstrap interval of the saving per prompt at `quality_kept` of the strong model's quality.

        Unknown without bootstraps or costs, and where too many draws never get to that quality.
        """
        if self.curve.cost_usd is None:
            return UNKNOWN_INTERVAL
        values = []
        for weights, curve in self.evaluation.draws():
            alone = float(np.sum(self._stages.strong_usd * weights) / weights.sum())
            values.append(alone - curve.cost_at_quality(quality_kept * curve.strong_quality))
        return percentile_interval(np.array(values), self.evaluation.confidence)

    def _repr_html_(self) -> str:
        table = self.points().to_html(index=False, na_rep="", float_format=lambda v: f"{v:.4g}", border=0)
        return f"<p><b>{html.escape(self.evaluation.name)}</b>, n = {self.evaluation.n:,}</p>{table}"


def evaluate_trust(
    trust: ArrayLike,
    cheap: ArrayLike,
    strong: ArrayLike,
    cheap_costs: ArrayLike | None = None,
    strong_costs: ArrayLike | None = None,
    clusters: Iterable[Hashable] | None = None,
    *,
    cheap_ms: ArrayLike | None = None,
    strong_ms: ArrayLike | None = None,
    name: str = "cascade",
    **options: Any,
) -> CascadeEvaluation:
    """A cascade from arrays of one value per prompt (n each).

    Args:
        trust: what the judge gave the cheap answer, in [0, 1]; NaN where there was none.
        cheap: quality of the cheap answer that would be handed out. Where trust is NaN it is not
            used: the prompt is escalated at every threshold.
        strong: quality of the strong model's answer; NaN leaves the prompt out.
        cheap_costs: USD of all calls of the cheap stage, judge included.
        strong_costs: USD of the strong model's call.
        clusters: as in `evaluate`.
        cheap_ms: time of the cheap stage, judge included.
        strong_ms: time of the strong model's call.
        name: of the cascade, in the tables.
        options: further ones of `evaluate`, such as bootstraps, prompts and categories.

    Raises UsageError.

    >>> found = evaluate_trust([1, 0.2, 0.9, 0.4], [1, 0, 1, 1], [1, 1, 1, 1], 0.001, 0.01)
    >>> point = found.at(0.3)
    >>> point.escalated, point.quality, f"{point.cost_usd:.4f}, {point.saving_usd:.4f} less"
    (0.25, 1.0, '0.0035, 0.0065 less')
    """
    given, weak = paired_arrays("trust", trust, "cheap", cheap)
    if ((given < 0) | (given > 1)).any():
        raise UsageError("trust must lie in [0, 1], NaN where the cheap model gave no answer.")
    n = len(given)
    none = np.isnan(given)
    best = number_array("strong", strong)
    if len(best) != n:
        raise UsageError(f"trust has {n} values and strong has {len(best)}; both need one per prompt.")
    costs = None
    if (cheap_costs is None) != (strong_costs is None):
        raise UsageError("Give the costs of both stages, or of none.")
    if cheap_costs is not None:
        first, then = (
            _each(key, v, n) for key, v in (("cheap_costs", cheap_costs), ("strong_costs", strong_costs))
        )
        # A prompt without a cheap answer is the strong model's at every threshold, and costs both.
        costs = (np.where(none, first + then, first), first + then)
    # Its answer is the strong model's on both sides, so that it moves no curve.
    weak = np.where(none, best, weak)
    found = evaluate(np.where(none, -2.0, -given), weak, best, costs, clusters, name=name, **options)
    kept = ~(np.isnan(weak) | np.isnan(best))
    unknown = (None, None)
    usd = unknown if strong_costs is None else (cheap_costs, strong_costs)
    ms = unknown if cheap_ms is None or strong_ms is None else (cheap_ms, strong_ms)
    columns = zip(("cheap_costs", "strong_costs", "cheap_ms", "strong_ms"), (*usd, *ms), strict=True)
    told = [np.full(n, math.nan) if v is None else _each(key, v, n) for key, v in columns]
    stages = _Stages(given[kept], weak[kept], best[kept], *(each[kept] for each in told))
    return CascadeEvaluation(found, float(stages.strong_usd.mean()), int((none & kept).sum()), stages)


def evaluate_cascade(
    answers: pd.DataFrame,
    cheap: str,
    strong: str,
    judge: CascadeJudge,
    *,
    samples: int | None = None,
    prompts: Mapping[str, Any] | None = None,
    costs: Sequence[float] | None = None,
    at_once: bool = True,
    name: str = "cascade",
    **options: Any,
) -> CascadeEvaluation:
    """A cascade on the answers of a finished matrix.

    Args:
        answers: `MatrixResults.answers`, or a table with its columns item_id, cell, repeat, answer,
            score, cost_usd and latency_ms; cluster and category are used where they are there.
        cheap: its cell, or a model with one cell. Its repeats are the samples that the judge sees.
        strong: likewise; its first repeat is the answer it would give.
        judge: see `Cascade`; one that is awaited cannot be used here.
        samples: of each item's repeats the first so many; None: all.
        prompts: {item_id: prompt} for judges that read them, and for the baselines.
        costs: USD per call of the cheap and of the strong model, instead of the column's.
        at_once: the samples are asked for at the same time, so that their stage takes as long as the
            slowest; False: one after the other.
        name: of the cascade, in the tables.
        options: further ones of `evaluate`, such as bootstraps.

    An item without a strong score is left out and counted. An item whose samples are all missing is
    escalated; missing samples are paid for where their cost is known. Raises UsageError.
    """
    first, second = _cell(answers, cheap), _cell(answers, strong)
    by_item = {str(key): rows.sort_values("repeat") for key, rows in first.groupby("item_id", sort=False)}
    last = second.sort_values("repeat").drop_duplicates("item_id").set_index("item_id")
    items = [item for item in last.index if str(item) in by_item]
    if not items:
        raise UsageError(f"No item was put to both {cheap!r} and {strong!r}.")
    rows = []
    for item in items:
        drawn = by_item[str(item)]
        drawn = drawn if samples is None else drawn.head(samples)
        rows.append(_judged(drawn, judge, None if prompts is None else prompts.get(item), at_once, costs))
    trust, quality, usd, ms = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    chosen = last.loc[items]
    then = chosen["cost_usd"].to_numpy(float) if costs is None else np.full(len(items), float(costs[1]))
    known = not (np.isnan(usd).any() or np.isnan(then).any())
    given = dict(options)
    if "clusters" not in given and "cluster" in chosen and chosen["cluster"].notna().all():
        given["clusters"] = chosen["cluster"].tolist()
    if "categories" not in given and "category" in chosen and chosen["category"].notna().all():
        given["categories"] = chosen["category"].tolist()
    if prompts is not None and all(item in prompts for item in items):
        given.setdefault("prompts", [prompts[item] for item in items])
    return evaluate_trust(
        trust, quality, chosen["score"].to_numpy(float), usd if known else None, then if known else None,
        cheap_ms=ms, strong_ms=chosen["latency_ms"].to_numpy(float), name=name, **given,
    )  # fmt: skip


def _judged(
    drawn: pd.DataFrame, judge: CascadeJudge, prompt: Any, at_once: bool, costs: Sequence[float] | None
) -> tuple[float, float, float, float]:
    """Trust, quality, USD and milliseconds of the cheap stage of one item."""
    usd = float(drawn["cost_usd"].sum(skipna=False)) if costs is None else costs[0] * len(drawn)
    times = drawn["latency_ms"]
    ms = float(times.max() if at_once else times.sum(skipna=False))
    scored = drawn[drawn["score"].notna() & drawn["answer"].notna()]
    if not len(scored):
        return math.nan, math.nan, usd, ms
    given = judge(prompt, [str(answer) for answer in scored["answer"]])
    verdict = checked(given, len(scored))
    judging = math.nan if verdict.cost_usd is None else verdict.cost_usd
    return verdict.trust, float(scored["score"].iloc[verdict.answer]), usd + judging, ms


def _cell(answers: pd.DataFrame, label: str) -> pd.DataFrame:
    rows = answers[answers["cell"] == label]
    if len(rows):
        return rows
    rows = answers[answers["model"] == label] if "model" in answers else rows
    if len(rows) and rows["cell"].nunique() == 1:
        return rows
    cells = ", ".join(map(str, answers["cell"].unique()))
    raise UsageError(f"{label!r} is not one cell of the answers; they are {cells}.")


def _mean_with(first: NDArray[np.float64], then: NDArray[np.float64], up: NDArray[np.bool_]) -> float:
    return float((first + np.where(up, then, 0.0)).mean())


def _each(name: str, values: Any, n: int) -> NDArray[np.float64]:
    found = number_array(name, values, dimensions=(0, 1))
    if found.ndim and len(found) != n:
        raise UsageError(f"{name} has {len(found)} values for {n} prompts; give one each, or one number.")
    return np.broadcast_to(found, n)
