from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from llmbench.errors import UsageError
from llmbench.stats import bradley_terry, bradley_terry_estimate

# 1987 American League, eastern division, wins of the row over the column in the order Milwaukee, Detroit,
# Toronto, New York, Boston, Cleveland, Baltimore: Agresti (2002), Categorical Data Analysis, table 10.10.
BASEBALL = [
    [0, 7, 9, 7, 7, 9, 11],
    [6, 0, 7, 5, 11, 9, 9],
    [4, 6, 0, 7, 7, 8, 12],
    [6, 8, 6, 0, 6, 7, 10],
    [6, 2, 6, 7, 0, 7, 12],
    [4, 4, 5, 6, 6, 0, 6],
    [2, 4, 1, 3, 1, 7, 0],
]
# Citations among Biometrika, Communications in Statistics, JASA and JRSS-B; the cited
# one wins: Stigler (1994).
JOURNALS = [[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]]


def test_published_baseball() -> None:
    found = bradley_terry_estimate(BASEBALL)
    above_baltimore = [found.difference(team, 6) for team in range(6)]
    assert [round(strength, 3) for strength, _ in above_baltimore] == [
        1.581,
        1.436,
        1.294,
        1.248,
        1.108,
        0.684,
    ]
    errors = [error for _, error in above_baltimore]
    assert (round(min(errors), 3), round(max(errors), 3)) == (0.332, 0.343)


def test_published_journals() -> None:
    found = bradley_terry_estimate(JOURNALS)
    against_biometrika = [found.difference(journal, 0) for journal in (1, 2, 3)]
    assert [round(strength, 4) for strength, _ in against_biometrika] == [-2.9491, -0.4796, 0.2690]
    assert [error for _, error in against_biometrika] == pytest.approx([0.1026, 0.0606, 0.0708], abs=1e-4)


def test_is_the_maximum_of_the_likelihood_with_mean_zero() -> None:
    random = np.random.default_rng(5)
    for _ in range(5):
        wins = random.integers(1, 20, size=(5, 5)) / 2.0
        np.fill_diagonal(wins, 0)

        def loss(free: np.ndarray, wins: np.ndarray = wins) -> float:
            strengths = np.append(free, -free.sum())
            return float(
                sum(
                    wins[i, j] * math.log1p(math.exp(strengths[j] - strengths[i]))
                    for i in range(5)
                    for j in range(5)
                )
            )

        best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
        found = bradley_terry(wins)
        assert found == pytest.approx(np.append(best, -best.sum()), abs=1e-5)
        assert found.sum() == pytest.approx(0, abs=1e-12)


def test_two_players_are_a_logit_with_its_delta_method_error() -> None:
    found = bradley_terry_estimate([[0, 30], [10, 0]])
    difference, error = found.difference(0, 1)
    assert difference == pytest.approx(math.log(3))
    assert error == pytest.approx(math.sqrt(1 / 30 + 1 / 10))
    low, high = found.intervals[0]
    assert (low + high) / 2 == pytest.approx(math.log(3) / 2)
    assert high - low == pytest.approx(2 * 1.959964 * error / 2, rel=1e-6)


def test_intervals_cover_as_often_as_they_say() -> None:
    random = np.random.default_rng(20250123)
    truth = np.array([0.6, 0.1, -0.2, -0.5])
    chance = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    covered = []
    for _ in range(400):
        wins = np.zeros((4, 4))
        for i in range(4):
            for j in range(i):
                wins[i, j] = random.binomial(60, chance[i, j])
                wins[j, i] = 60 - wins[i, j]
        covered.extend(
            low <= strength <= high
            for strength, (low, high) in zip(truth, bradley_terry_estimate(wins).intervals, strict=True)
        )
    assert 0.93 < np.mean(covered) < 0.97


@pytest.mark.parametrize(
    "wins",
    [
        pytest.param([[0, 5, 3], [0, 0, 2], [0, 3, 0]], id="one never lost"),
        pytest.param([[0, 5, 0], [5, 0, 0], [0, 0, 0]], id="one never played"),
        pytest.param(
            [[0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 1, 0]], id="two groups that never met"
        ),
    ],
)
def test_what_has_no_finite_strengths_is_unknown(wins: list[list[int]]) -> None:
    found = bradley_terry_estimate(wins)
    assert np.isnan(found.log_strengths).all()
    assert all(math.isnan(low) and math.isnan(high) for low, high in found.intervals)


def test_lopsided_results_converge() -> None:
    chain = np.zeros((8, 8))
    for i in range(7):
        chain[i, i + 1], chain[i + 1, i] = 100_000, 1
    found = bradley_terry(chain)
    assert np.diff(found) == pytest.approx([-math.log(100_000)] * 7, rel=1e-6)


@pytest.mark.parametrize(
    ("wins", "message"),
    [
        ([[0, 1, 2], [1, 0, 1]], "square"),
        ([[0]], "two players"),
        ([[0, -1], [1, 0]], "negative"),
        ([[1, 1], [1, 0]], "against itself"),
        ([[0, None], [1, 0]], "missing"),
    ],
)
def test_what_cannot_be_meant(wins: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bradley_terry(wins)  # type: ignore[arg-type]
