"""What sending part of the prompts to the stronger model buys: the exact curve of one scoring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.errors import UsageError
from llmbench.routing.hull import Hull, upper_hull
from llmbench.shown import shown
from llmbench.stats.checks import check_number

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["Curve", "Sweep"]

_ROUNDING = 1e-12
"""Sums of thousands of scores differ by about this share of the gap, depending on their order."""


@shown
@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Mean quality and cost by the share of prompts that the strong model answers.

    Its m + 1 vertices are all thresholds on m distinct scores. Between two vertices it is a straight
    line: the mean over a random choice among the prompts of one score, and between two scores what
    a router reaches that chooses at random between their thresholds. It ends at each model alone.
    """

    threshold: NDArray[np.float64]
    """Prompts with a score of at least this go to the strong model; inf at the first vertex: none."""
    share: NDArray[np.float64]
    """Share of prompts for the strong model, from 0 to 1."""
    quality: NDArray[np.float64]
    """Mean quality per prompt."""
    cost_usd: NDArray[np.float64] | None
    """Mean cost per prompt; None where costs are not known."""

    @property
    def weak_quality(self) -> float:
        """Of the weak model alone."""
        return float(self.quality[0])

    @property
    def strong_quality(self) -> float:
        """Of the strong model alone."""
        return float(self.quality[-1])

    @property
    def gap(self) -> float:
        """Strong minus weak."""
        return self.strong_quality - self.weak_quality

    @property
    def has_gap(self) -> bool:
        """Whether the strong model is better: without that no share of a gap is defined."""
        size = max(1.0, abs(self.weak_quality), abs(self.strong_quality))
        return self.gap > _ROUNDING * size

    @property
    def apgr(self) -> float:
        """Average share of the gap recovered: the area under (quality - weak) / gap over the call share.

        0.5 is a router that chooses at random. Above 1 is possible where prompts that only the weak model
        gets right stay with it. NaN without a gap. Ong et al. (2024), arXiv:2406.18665.
        """
        if not self.has_gap:
            return math.nan
        area = np.trapezoid(self.quality, self.share)
        return (float(area) - self.weak_quality) / self.gap

    @property
    def apgr_usd(self) -> float:
        """The same over dollars: the area over (cost - weak alone) / (strong alone - weak alone).

        NaN without a gap, without costs, and where the strong model alone costs no more.
        """
        if not self.has_gap or self.cost_usd is None:
            return math.nan
        width = float(self.cost_usd[-1] - self.cost_usd[0])
        if width <= _ROUNDING * abs(float(self.cost_usd[-1])):
            return math.nan
        area = float(np.trapezoid(self.quality - self.quality[0], self.cost_usd))
        return area / (width * self.gap)

    def cpt(self, level: float) -> float:
        """Call-performance threshold: the smallest share of strong calls with which the curve reaches
        weak + level · gap.

        Read on the curve itself, where it first gets there, so that a curve that falls again later
        has one too. NaN without a gap. Raises UsageError for a level outside [0, 1].
        """
        if not 0 <= check_number("level", level) <= 1:
            raise UsageError(f"level is a share of the gap from 0 to 1, such as 0.5, not {level!r}.")
        if not self.has_gap:
            return math.nan
        return _first(self.quality, self.share, self.weak_quality + level * self.gap, _ROUNDING * self.gap)

    def at_share(self, share: float) -> CurvePoint:
        """The point of that share of strong calls. Raises UsageError outside [0, 1]."""
        if not 0 <= check_number("share", share) <= 1:
            raise UsageError(f"share must lie in [0, 1], not {share!r}.")
        cost = math.nan if self.cost_usd is None else float(np.interp(share, self.share, self.cost_usd))
        return CurvePoint(float(share), float(np.interp(share, self.share, self.quality)), cost)

    def at_threshold(self, threshold: float) -> CurvePoint:
        """The point at which prompts with a score of at least `threshold` go to the strong model."""
        # Thresholds fall: the last vertex that is not below it.
        place = int(np.searchsorted(-self.threshold, -float(threshold), side="right")) - 1
        cost = math.nan if self.cost_usd is None else float(self.cost_usd[place])
        return CurvePoint(float(self.share[place]), float(self.quality[place]), cost)

    def quality_at_cost(self, usd: float) -> float:
        """Quality where the curve, from the weak model on, first costs `usd` per prompt.

        Below the cost of the weak model alone NaN; above the dearest point the quality there, of
        several the strong model's. Raises UsageError where costs are not known.
        """
        cost = self._costs()
        usd = check_number("usd", usd)
        if usd < cost[0]:
            return math.nan
        if usd >= cost.max():
            dearest = np.flatnonzero(cost == cost.max())[-1]
            return float(self.quality[dearest])
        return _first(cost, self.quality, usd)

    def cost_at_quality(self, quality: float) -> float:
        """The least cost per prompt at which the curve reaches `quality`; inf where it never does.

        Raises UsageError where costs are not known.
        """
        cost = self._costs()
        target = check_number("quality", quality)
        reached = self.quality >= target - _ROUNDING * max(1.0, abs(target))
        if not reached.any():
            return math.inf
        least = float(cost[reached].min())
        left = np.flatnonzero(reached[1:] != reached[:-1])
        if len(left):
            way = (target - self.quality[left]) / (self.quality[left + 1] - self.quality[left])
            way = np.clip(way, 0.0, 1.0)
            least = min(least, float((cost[left] + way * (cost[left + 1] - cost[left])).min()))
        return least

    def hull(self) -> Hull:
        """The non-decreasing convex hull of (cost, quality): what a random choice between two points
        reaches, never paying more for less. Over the call share where costs are not known.
        """
        return upper_hull(self.share if self.cost_usd is None else self.cost_usd, self.quality)

    @property
    def aiq(self) -> float:
        """Average quality along the hull from the cost of the weak model alone to that of the strong.

        NaN where costs are not known, and where the strong model costs no more. Hu et al. (2024),
        RouterBench, arXiv:2403.12031, section 3.
        """
        if self.cost_usd is None or not self.cost_usd[-1] > self.cost_usd[0]:
            return math.nan
        return self.hull().mean_quality(float(self.cost_usd[0]), float(self.cost_usd[-1]))

    def to_pandas(self) -> pd.DataFrame:
        """One row per vertex: threshold, strong_share, quality, cost_usd."""
        import pandas as pd

        columns = {"threshold": self.threshold, "strong_share": self.share, "quality": self.quality}
        cost = np.full(len(self.share), math.nan) if self.cost_usd is None else self.cost_usd
        return pd.DataFrame({**columns, "cost_usd": cost})

    def __repr__(self) -> str:
        return (
            f"Curve({len(self.share)} points, quality {self.weak_quality:.4g} to {self.strong_quality:.4g}, "
            f"APGR {self.apgr:.4f})"
        )

    def _costs(self) -> NDArray[np.float64]:
        if self.cost_usd is None:
            raise UsageError("The costs of this curve are not known; give costs=(weak, strong) in USD.")
        return self.cost_usd


