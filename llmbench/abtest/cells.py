"""Two arms side by side, stratum by stratum, and how far their units depend on each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llmbench.abtest.counts import ClusterProducts, UnitSums

__all__ = [
    "Cells",
    "DesignEffect",
    "arm_design_effect",
    "clustered_z",
    "design_effect",
    "effective_counts",
    "is_lopsided",
    "lone_cluster_warnings",
    "paired_cells",
    "widening_of",
]

_LOPSIDED = 3.0


class Cells(NamedTuple):
    """Replied and units of the treatment (1) and the control (2), one value a stratum that has both."""

    treatment: str
    control: str
    strata: tuple[str, ...]
    x1: tuple[int, ...]
    n1: tuple[int, ...]
    x2: tuple[int, ...]
    n2: tuple[int, ...]
    share1: tuple[float, ...] = ()
    """Probability with which a unit of the two arms was assigned to the treatment."""
    left_out: int = 0
    """Units of strata in which one of the arms has none: nothing can be compared there."""

    @property
    def weights(self) -> tuple[float, ...]:
        """Mantel and Haenszel's, which add up to the information there is."""
        return tuple(a * b / (a + b) for a, b in zip(self.n1, self.n2, strict=True))

    @property
    def information(self) -> float:
        """Harmonic number of units: the variance of a difference is in inverse proportion to it."""
        return math.fsum(self.weights)

    @property
    def rates(self) -> tuple[float, float]:
        """Rates of treatment and control, standardised to the same strata; NaN without units."""
        total = self.information
        if not total:
            return math.nan, math.nan
        one, two = (
            math.fsum(w * x / n for w, x, n in zip(self.weights, xs, ns, strict=True)) / total
            for xs, ns in ((self.x1, self.n1), (self.x2, self.n2))
        )
        return one, two

    @property
    def difference(self) -> float:
        """Treatment minus control."""
        one, two = self.rates
        return one - two

    @property
    def ratio(self) -> float:
        """Treatment over control; infinite where only the control has no reply, NaN where neither has."""
        one, two = self.rates
        if two > 0:
            return one / two
        return math.inf if one > 0 else math.nan


class DesignEffect(NamedTuple):
    """Variance with clusters over the variance without."""

    difference: float
    ratio: float
    clusters: int
    """With units of either arm."""


def paired_cells(
    sums: Sequence[UnitSums] | Sequence[tuple[str, str, int, int]],
    treatment: str,
    control: str,
    weights: Mapping[str, Mapping[str, float]] | None = None,
) -> Cells:
    """The cells of two arms; `sums` are UnitSums or (arm, stratum, units, replied).

    `weights` are those of the arms by stratum; where they say nothing, the share is that of the units.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for arm, stratum, units, replied, *_ in sums:
        before = found.get((stratum, arm), (0, 0))
        found[stratum, arm] = (before[0] + units, before[1] + replied)
    rows = []
    left_out = 0
    for stratum in dict.fromkeys(stratum for stratum, _ in found):
        n1, x1 = found.get((stratum, treatment), (0, 0))
        n2, x2 = found.get((stratum, control), (0, 0))
        if n1 and n2:
            meant = (weights or {}).get(stratum, {})
            w1, w2 = meant.get(treatment, 0.0), meant.get(control, 0.0)
            share = w1 / (w1 + w2) if w1 > 0 and w2 > 0 else n1 / (n1 + n2)
            rows.append((stratum, x1, n1, x2, n2, share))
        else:
            left_out += n1 + n2
    names, x1s, n1s, x2s, n2s, shares = zip(*rows, strict=True) if rows else ((),) * 6
    return Cells(treatment, control, names, x1s, n1s, x2s, n2s, shares, left_out)


def is_lopsided(one: float, two: float) -> bool:
    """Whether one of two arms, of so many units or with such shares, is at least three times as large as the
    other: from there on the score is corrected for skewness. Without it the test that the small arm is not
    worse errs in 6% of cases where 5% were allowed.

    A plan asks by the shares it means and an analysis by the units that came; at 3:1 these may answer
    differently.

    >>> is_lopsided(300, 100), is_lopsided(299, 100), is_lopsided(0.1, 0.1 + 0.2)
    (True, False, True)
    """
    # Shares such as 0.3 and 0.1 have no exact binary value.
    return max(one, two) >= _LOPSIDED * min(one, two) * (1 - 1e-12)


def design_effect(cells: Cells, products: Sequence[ClusterProducts]) -> DesignEffect | None:
    """By how much clusters raise the variance of the difference and of the log ratio; None without them.

    Linearisation: a cluster's contribution is the sum over cells of b · (x - rate · n) / units, with b the
    derivative of the effect by the cell's rate; their squares, times C/(C-1), are the variance. Clusters with
    units of both arms count with their covariance, so that what is common to both cancels. Raising every
    critical value by its square root is the first-order correction of Rao and Scott (1992), Biometrics
    48:577.
    """
    names = [(cells.treatment, s) for s in cells.strata] + [(cells.control, s) for s in cells.strata]
    counted = list(zip((*cells.x1, *cells.x2), (*cells.n1, *cells.n2), strict=True))
    shares = [weight / cells.information for weight in cells.weights]
    p1, p2 = cells.rates
    difference = _variance_ratio(names, counted, [*shares, *(-share for share in shares)], products)
    if difference is None:
        return None
    ratio = None
    if p1 > 0 and p2 > 0:
        slopes = [*(share / p1 for share in shares), *(-share / p2 for share in shares)]
        ratio = _variance_ratio(names, counted, slopes, products)
    return DesignEffect(difference[0], ratio[0] if ratio else math.nan, difference[1])


def widening_of(design: DesignEffect | None, scale: str) -> float:
    """Clustered over plain standard error, never below 1: that clusters lower it is more often chance."""
    found = math.nan if design is None else (design.ratio if scale == "ratio" else design.difference)
    return 1.0 if math.isnan(found) else math.sqrt(max(1.0, found))


def clustered_z(z: float, design: DesignEffect | None, scale: str) -> float:
    """A score statistic with its clustered error, as the z of the tail of Student's t with C - 1 degrees."""
    if design is None or math.isnan(z):
        return z
    from scipy.special import ndtri, stdtr

    t = z / widening_of(design, scale)
    tail = float(stdtr(design.clusters - 1, -abs(t)))
    return math.copysign(-float(ndtri(max(tail, 1e-300))), z)


