"""Experiments drawn by the thousand, and the methods that the gates compare, all on arrays of runs x looks.

A gate asks a method how often it errs. `errs_at_most` and `errs_more_than` leave the draw of the runs in
account: the first holds where the upper 99% limit of the share of errors is not above the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta as beta_distribution

from llmbench.abtest.margin_scores import margin_z
from llmbench.stats import alpha_spending_bounds
from llmbench.stats.difference_sequence import asymptotic_half_widths
from llmbench.stats.e_process import log_e_values_of_shares

Numbers = NDArray[np.float64]

DAYS = 28
ALPHA = 0.05
SEED = 20250123
LEAST_REPLIES = 10
"""Replies expected in the smaller arm before a planned look may be taken."""


@dataclass(frozen=True)
class Cell:
    """One experiment: 28 daily looks at arms of 90% and 10% of the units."""

    rate: float
    units_a_day: int
    share: float = 0.9
    """Of arm 1."""
    ratio: float = 1.0
    """True rate 1 over rate 2, and the null."""

    def fractions(self) -> Numbers:
        return np.arange(1, DAYS + 1) / DAYS

    def looks(self) -> NDArray[np.bool_]:
        smaller = min(self.share, 1 - self.share) * self.units_a_day * np.arange(1, DAYS + 1)
        return smaller * self.rate >= LEAST_REPLIES


@dataclass(frozen=True)
class Runs:
    """Totals up to each look: runs x looks."""

    x1: Numbers
    n1: Numbers
    x2: Numbers
    n2: Numbers

    def at(self, looks: NDArray[np.bool_]) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        return self.x1[:, looks], self.n1[:, looks], self.x2[:, looks], self.n2[:, looks]


def draw(cell: Cell, runs: int, seed: int = SEED) -> Runs:
    rng = np.random.default_rng(seed)
    n1 = rng.binomial(cell.units_a_day, cell.share, (runs, DAYS))
    n2 = cell.units_a_day - n1
    x1, x2 = rng.binomial(n1, cell.rate * cell.ratio), rng.binomial(n2, cell.rate)
    return Runs(*(each.cumsum(axis=1).astype(float) for each in (x1, n1, x2, n2)))


Method = Callable[[Cell, Runs, str], NDArray[np.bool_]]
"""Whether each run ever rejects the null of `cell.ratio`, for an alternative."""


def spending(kind: Any, *, skewness: bool = True) -> Method:
    def method(cell: Cell, runs: Runs, alternative: str) -> NDArray[np.bool_]:
        looks = cell.looks()
        if not looks.any():
            return np.zeros(len(runs.x1), dtype=bool)
        sides = 2 if alternative == "two-sided" else 1
        bounds = alpha_spending_bounds(cell.fractions()[looks], ALPHA, sides, kind)
        z = margin_z(*runs.at(looks), cell.ratio, skewness=skewness)
        return _beyond(z, bounds, alternative)

    return method


def e_process(cell: Cell, runs: Runs, alternative: str) -> NDArray[np.bool_]:
    odds = math.log(cell.share / (1 - cell.share))
    logs = log_e_values_of_shares(runs.x1, runs.x2, odds + math.log(cell.ratio), odds, alternative)  # type: ignore[arg-type]
    return np.asarray((logs >= math.log(1 / ALPHA)).any(axis=1))


def asymptotic_sequence(least_replies: int = 50) -> Method:
    """On the scale of differences: the margin at the control's true rate."""

    def method(cell: Cell, runs: Runs, alternative: str) -> NDArray[np.bool_]:
        table = (runs.x1, runs.n1, runs.x2, runs.n2)
        planned = cell.units_a_day * DAYS
        half = asymptotic_half_widths(*table, planned, ALPHA, two_sided=alternative == "two-sided")
        open_ = np.minimum(runs.x1, runs.x2) >= max(1, least_replies)
        distance = np.where(open_, runs.x1 / runs.n1 - runs.x2 / runs.n2 - cell.rate * (cell.ratio - 1), 0.0)
        return _beyond(distance / np.where(open_, half, 1.0), np.ones(DAYS), alternative)

    return method


def naive_z(cell: Cell, runs: Runs, alternative: str) -> NDArray[np.bool_]:
    """Wald's z with its variance of the observed rates, at 5% at each look."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = runs.x1 / runs.n1, runs.x2 / runs.n2
        spread = p1 * (1 - p1) / runs.n1 + cell.ratio**2 * p2 * (1 - p2) / runs.n2
        z = np.nan_to_num((p1 - cell.ratio * p2) / np.sqrt(spread))
    return _beyond(z, np.full(DAYS, 1.959964 if alternative == "two-sided" else 1.644854), alternative)


def _beyond(z: Numbers, bounds: Numbers, alternative: str) -> NDArray[np.bool_]:
    high, low = z >= bounds, z <= -bounds
    crossed = {"two-sided": high | low, "greater": high, "less": low}[alternative]
    return np.asarray(crossed.any(axis=1))


def errors(method: Method, cell: Cell, alternative: str, runs: int, batch: int = 20_000) -> tuple[int, int]:
    """Runs that reject the true null, and all runs."""
    found = sum(
        int(method(cell, draw(cell, min(batch, runs), SEED + start), alternative).sum())
        for start in range(0, runs, batch)
    )
    return found, runs


def upper_limit(found: int, runs: int, confidence: float = 0.99) -> float:
    """One-sided Clopper-Pearson."""
    return 1.0 if found == runs else float(beta_distribution.ppf(confidence, found + 1, runs - found))


def lower_limit(found: int, runs: int, confidence: float = 0.99) -> float:
    return 0.0 if found == 0 else float(beta_distribution.ppf(1 - confidence, found, runs - found + 1))


def errs_at_most(limit: float, found: int, runs: int) -> bool:
    """Shown to err no more often than `limit`."""
    return upper_limit(found, runs) <= limit


def errs_more_than(limit: float, found: int, runs: int) -> bool:
    """Shown to err more often than `limit`."""
    return lower_limit(found, runs) > limit