class CurvePoint(NamedTuple):
    """One setting of a router."""

    strong_share: float
    quality: float
    cost_usd: float
    """Mean per prompt; NaN where costs are not known."""


class Sweep:
    """Prompts in falling order of one score. Gives the curve of any weights of them, as a bootstrap
    draws, without sorting again.
    """

    def __init__(
        self,
        scores: NDArray[np.float64],
        weak: NDArray[np.float64],
        strong: NDArray[np.float64],
        costs: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        self._order = order
        self._ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        self._threshold = np.concatenate(([math.inf], ordered[self._ends]))
        self._weak, self._gain = weak, (strong - weak)[order]
        self._costs = costs
        self._extra = None if costs is None else (costs[1] - costs[0])[order]

    def curve(self, weights: NDArray[np.float64] | None = None, *, with_costs: bool = True) -> Curve:
        """The curve of all prompts, or of each as often as `weights` say (n values, their sum > 0)."""
        if weights is None:
            weights = np.ones(len(self._order))
        drawn, total = weights[self._order], float(weights.sum())
        share = self._along(drawn, total)
        quality = self._along(self._gain * drawn, total) + _mean(self._weak, weights, total)
        share[-1] = 1.0
        cost = None
        if with_costs and self._costs is not None and self._extra is not None:
            cost = self._along(self._extra * drawn, total) + _mean(self._costs[0], weights, total)
        return Curve(self._threshold, share, quality, cost)

    def _along(self, values: NDArray[np.float64], total: float) -> NDArray[np.float64]:
        """Their running sum at the end of each tie, over `total`, from 0 on."""
        sums = np.empty(len(self._ends) + 1)
        sums[0] = 0.0
        np.divide(np.cumsum(values)[self._ends], total, out=sums[1:])
        return sums


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64], total: float) -> float:
    # Not by `@`: BLAS wakes its threads for it, which took a hundred times longer on shared cores.
    return float(np.sum(values * weights)) / total


def _first(
    rising: NDArray[np.float64], along: NDArray[np.float64], target: float, slack: float = 0.0
) -> float:
    """`along` where the broken line of `rising` first reaches `target`, which it does but for `slack`."""
    place = int(np.argmax(rising >= target - slack))
    if place == 0:
        return float(along[0])
    way = min(1.0, (target - rising[place - 1]) / (rising[place] - rising[place - 1]))
    return float(along[place - 1] + way * (along[place] - along[place - 1]))
