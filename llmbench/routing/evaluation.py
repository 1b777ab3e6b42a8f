"""How good a scoring of prompts is as a router between two models, beside what needs no router."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.curve import Curve, CurvePoint, Sweep
from llmbench.routing.hull import Hull
from llmbench.routing.policy_rows import PolicyRow, known, policy_table, single_models
from llmbench.routing.resampling import Draws, percentile_interval
from llmbench.routing.table import RoutingTable
from llmbench.routing.two_models import TwoModels, two_models
from llmbench.shown import shown
from llmbench.stats.checks import check_confidence, check_count, finite_array
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

__all__ = ["RoutingEvaluation", "evaluate"]


@shown
@dataclass(frozen=True, slots=True, eq=False)
class RoutingEvaluation:
    """What `evaluate` found. Shows itself as a table; `data()` is for a report."""

    name: str
    n: int
    """Prompts with a quality of both models."""
    missing: int
    """Prompts left out because one of the two has none."""
    curve: Curve
    policies: tuple[PolicyRow, ...]
    """The router first, then what it has to beat."""
    confidence: float
    bootstraps: int
    seed: int
    reason: str | None
    """Why shares of the gap (APGR, CPT) are NaN; None where they are defined."""
    notes: tuple[str, ...]
    """What the reader has to know, in sentences."""
    _sweeps: Mapping[str, Sweep] = field(repr=False)
    _draws: Draws = field(repr=False)

    @property
    def apgr(self) -> float:
        """See `Curve.apgr`."""
        return self.curve.apgr

    @property
    def apgr_interval(self) -> Interval:
        """Of the bootstrap; NaN without one."""
        return self.policies[0].apgr_interval

    @property
    def apgr_usd(self) -> float:
        """See `Curve.apgr_usd`."""
        return self.curve.apgr_usd

    @property
    def aiq(self) -> float:
        """See `Curve.aiq`."""
        return self.curve.aiq

    @property
    def weak_quality(self) -> float:
        """Mean of the weak model alone."""
        return self.curve.weak_quality

    @property
    def strong_quality(self) -> float:
        """Mean of the strong model alone."""
        return self.curve.strong_quality

    def cpt(self, level: float) -> float:
        """See `Curve.cpt`."""
        return self.curve.cpt(level)

    def at_share(self, share: float) -> CurvePoint:
        """See `Curve.at_share`."""
        return self.curve.at_share(share)

    def quality_at_cost(self, usd: float) -> float:
        """See `Curve.quality_at_cost`."""
        return self.curve.quality_at_cost(usd)

    def cost_at_quality(self, quality: float) -> float:
        """See `Curve.cost_at_quality`."""
        return self.curve.cost_at_quality(quality)

    def hull(self) -> Hull:
        """See `Curve.hull`."""
        return self.curve.hull()

    def policy(self, name: str) -> PolicyRow:
        """The row of that name. Raises UsageError."""
        found = next((row for row in self.policies if row.name == name), None)
        if found is None:
            raise UsageError(
                f"There is no policy {name!r}; there are {', '.join(p.name for p in self.policies)}."
            )
        return found

    def interval(self, statistic: Callable[[Curve], float], against: str | None = None) -> Interval:
        """Bootstrap interval of any number of the curve, or of its difference to a baseline's.

        The same draws every time, so that what is compared is paired. Unknown where the evaluation
        was made without bootstraps. Raises UsageError for a baseline that has no curve.

        >>> found = evaluate([3, 2, 1, 0] * 50, [0, 1, 1, 1] * 50, [1] * 200, bootstraps=200)
        >>> low, high = found.interval(lambda curve: curve.cpt(0.8))
        >>> print(f"{found.cpt(0.8):.2f} in [{low:.2f}, {high:.2f}]")
        0.20 in [0.15, 0.25]
        """
        if against is not None and against not in self._sweeps:
            raise UsageError(f"{against!r} has no curve; those that have are {', '.join(self._sweeps)}.")
        own, other = self._sweeps[self.name], None if against is None else self._sweeps[against]
        values = []
        for weights in self._draws:
            value = statistic(own.curve(weights))
            values.append(value if other is None else value - statistic(other.curve(weights)))
        return percentile_interval(np.array(values), self.confidence)

    def curves(self) -> dict[str, Curve]:
        """The curves of the router and of every baseline that has one, by name."""
        return {name: sweep.curve() for name, sweep in self._sweeps.items()}

    def draws(self) -> Iterator[tuple[NDArray[np.float64], Curve]]:
        """The bootstrap's draws: how often each of the n prompts is in it, and the router's curve of it."""
        for weights in self._draws:
            yield weights, self._sweeps[self.name].curve(weights)

    def data(self) -> dict[str, Any]:
        """For a report's result.json; null is unknown."""
        return {
            "n": self.n,
            "missing": self.missing,
            "reason": self.reason,
            "notes": list(self.notes),
            "aiq": known(self.aiq),
            "apgr_usd": known(self.apgr_usd),
            "policies": [row.data() for row in self.policies],
        }

    def to_pandas(self) -> pd.DataFrame:
        """One row per policy, the router first."""
        return policy_table(self.policies)

    def __repr__(self) -> str:
        return f"RoutingEvaluation({self.name!r}, n={self.n}, APGR {self.apgr:.4f})"

    def _repr_html_(self) -> str:
        table = self.to_pandas().to_html(index=False, na_rep="", float_format=lambda v: f"{v:.4g}", border=0)
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return f"<p><b>{html.escape(self.name)}</b>, n = {self.n:,}</p>{table}<ul>{notes}</ul>"


