"""Strengths of players from who beat whom: Bradley-Terry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, ndtri

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import check_confidence, finite_array
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["BradleyTerry", "bradley_terry", "bradley_terry_estimate"]

_STEPS = 200
_CLOSE = 1e-12


@shown
class BradleyTerry(NamedTuple):
    """Log strengths of k players and how far they may be off; NaN throughout where none can be told."""

    log_strengths: NDArray[np.float64]
    """k numbers with mean zero."""
    covariance: NDArray[np.float64]
    """k x k, of the log strengths about their mean. The variance of the difference of i and j is
    covariance[i, i] + covariance[j, j] - 2 covariance[i, j], whatever the scale is centred on."""
    intervals: tuple[Interval, ...]
    """Wald intervals, one per player, against the mean player."""

    def difference(self, i: int, j: int) -> tuple[float, float]:
        """Log strength of player `i` less that of `j`, and its standard error."""
        spread = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        return float(self.log_strengths[i] - self.log_strengths[j]), math.sqrt(spread)


def bradley_terry(wins: ArrayLike) -> NDArray[np.float64]:
    """Log strengths with mean zero by maximum likelihood; `wins[i][j]` is how often i beat j.

    P(i beats j) = 1 / (1 + exp(s_j - s_i)): Bradley and Terry (1952), Biometrika 39:324. A tie counts half
    a win for each. NaN throughout where no finite strengths are the likeliest: some group of players
    (one alone, too) never lost to the others, or never met them. Raises UsageError.

    >>> print(bradley_terry([[0, 3], [1, 0]]).round(4))
    [ 0.5493 -0.5493]
    """
    return bradley_terry_estimate(wins).log_strengths


def bradley_terry_estimate(wins: ArrayLike, confidence: float = 0.95) -> BradleyTerry:
    """As `bradley_terry`, with the covariance and an interval for each strength.

    The covariance is the inverse of the observed information among strengths that sum to zero. It takes
    every game as independent: where items are shared by games, draw items with `bootstrap_interval`. Raises
    UsageError.

    >>> difference, standard_error = bradley_terry_estimate([[0, 3], [1, 0]]).difference(0, 1)
    >>> print(f"{difference:.4f} {standard_error:.4f}")
    1.0986 1.1547
    """
    check_confidence(confidence)
    won = finite_array("wins", wins, dimensions=(2,))
    k = len(won)
    if won.shape != (k, k) or k < 2:
        raise UsageError(f"wins must be a square table of two players or more, not {won.shape}.")
    if (won < 0).any():
        raise UsageError("wins must not be negative.")
    if np.diagonal(won).any():
        raise UsageError("wins has games of a player against itself; its diagonal must be zero.")
    groups, _ = connected_components(won > 0, directed=True, connection="strong")
    if groups > 1:
        unknown = np.full(k, math.nan)
        return BradleyTerry(unknown, np.full((k, k), math.nan), (UNKNOWN_INTERVAL,) * k)
    strengths, covariance = _maximise(won)
    half = float(ndtri(0.5 + confidence / 2)) * np.sqrt(np.diagonal(covariance))
    ends = zip(strengths - half, strengths + half, strict=True)
    return BradleyTerry(strengths, covariance, tuple(Interval(float(low), float(high)) for low, high in ends))


def _maximise(won: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Newton's steps on the concave log likelihood, each halved until it climbs."""
    games = won + won.T
    strengths = np.zeros(len(won))
    height = _log_likelihood(strengths, won)
    for _ in range(_STEPS):
        gradient, information = _derivatives(strengths, won, games)
        step = np.linalg.pinv(information, hermitian=True) @ gradient
        if np.abs(step).max() < _CLOSE:
            break
        share = 1.0
        while share > _CLOSE and (climbed := _log_likelihood(strengths + share * step, won)) < height:
            share /= 2
        if share <= _CLOSE:
            break
        strengths, height = strengths + share * step, climbed
        strengths -= strengths.mean()
    _, information = _derivatives(strengths, won, games)
    return strengths, np.asarray(np.linalg.pinv(information, hermitian=True), dtype=float)


def _log_likelihood(strengths: NDArray[np.float64], won: NDArray[np.float64]) -> float:
    return float(-(won * np.logaddexp(0, strengths[None, :] - strengths[:, None])).sum())


def _derivatives(
    strengths: NDArray[np.float64], won: NDArray[np.float64], games: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    chance = expit(strengths[:, None] - strengths[None, :])
    gradient = (won - games * chance).sum(axis=1)
    weight = games * chance * chance.T
    return gradient, np.diag(weight.sum(axis=1)) - weight
