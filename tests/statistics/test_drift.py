"""The base rate triples while the split goes from 50/50 to 90/10: Simpson's paradox. The arms are alike.

Each method looks every day of 28. Stratified by epoch it keeps its 5%; of pooled totals arm 1, which has
most of its units in the epoch of the higher rate, looks better for certain.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from llmbench.abtest.margin_scores import margin_z
from llmbench.stats import alpha_spending_bounds, reply_share_e_process, stratified_equality_test
from llmbench.stats.e_process import log_e_values_of_shares
from tests.statistics.draws import ALPHA, DAYS, SEED, errs_at_most, errs_more_than

Numbers = NDArray[np.float64]

EPOCHS = [(slice(0, 14), 0.5, 1.0), (slice(14, 28), 0.9, 3.0)]
"""Days, share of arm 1, factor on the base rate."""
RATES = [0.01, 0.03]
UNITS = 1_000


class Runs:
    """New units and replies of each day: runs x days."""

    def __init__(self, rate: float, runs: int) -> None:
        rng = np.random.default_rng(SEED)
        shares = np.concatenate([np.full(14, share) for _, share, _ in EPOCHS])
        rates = rate * np.concatenate([np.full(14, factor) for _, _, factor in EPOCHS])
        self.n1 = rng.binomial(UNITS, shares, (runs, DAYS))
        self.n2 = UNITS - self.n1
        self.x1, self.x2 = rng.binomial(self.n1, rates), rng.binomial(self.n2, rates)

    def totals(self) -> tuple[Numbers, ...]:
        return tuple(each.cumsum(axis=1).astype(float) for each in (self.x1, self.n1, self.x2, self.n2))

    def totals_of_epoch(self, days: slice) -> tuple[Numbers, ...]:
        """Up to each day; zero before the epoch, and what it came to after it."""
        inside = np.zeros(DAYS)
        inside[days] = 1
        return tuple((each * inside).cumsum(axis=1) for each in (self.x1, self.n1, self.x2, self.n2))


def stratified_e_process(runs: Runs) -> NDArray[np.bool_]:
    logs = np.zeros(runs.x1.shape)
    for days, share, _ in EPOCHS:
        x1, _, x2, _ = runs.totals_of_epoch(days)
        odds = math.log(share / (1 - share))
        logs += log_e_values_of_shares(x1, x2, odds, odds)
    return np.asarray((logs >= math.log(1 / ALPHA)).any(axis=1))


def pooled_e_process(runs: Runs) -> NDArray[np.bool_]:
    """With the share of arm 1 among all units so far, which is the mistake."""
    x1, n1, x2, n2 = runs.totals()
    found = np.zeros(len(x1), dtype=bool)
    for look in range(DAYS):
        odds = math.log(n1[:, look].mean() / n2[:, look].mean())
        logs = log_e_values_of_shares(x1[:, look], x2[:, look], odds, odds)
        found |= logs >= math.log(1 / ALPHA)
    return found


def stratified_spending(runs: Runs) -> NDArray[np.bool_]:
    """Cochran, Mantel and Haenszel's statistic by epoch, spent by its information."""
    score, information = np.zeros(runs.x1.shape), np.zeros(runs.x1.shape)
    for days, _, _ in EPOCHS:
        x1, n1, x2, n2 = runs.totals_of_epoch(days)
        total = np.maximum(n1 + n2, 2)
        rate = (x1 + x2) / total
        score += x1 - n1 * rate
        information += n1 * n2 / (total - 1) * rate * (1 - rate)
    expected = information.mean(axis=0)
    bounds = alpha_spending_bounds(expected / expected[-1], ALPHA)
    # Written without a division: a day may end without any reply.
    return np.asarray(((np.abs(score) >= bounds * np.sqrt(information)) & (information > 0)).any(axis=1))


def pooled_spending(runs: Runs) -> NDArray[np.bool_]:
    bounds = alpha_spending_bounds(np.arange(1, DAYS + 1) / DAYS, ALPHA)
    return np.asarray((np.abs(margin_z(*runs.totals(), 1.0)) >= bounds).any(axis=1))


@pytest.mark.statistics
@pytest.mark.parametrize("rate", RATES)
def test_stratified_methods_keep_their_error(rate: float) -> None:
    runs = Runs(rate, 40_000)
    assert errs_at_most(0.05, int(stratified_e_process(runs).sum()), 40_000)
    assert errs_at_most(0.055, int(stratified_spending(runs).sum()), 40_000)


@pytest.mark.statistics
@pytest.mark.parametrize("rate", RATES)
def test_the_gate_refuses_pooled_totals(rate: float) -> None:
    runs = Runs(rate, 4_000)
    for method in (pooled_e_process, pooled_spending):
        assert errs_more_than(0.5, int(method(runs).sum()), 4_000)


def test_stratified_and_pooled_in_a_few_runs() -> None:
    runs = Runs(0.03, 2_000)
    assert not errs_more_than(0.05, int(stratified_e_process(runs).sum()), 2_000)
    assert not errs_more_than(0.055, int(stratified_spending(runs).sum()), 2_000)
    assert errs_more_than(0.5, int(pooled_e_process(runs).sum()), 2_000)
    assert errs_more_than(0.5, int(pooled_spending(runs).sum()), 2_000)


def test_the_packages_e_process_is_the_stratified_one() -> None:
    runs = Runs(0.03, 3)
    shares = [share for days, share, _ in EPOCHS for _ in range(14)]
    for run in range(3):
        found = reply_share_e_process(runs.x1[run], runs.x2[run], shares)
        logs = np.zeros(DAYS)
        for days, share, _ in EPOCHS:
            x1, _, x2, _ = runs.totals_of_epoch(days)
            odds = math.log(share / (1 - share))
            logs += log_e_values_of_shares(x1[run], x2[run], odds, odds)
        assert list(found.log_e_values) == pytest.approx(logs.tolist(), abs=1e-9)


def test_the_packages_stratified_test_is_cochran_mantel_haenszels() -> None:
    runs = Runs(0.03, 3)
    tables = [[each[:, -1] for each in runs.totals_of_epoch(days)] for days, _, _ in EPOCHS]
    for run in range(3):
        x1, n1, x2, n2 = (np.array([table[place][run] for table in tables]) for place in range(4))
        rate = (x1 + x2) / (n1 + n2)
        information = n1 * n2 / (n1 + n2 - 1) * rate * (1 - rate)
        expected = (x1 - n1 * rate).sum() / math.sqrt(information.sum())
        assert stratified_equality_test(x1, n1, x2, n2).statistic == pytest.approx(expected, rel=1e-9)
