from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from llmbench.abtest import Plan
from llmbench.abtest.bounds import repeated_p_value
from llmbench.abtest.look_scale import LookScale, look_scale

PLAN = Plan("mail-7", control="c", looks=4)
DRAWN = np.random.default_rng(3).gamma(4.0, 1.0, 4000) - 4.0
"""Skewed, mean 0, standard deviation 2."""


@pytest.mark.parametrize("rule", ["fixed", "group-sequential"])
def test_an_only_look_is_taken_as_it_is(rule: str) -> None:
    plan = Plan("mail-7", control="c", stopping_rule=rule)  # type: ignore[arg-type]
    scale = look_scale(plan, (1.0,))
    limits = np.quantile(DRAWN, [0.025, 0.975])
    assert tuple(scale.interval(0.0, DRAWN)) == pytest.approx(tuple(limits), rel=0.01)
    assert scale.look_confidence == pytest.approx(0.95, abs=1e-9)
    assert scale.probability(0.0, DRAWN) == pytest.approx(np.mean(DRAWN > 0), abs=1e-3)


def test_without_looks_there_is_nothing_to_allow_for() -> None:
    assert look_scale(PLAN, ()) == LookScale(0.95, look_confidence=0.95)


@pytest.mark.parametrize(("looks", "bound"), [(1, 4.332634), (2, 2.963131), (3, 2.359044), (4, 2.014090)])
def test_each_side_is_stretched_to_the_published_bound_of_its_look(looks: int, bound: float) -> None:
    scale = look_scale(PLAN, [(look + 1) / 4 for look in range(looks)])
    low, high = np.quantile(DRAWN, [0.025, 0.975], method="weibull")
    found = scale.interval(0.5, DRAWN)
    assert found.low == pytest.approx(0.5 + bound / 1.959964 * (low - 0.5), rel=1e-5)
    assert found.high == pytest.approx(0.5 + bound / 1.959964 * (high - 0.5), rel=1e-5)
    assert scale.look_confidence == pytest.approx(1 - 2 * NormalDist().cdf(-bound), abs=1e-7)


@pytest.mark.parametrize("share", [0.6, 0.93, 0.985, 0.9994])
@pytest.mark.parametrize("looks", [1, 2, 3, 4])
def test_a_probability_is_what_the_repeated_p_value_leaves(looks: int, share: float) -> None:
    fractions = [(look + 1) / 4 for look in range(looks)]
    scale = look_scale(PLAN, fractions)
    drawn = np.ones(10_000)
    drawn[: round((1 - share) * 10_000)] = -1.0
    z = NormalDist().inv_cdf(share)
    exact = 1 - min(0.5, repeated_p_value(PLAN, fractions, z))
    assert scale.probability(1.0, drawn) == pytest.approx(exact, abs=0.002)
    # The mirror image is as sure of the opposite.
    assert scale.probability(-1.0, -drawn) == pytest.approx(1 - exact, abs=0.002)


def test_where_all_draws_are_above_zero_the_distance_tells() -> None:
    scale = look_scale(PLAN, (0.25,))
    near, far = (scale.probability(z, np.array([z - 1.0, z + 1.0] * 500)) for z in (3.5, 9.0))
    assert 0.5 < near < 0.975 < far < 1
    assert scale.probability(0.2, np.full(100, 0.2)) > 0.999
    assert scale.probability(-0.2, np.full(100, -0.2)) < 0.001


def test_anytime_asks_for_what_the_confidence_sequence_does() -> None:
    from llmbench.stats.difference_sequence import asymptotic_half_widths

    plan = Plan("mail-7", control="c", stopping_rule="anytime")
    scale = look_scale(plan, (0.1, 0.4))
    x1, n1, x2, n2 = 400.0, 10_000.0, 500.0, 10_000.0
    error = math.sqrt(x1 / n1 * (1 - x1 / n1) / n1 + x2 / n2 * (1 - x2 / n2) / n2)
    half = float(asymptotic_half_widths(x1, n1, x2, n2, 50_000, 0.025, two_sided=False))
    assert scale.stretch * 1.959964 == pytest.approx(half / error, rel=1e-6)


def test_anytime_without_a_number_of_planned_leads_says_nothing() -> None:
    plan = Plan("mail-7", control="c", stopping_rule="anytime")
    scale = look_scale(plan, (0.0,))
    assert tuple(scale.interval(0.5, DRAWN)) == (-math.inf, math.inf)
    assert scale.probability(0.5, DRAWN) == 0.5