def evaluate(
    scores: ArrayLike,
    weak: ArrayLike,
    strong: ArrayLike,
    costs: tuple[ArrayLike, ArrayLike] | None = None,
    clusters: Iterable[Hashable] | None = None,
    *,
    prompts: Sequence[Any] | None = None,
    categories: Sequence[Hashable] | None = None,
    task_types: Sequence[str | None] | None = None,
    routes: str | Path | Mapping[str, Any] | RoutingTable = "document",
    name: str = "router",
    at_share: float = 0.5,
    bootstraps: int = 0,
    confidence: float = 0.95,
    seed: int = 20250123,
) -> RoutingEvaluation:
    """The exact cost-quality curve of routing n prompts between a weak and a strong model by a score.

    Args:
        scores: n numbers, how much the strong model is wanted for each prompt; ties are averaged.
        weak: quality of the weak model's answer to each prompt (n), on any scale; NaN where there is
            none: the prompt is then left out for both and counted in `.missing`.
        strong: the same of the strong model.
        costs: USD of each prompt at the weak and at the strong model: two arrays of n, or two
            numbers. None: call shares only.
        clusters: a label per prompt; prompts of one label are drawn together by the bootstrap.
        prompts: texts, or lists of messages; adds the baselines prompt length and SMART rules.
        categories: a label per prompt; adds the baseline of each category's mean gain, cross-fitted.
        task_types: the hint of each prompt, for the SMART rules.
        routes: whose rules: a routing table.
        name: of the router, in the tables.
        at_share: the share of strong calls at which the policies' quality and cost are told.
        bootstraps: draws for intervals, such as 2000; 0 is none. The scores are taken as given: how
            they would differ, had their model been trained on other prompts, is not in the interval.
        confidence: of the intervals.
        seed: of the draws, and of the folds of the category baseline.

    Shares of the gap (APGR, CPT) are NaN, with the `.reason`, where the strong model is not better.
    Raises UsageError for unequal lengths, scores that are missing or infinite, and nothing to compare.

    >>> found = evaluate([0.9, 0.1, 0.8, 0.2], weak=[0, 1, 1, 1], strong=[1, 1, 1, 0])
    >>> found.weak_quality, found.strong_quality, found.reason is None
    (0.75, 0.75, False)
    >>> found = evaluate([0.9, 0.1, 0.8, 0.2], [0, 1, 0, 1], [1, 1, 1, 1], costs=(0.001, 0.01))
    >>> found.apgr, found.cpt(0.5), found.cpt(0.8), f"{found.cost_at_quality(0.75):.5f}"
    (0.75, 0.25, 0.4, '0.00325')
    """
    check_confidence(confidence)
    check_count("bootstraps", bootstraps)
    check_count("seed", seed)
    given = finite_array("scores", scores)
    sides = two_models(weak, strong, costs, clusters, n=len(given))
    from llmbench.routing.baselines import baselines

    others, rules, notes = baselines(
        sides, prompts=prompts, categories=categories, task_types=task_types, routes=routes, seed=seed
    )
    if name in others:
        raise UsageError(f"name is {name!r}, which is a baseline's; give the router another.")
    sweeps = {name: sides.sweep(given), **{key: sides.sweep(each) for key, each in others.items()}}
    curves = {key: sweep.curve() for key, sweep in sweeps.items()}
    draws = Draws(sides.n, sides.codes, bootstraps, seed)
    own = curves[name]
    own.at_share(at_share)
    shares = dict.fromkeys(curves, at_share) | {key: float(others[key][sides.kept].mean()) for key in rules}
    replicates = _replicates(sweeps, shares, draws)
    rows = []
    for key, curve in curves.items():
        drawn, first = replicates[key], replicates[name]
        point = curve.at_share(shares[key])
        apart = key != name
        rows.append(
            PolicyRow(
                key,
                curve.apgr,
                percentile_interval(drawn[:, 0], confidence),
                curve.cpt(0.2),
                curve.cpt(0.5),
                curve.cpt(0.8),
                point.strong_share,
                point.quality,
                percentile_interval(drawn[:, 1], confidence),
                point.cost_usd,
                own.apgr - curve.apgr if apart else math.nan,
                percentile_interval(first[:, 0] - drawn[:, 0], confidence) if apart else UNKNOWN_INTERVAL,
            )
        )
    rows += single_models(own, replicates[name], confidence)
    reason = _reason(own)
    return RoutingEvaluation(
        name, sides.n, sides.missing, own, tuple(rows), confidence, bootstraps, seed, reason,
        _notes(sides, own, replicates[name], reason, notes, bootstraps), sweeps, draws,
    )  # fmt: skip


