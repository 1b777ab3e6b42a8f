"""Gates of the fixed-sample statistics, by exact enumeration of all outcomes that matter.

Nothing is simulated: the chance of every pair of counts is known, so that coverage and each tail are exact
(but for outcomes of a total chance below 1e-5, which are counted as missed on both sides).
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.stats import binom

from llmbench.stats import margin_test, rate_difference_interval, rate_ratio_interval

RATES = (0.01, 0.02, 0.03, 0.05)
SPLITS = (0.5, 0.9)
FAST, SLOW = (200,), (2000, 20_000)

LEAST_COVERAGE = 0.945
LARGEST_TAIL = 0.035
LARGEST_CORRECTED_TAIL = 0.03
LARGEST_LEVEL = 0.03

LEANING = {(200, rate): "a small arm of 20" for rate in RATES} | {
    (2000, 0.01): "2 replies expected in the small arm",
    (2000, 0.02): "4 replies expected in the small arm",
}
"""Of a 90/10 split: where the uncorrected score intervals miss on one side in 3.6% to 4.2% of samples,
above the gate. The skewness correction is what these call for."""


class Coverage(NamedTuple):
    covered: float
    below: float
    """Chance that the whole interval lies below the truth."""
    above: float
    """Chance that the whole interval lies above the truth."""


class Outcomes(NamedTuple):
    n1: int
    n2: int
    counts: tuple[tuple[int, int], ...]
    chances: tuple[float, ...]


@cache
def _outcomes(n: int, split: float, p1: float, p2: float) -> Outcomes:
    """Outcomes in order of their chance, until the rest has less than 1e-5."""
    n1 = round(n * split)
    n2 = n - n1
    first, second = binom.pmf(np.arange(n1 + 1), n1, p1), binom.pmf(np.arange(n2 + 1), n2, p2)
    x1, x2 = np.flatnonzero(first > 1e-9), np.flatnonzero(second > 1e-9)
    chances = np.outer(first[x1], second[x2])
    order = np.argsort(-chances, axis=None)
    kept = order[: 1 + np.searchsorted(np.cumsum(chances.ravel()[order]), 1 - 1e-5)]
    rows, columns = np.unravel_index(kept, chances.shape)
    counts = tuple(zip(x1[rows].tolist(), x2[columns].tolist(), strict=True))
    return Outcomes(n1, n2, counts, tuple(chances.ravel()[kept].tolist()))


@cache
def _coverage(n: int, split: float, rate: float, scale: str, method: Any) -> Coverage:
    outcomes = _outcomes(n, split, rate, rate)
    interval = rate_difference_interval if scale == "difference" else rate_ratio_interval
    truth = 0.0 if scale == "difference" else 1.0
    below = above = 0.0
    for (x1, x2), chance in zip(outcomes.counts, outcomes.chances, strict=True):
        low, high = interval(x1, outcomes.n1, x2, outcomes.n2, method=method)
        below += chance * (high < truth)
        above += chance * (low > truth)
    left_out = 1 - sum(outcomes.chances)
    return Coverage(1 - below - above - left_out, below + left_out, above + left_out)


def _level(
    n: int, split: float, rate: float, margin: float, scale: Any, alternative: Any, method: Any
) -> float:
    """Chance that a test at .025 rejects a margin that is exactly the truth."""
    p1 = rate * margin if scale == "ratio" else rate + margin
    outcomes = _outcomes(n, split, p1, rate)
    rejected = sum(
        chance
        for (x1, x2), chance in zip(outcomes.counts, outcomes.chances, strict=True)
        if margin_test(x1, outcomes.n1, x2, outcomes.n2, margin, scale, alternative, method).p_value <= 0.025
    )
    return rejected + 1 - sum(outcomes.chances)


def _sizes(*numbers: int) -> Any:
    """Every split and rate of these sizes; the larger ones only among the gates that take minutes."""
    return pytest.mark.parametrize(
        ("n", "split", "rate"),
        [
            pytest.param(n, split, rate, marks=() if n in FAST else pytest.mark.statistics)
            for n in numbers
            for split in SPLITS
            for rate in RATES
        ],
    )


@_sizes(*FAST, *SLOW)
@pytest.mark.parametrize(
    ("scale", "method"),
    [
        ("difference", "miettinen-nurminen"),
        ("difference", "newcombe"),
        ("ratio", "miettinen-nurminen"),
    ],
)
def test_score_and_newcombe_intervals_cover(
    n: int, split: float, rate: float, scale: str, method: str
) -> None:
    found = _coverage(n, split, rate, scale, method)
    assert found.covered >= LEAST_COVERAGE
    if split == 0.9 and (n, rate) in LEANING:
        # Finding, not wish: this is why the correction exists. If it ever passes, the table is wrong.
        assert LARGEST_TAIL < max(found.below, found.above) <= 0.045
    else:
        assert max(found.below, found.above) <= LARGEST_TAIL


@_sizes(*FAST, *SLOW)
@pytest.mark.parametrize("scale", ["difference", "ratio"])
def test_skewness_corrected_interval_covers_with_even_tails(
    n: int, split: float, rate: float, scale: str
) -> None:
    found = _coverage(n, split, rate, scale, "scas")
    assert found.covered >= LEAST_COVERAGE
    assert max(found.below, found.above) <= LARGEST_CORRECTED_TAIL


@_sizes(*FAST, 2000)
def test_the_gate_fails_a_wald_interval(n: int, split: float, rate: float) -> None:
    """A gate that everything passes shows nothing: the textbook interval must not get through it."""
    if split == 0.9:
        found = _coverage(n, split, rate, "difference", "wald")
        assert found.covered < LEAST_COVERAGE
        assert max(found.below, found.above) > LARGEST_TAIL


@_sizes(*FAST, 2000)
@pytest.mark.parametrize("alternative", ["greater", "less"])
@pytest.mark.parametrize(
    ("margin", "scale"), [(0.8, "ratio"), (0.9, "ratio"), (1.25, "ratio"), (-0.005, "difference")]
)
def test_level_at_the_margin(
    n: int, split: float, rate: float, margin: float, scale: str, alternative: str
) -> None:
    """The truth lies exactly on the margin, and is called beyond it in at most 3% of samples."""
    assert _level(n, split, rate, margin, scale, alternative, "scas") <= LARGEST_LEVEL


def test_the_level_gate_fails_an_uncorrected_test() -> None:
    """In the direction that the small arm leans to."""
    levels = [
        _level(200, 0.9, 0.03, 0.8, "ratio", alternative, "miettinen-nurminen")
        for alternative in ("greater", "less")
    ]
    assert max(levels) > LARGEST_LEVEL