def arm_design_effect(
    arm: str, sums: Sequence[UnitSums], products: Sequence[ClusterProducts]
) -> tuple[float, int] | None:
    """The same of one arm's pooled rate, with the number of clusters."""
    rows = [each for each in sums if each.arm == arm and each.units]
    units = sum(each.units for each in rows)
    return _variance_ratio(
        [(arm, each.stratum) for each in rows],
        [(each.replied, each.units) for each in rows],
        [each.units / units for each in rows],
        products,
    )


def lone_cluster_warnings(products: Sequence[ClusterProducts]) -> list[str]:
    """What cannot be told of arms all of whose leads are in one cluster: its level from that of the arm."""
    most: dict[str, int] = {}
    for each in products:
        if (each.arm, each.stratum) == (each.other_arm, each.other_stratum):
            most[each.arm] = max(most.get(each.arm, 0), each.clusters)
    lone = [arm for arm, clusters in most.items() if clusters == 1]
    if not lone:
        return []
    pairs = [each for each in products if each.arm != each.other_arm]
    if len(lone) == len(most) and pairs and all(each.clusters == 1 for each in pairs):
        told = (
            "All leads are in one mailbox or domain (cluster): how alike those of one are cannot be told, so "
            "they are taken for independent of each other, and the result is of that one only."
        )
    else:
        told = (
            f"All leads of {' and of '.join(lone)} are in one mailbox or domain (cluster): what is peculiar "
            "to it looks like an effect of the model, and the intervals do not allow for that."
        )
    return [told]


def _variance_ratio(
    names: Sequence[tuple[str, str]],
    counted: Sequence[tuple[int, int]],
    slopes: Sequence[float],
    products: Sequence[ClusterProducts],
) -> tuple[float, int] | None:
    """Clustered over plain variance of the sum of slope · rate, and how many clusters the cells are of."""
    place = {name: number for number, name in enumerate(names)}
    table: dict[tuple[int, int], ClusterProducts] = {}
    for product in products:
        one = place.get((product.arm, product.stratum))
        two = place.get((product.other_arm, product.other_stratum))
        if one is not None and two is not None:
            table[one, two] = product
    if not names or any((number, number) not in table for number in place.values()):
        return None
    # Where those of both arms together were not counted there are at least as many as of the largest cell.
    clusters = max(max(each.arms_clusters, each.clusters) for each in table.values())
    if clusters < 2:
        return None
    rate = [x / n for x, n in counted]
    clustered = math.fsum(
        slopes[i] * slopes[j] / (counted[i][1] * counted[j][1])
        * (
            product.replied_replied
            - rate[j] * table[j, i].units_replied
            - rate[i] * product.units_replied
            + rate[i] * rate[j] * product.units_units
        )
        for (i, j), product in table.items()
    )  # fmt: skip
    plain = math.fsum(b**2 * p * (1 - p) / n for b, p, (_, n) in zip(slopes, rate, counted, strict=True))
    if plain <= 0:
        return math.nan, clusters
    return clusters / (clusters - 1) * clustered / plain, clusters


def effective_counts(cells: Cells) -> tuple[tuple[int, int], tuple[int, int]]:
    """Counts (x, n) of each arm that have its standardised rate with that rate's variance: what a method
    that knows no strata may be given. With one stratum they are the counts themselves.
    """
    if len(cells.strata) == 1:
        return (cells.x1[0], cells.n1[0]), (cells.x2[0], cells.n2[0])
    found = []
    total = cells.information
    for ns, rate in ((cells.n1, cells.rates[0]), (cells.n2, cells.rates[1])):
        # A rate of 0 or 1 has no variance by which to tell n; units are all that is known.
        variance = math.fsum(
            (w / total) ** 2 * rate * (1 - rate) / n for w, n in zip(cells.weights, ns, strict=True)
        )
        units = sum(ns) if variance == 0 else rate * (1 - rate) / variance
        n = max(1, round(units))
        found.append((min(n, round(rate * n)), n))
    return found[0], found[1]
