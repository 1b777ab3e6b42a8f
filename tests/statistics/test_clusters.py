"""Several messages to a lead: a lead's replies go together, so a lead is the unit and a message is not.

Leads get 1 to 6 messages and reply with a probability of their own, drawn from a beta distribution, so the
replies of a lead are beta-binomial with the intra-lead correlation asked for. Arms are alike. What is
compared are the replies per message; the sums over leads are enough for it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import betabinom

from llmbench.stats import ratio_of_totals
from tests.statistics.draws import SEED, errs_at_most, errs_more_than, lower_limit, upper_limit

Numbers = NDArray[np.float64]

RATE, Z = 0.05, 1.959964
MESSAGES = np.arange(1, 7)
KINDS = [(m, k) for m in MESSAGES for k in range(m + 1)]
"""Messages and replies of a lead."""


class Arm(NamedTuple):
    """Sums over the leads of an arm, one value per run."""

    leads: int
    messages: Numbers
    replies: Numbers
    messages_squared: Numbers
    replies_squared: Numbers
    messages_replies: Numbers

    @property
    def rate(self) -> Numbers:
        return self.replies / self.messages

    def variance_by_lead(self) -> Numbers:
        """Delta method (Deng, Knoblich and Lu 2018): the variance of replies - rate · messages of a lead."""
        rate = self.rate
        squares = self.replies_squared - 2 * rate * self.messages_replies + rate**2 * self.messages_squared
        return squares / self.messages**2 * self.leads / (self.leads - 1)

    def variance_by_message(self) -> Numbers:
        return self.rate * (1 - self.rate) / self.messages


def chances(correlation: float) -> Numbers:
    total = 1 / correlation - 1
    return np.array([betabinom(m, RATE * total, (1 - RATE) * total).pmf(k) / len(MESSAGES) for m, k in KINDS])


def draw_arm(rng: np.random.Generator, leads: int, correlation: float, runs: int) -> tuple[Arm, Numbers]:
    counts = rng.multinomial(leads, chances(correlation), size=runs).astype(float)
    m, k = np.array(KINDS, dtype=float).T
    return Arm(leads, *(counts @ each for each in (m, k, m * m, k * k, m * k))), counts


def rejections(correlation: float, leads: tuple[int, int], runs: int, *, by_lead: bool) -> tuple[int, int]:
    rng = np.random.default_rng(SEED)
    one, two = (draw_arm(rng, each, correlation, runs)[0] for each in leads)
    variances = [arm.variance_by_lead() if by_lead else arm.variance_by_message() for arm in (one, two)]
    z = (one.rate - two.rate) / np.sqrt(variances[0] + variances[1])
    return int((np.abs(z) >= Z).sum()), runs


SPLITS = [(5_000, 5_000), (18_000, 2_000)]


@pytest.mark.statistics
@pytest.mark.parametrize("leads", SPLITS)
@pytest.mark.parametrize("correlation", [0.1, 0.2, 0.3])
def test_delta_method_keeps_its_error(correlation: float, leads: tuple[int, int]) -> None:
    found, runs = rejections(correlation, leads, 40_000, by_lead=True)
    assert lower_limit(found, runs) >= 0.04
    assert upper_limit(found, runs) <= 0.06


@pytest.mark.statistics
@pytest.mark.parametrize("leads", SPLITS)
@pytest.mark.parametrize("correlation", [0.1, 0.2, 0.3])
def test_the_gate_refuses_a_z_of_messages(correlation: float, leads: tuple[int, int]) -> None:
    found, runs = rejections(correlation, leads, 40_000, by_lead=False)
    assert errs_more_than(0.07, found, runs)
    assert not errs_at_most(0.06, found, runs)


def test_delta_method_and_messages_in_a_few_runs() -> None:
    found, runs = rejections(0.2, SPLITS[0], 4_000, by_lead=True)
    assert lower_limit(found, runs) <= 0.06
    assert upper_limit(found, runs) >= 0.04
    assert errs_more_than(0.07, *rejections(0.2, SPLITS[0], 4_000, by_lead=False))


def test_the_packages_ratio_of_totals_is_this_delta_method() -> None:
    arm, counts = draw_arm(np.random.default_rng(SEED), 500, 0.2, 3)
    for run in range(3):
        leads = np.repeat(np.array(KINDS), counts[run].astype(int), axis=0)
        ratio, error = ratio_of_totals(leads[:, 1], leads[:, 0])
        assert ratio == pytest.approx(arm.rate[run])
        assert error**2 == pytest.approx(arm.variance_by_lead()[run])


def test_the_correlation_of_a_leads_replies_is_the_one_asked_for() -> None:
    m, k = np.array(KINDS).T
    pairs = np.where(m == 2, chances(0.3), 0.0)
    pairs = pairs / pairs.sum()
    both = pairs[k == 2].sum()
    assert (both - RATE**2) / (RATE * (1 - RATE)) == pytest.approx(0.3)