def _replicates(
    sweeps: Mapping[str, Sweep], shares: Mapping[str, float], draws: Draws
) -> dict[str, NDArray[np.float64]]:
    """APGR, quality at the share, weak and strong quality of every draw (r by 4), for each policy."""
    rows: dict[str, list[tuple[float, ...]]] = {key: [] for key in sweeps}
    for weights in draws:
        for key, sweep in sweeps.items():
            curve = sweep.curve(weights, with_costs=False)
            quality = float(np.interp(shares[key], curve.share, curve.quality))
            rows[key].append((curve.apgr, quality, curve.weak_quality, curve.strong_quality))
    return {key: np.array(found).reshape(-1, 4) for key, found in rows.items()}


def _reason(curve: Curve) -> str | None:
    if curve.has_gap:
        return None
    worse = curve.gap < 0 and curve.gap < -1e-12 * max(1.0, abs(curve.weak_quality))
    said = f"worse than the weak one by {-curve.gap:.4g}" if worse else "as good as the weak one"
    return (
        f"The strong model is {said} on these prompts, so there is no gap of which a router could "
        "recover a share; the weak model alone is enough, unless single categories say otherwise."
    )


def _notes(
    sides: TwoModels,
    curve: Curve,
    drawn: NDArray[np.float64],
    reason: str | None,
    notes: Sequence[str],
    bootstraps: int,
) -> tuple[str, ...]:
    found = [reason] if reason else []
    if sides.missing:
        found.append(f"{sides.missing} of {sides.n + sides.missing} prompts have no quality of both models.")
    found += [*sides.notes, *notes]
    if len(curve.share) == 2:
        found.append("All scores are equal: the router cannot tell prompts apart, and chooses at random.")
    if bootstraps and not len(drawn):
        found.append("There is one independent prompt or cluster only, so no interval can be given.")
    elif len(drawn) and reason is None:
        without = float(np.isnan(drawn[:, 0]).mean())
        if without > 0:
            found.append(
                f"In {without:.1%} of the bootstrap's draws the strong model is not better: the gap itself "
                "is uncertain, and shares of it with it."
            )
    return tuple(found)
