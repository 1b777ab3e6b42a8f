"""Whether the effect differs between segments. A look into parts of the data, and nothing more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from llmbench.abtest.bounds import upper_tail
from llmbench.abtest.cells import Cells, DesignEffect, clustered_z, design_effect, paired_cells, widening_of
from llmbench.abtest.counts import Counts
from llmbench.abtest.effect import difference_interval, margin_z, ratio_interval
from llmbench.abtest.plan import Plan
from llmbench.stats import Interval, adjust_p_values

__all__ = ["Interaction", "SegmentEffect", "Segments", "segment_effects"]


class SegmentEffect(NamedTuple):
    """A treatment against the control in one segment."""

    column: str
    segment: str
    treatment: str
    units: int
    control_units: int
    replies: int
    control_replies: int
    ratio: float
    ratio_ci: Interval
    difference: float
    difference_ci: Interval
    p_value: float
    p_adjusted: float
    """Benjamini-Hochberg over all segments shown."""
    clusters: int | None = None
    """By which the errors are clustered; None: units are independent."""


class Interaction(NamedTuple):
    """Whether a treatment's effect is the same in all segments of a column."""

    column: str
    treatment: str
    segments: int
    p_value: float
    p_adjusted: float
    """Benjamini-Hochberg over columns and treatments."""


@dataclass(frozen=True, slots=True)
class Segments:
    """All that is shown of segments."""

    effects: tuple[SegmentEffect, ...]
    interactions: tuple[Interaction, ...]
    hidden: tuple[tuple[str, str], ...]
    """(column, segment) with too few replies in an arm, or of one cluster only."""


def segment_effects(counts: Counts, plan: Plan, treatments: list[str]) -> Segments:
    """Effects in segments with at least `min_segment_replies` replies an arm.

    Intervals are not adjusted; the test of interaction is Cochran's Q of the segments' log ratios (or
    differences), each with the inverse of its variance for its weight: Cochran (1954), Biometrics 10:101.
    Where units are clustered every variance is the clustered one; a cluster with units in several segments
    makes their effects alike, and the test of interaction conservative.
    """
    rows: dict[tuple[str, str], list[tuple[str, str, int, int]]] = {}
    for row in counts.segments:
        rows.setdefault((row.column, row.segment), []).append((row.arm, row.stratum, row.units, row.replied))
    shown: list[tuple[str, str, Cells]] = []
    designs: list[DesignEffect | None] = []
    hidden: list[tuple[str, str]] = []
    for (column, segment), group in rows.items():
        for treatment in treatments:
            cells = paired_cells(group, treatment, plan.control)
            products = counts.segment_clusters.get((column, segment), ())
            enough = min(sum(cells.x1), sum(cells.x2)) >= max(1, plan.min_segment_replies)
            design = design_effect(cells, products) if enough else None
            # Of one cluster it cannot be told how much clusters differ.
            if enough and (design is not None or not products):
                shown.append((column, segment, cells))
                designs.append(design)
            elif (column, segment) not in hidden:
                hidden.append((column, segment))
    raw = [
        2 * upper_tail(abs(clustered_z(margin_z(cells, plan.null, plan.scale), design, plan.scale)))
        for (_, _, cells), design in zip(shown, designs, strict=True)
    ]
    adjusted = adjust_p_values(raw, method="benjamini-hochberg")
    effects = [
        SegmentEffect(
            column, segment, cells.treatment, sum(cells.n1), sum(cells.n2), sum(cells.x1), sum(cells.x2),
            cells.ratio,
            ratio_interval(cells, plan.confidence, widening_of(design, "ratio"), _clusters(design)),
            cells.difference,
            difference_interval(cells, plan.confidence, widening_of(design, "difference"), _clusters(design)),
            p, p_adjusted, _clusters(design),
        )
        for (column, segment, cells), design, p, p_adjusted in zip(shown, designs, raw, adjusted, strict=True)
    ]  # fmt: skip
    return Segments(tuple(effects), _interactions(plan, shown, designs), tuple(hidden))


def _clusters(design: DesignEffect | None) -> int | None:
    return None if design is None else design.clusters


def _interactions(
    plan: Plan, shown: list[tuple[str, str, Cells]], designs: list[DesignEffect | None]
) -> tuple[Interaction, ...]:
    found = []
    for column, treatment in dict.fromkeys((column, cells.treatment) for column, _, cells in shown):
        group = [
            (cells, design)
            for (name, _, cells), design in zip(shown, designs, strict=True)
            if name == column and cells.treatment == treatment
        ]
        if len(group) > 1:
            found.append((column, treatment, len(group), _heterogeneity(plan, group)))
    adjusted = adjust_p_values([p for *_, p in found], method="benjamini-hochberg")
    return tuple(Interaction(*each, p) for each, p in zip(found, adjusted, strict=True))


def _heterogeneity(plan: Plan, group: list[tuple[Cells, DesignEffect | None]]) -> float:
    from scipy.special import chdtrc

    effects, weights = [], []
    for cells, design in group:
        design_effect_of = widening_of(design, plan.scale) ** 2
        share = [weight / cells.information for weight in cells.weights]
        p1, p2 = cells.rates
        one, two = (
            math.fsum(w**2 * _variance(x, n) for w, x, n in zip(share, xs, ns, strict=True))
            for xs, ns in ((cells.x1, cells.n1), (cells.x2, cells.n2))
        )
        if plan.scale == "ratio":
            effects.append(math.log(p1 / p2))
            weights.append(1 / (one / p1**2 + two / p2**2) / design_effect_of)
        else:
            effects.append(p1 - p2)
            weights.append(1 / (one + two) / design_effect_of)
    mean = math.fsum(w * e for w, e in zip(weights, effects, strict=True)) / math.fsum(weights)
    statistic = math.fsum(w * (e - mean) ** 2 for w, e in zip(weights, effects, strict=True))
    return float(chdtrc(len(group) - 1, statistic))


def _variance(x: int, n: int) -> float:
    rate = x / n
    return rate * (1 - rate) / n if 0 < x < n else (0.5 / (n + 1)) * (1 - 0.5 / (n + 1)) / n
