"""Rates of arms as a Bayesian sees them: independent beta posteriors, integrals by quadrature.

All integrals run over one dimension, the logit of a rate, cut into panels at the quantiles of every
posterior involved, so that posteriors of any width and distance are resolved. Jeffreys' prior by default.
Expected loss: Stucchio (2015), "Bayesian A/B testing at VWO".
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincc, betaincinv, expit, log_expit, logit, ndtr

from llmbench.errors import UsageError
from llmbench.stats.checks import check_concentration, check_positive, finite_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["expected_loss", "probability_best", "probability_ratio_above"]

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_CUTS = ndtr(np.arange(-8.0, 0.5))
"""Quantiles at which panels begin: each standard deviation up to the eighth, to the middle."""
_WIDEST = 1.0


def probability_best(
    successes: ArrayLike, totals: ArrayLike, prior: tuple[float, float] = (0.5, 0.5)
) -> NDArray[np.float64]:
    """Probability that an arm's rate is the highest of all, one per arm; they sum to 1.

    `successes` and `totals` are one per arm, `prior` the parameters of the beta prior of each rate. Not
    a p-value: looking until it is high finds a winner among equals. Raises UsageError.

    >>> print(probability_best([1580, 1700, 1550], [31500, 32000, 31000]).round(6))
    [0.041198 0.925434 0.033368]
    """
    a, b = _posteriors(successes, totals, prior)
    nodes, weights = _quadrature(_cuts(a, b))
    below = betainc(a[:, None], b[:, None], expit(nodes))
    found = np.array(
        [
            (_mass(a[arm], b[arm], nodes, weights) * np.delete(below, arm, axis=0).prod(axis=0)).sum()
            for arm in range(len(a))
        ]
    )
    return np.asarray(found / found.sum())


def expected_loss(
    successes: ArrayLike, totals: ArrayLike, prior: tuple[float, float] = (0.5, 0.5)
) -> NDArray[np.float64]:
    """What choosing an arm loses on average against the best one, E[highest rate - its rate], per arm.

    In the unit of the rate (0.001 is 1 reply in 1,000). Arguments as in `probability_best`.

    >>> print(expected_loss([49, 51], [100, 100], prior=(1, 1)).round(4))
    [0.0387 0.0191]
    """
    a, b = _posteriors(successes, totals, prior)
    nodes, weights = _quadrature(_cuts(a, b))
    rates = expit(nodes)
    below = betainc(a[:, None], b[:, None], rates)
    above = betaincc(a[:, None], b[:, None], rates)
    with np.errstate(divide="ignore"):
        # log of the probability of "below", exact at both of its ends
        logs = np.where(below < 0.5, np.log(below), np.log1p(-above))
    # E[max - mine] is the integral over all x of P(mine < x < the best of the others).
    slope = weights * rates * expit(-nodes)
    return np.array(
        [
            (slope * below[arm] * -np.expm1(np.delete(logs, arm, axis=0).sum(axis=0))).sum()
            for arm in range(len(a))
        ]
    )


def probability_ratio_above(
    successes: ArrayLike, totals: ArrayLike, ratio: float = 1.0, prior: tuple[float, float] = (0.5, 0.5)
) -> float:
    """Probability that the first arm's rate is more than `ratio` times the second's; two arms.

    A ratio of 0.9 asks whether the first keeps 90% of the second's rate. Raises UsageError.

    >>> print(f"{probability_ratio_above([270, 30], [9000, 1000], 0.9):.4f}")
    0.7057
    """
    check_positive("ratio", ratio)
    a, b = _posteriors(successes, totals, prior)
    if len(a) != 2:
        raise UsageError(f"successes and totals must be of two arms, not {len(a)}.")
    # Cuts of the first arm's rate over the ratio, which is where its distribution is looked up.
    first = _cuts(a[:1], b[:1])
    moved = np.log(expit(first)) - np.log(ratio)
    moved = moved[moved < 0]
    nodes, weights = _quadrature(np.concatenate([_cuts(a[1:], b[1:]), moved - np.log(-np.expm1(moved))]))
    # Where the second's rate times the ratio exceeds 1, the first's cannot be above it.
    needed = np.minimum(1.0, np.exp(log_expit(nodes)) * ratio)
    found = (_mass(a[1], b[1], nodes, weights) * betaincc(a[0], b[0], needed)).sum()
    return float(np.clip(found, 0.0, 1.0))


def _cuts(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of the quantiles of the posteriors; from both ends, so that those near 1 keep their digits."""
    low = logit(betaincinv(a[:, None], b[:, None], _CUTS))
    high = -logit(betaincinv(b[:, None], a[:, None], _CUTS))
    found = np.concatenate([low.ravel(), high.ravel()])
    return np.asarray(found[np.isfinite(found)])


def _quadrature(cuts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes on the logit and their weights, panels beginning at each of the cuts."""
    edges = np.unique(cuts)
    wide = [
        np.linspace(start, stop, max(1, int(np.ceil((stop - start) / _WIDEST))), endpoint=False)
        for start, stop in pairwise(edges)
    ]
    edges = np.append(np.concatenate(wide), edges[-1])
    half = np.diff(edges)[:, None] / 2
    nodes = edges[:-1, None] + half * (1 + _POINTS)
    return nodes.ravel(), (half * _WEIGHTS).ravel()


def _mass(
    a: float, b: float, nodes: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability that stands for each node: by its own sum, since the beta function has too few digits
    left where millions were counted.
    """
    logs = a * log_expit(nodes) + b * log_expit(-nodes)
    found = weights * np.exp(logs - logs.max())
    return np.asarray(found / found.sum())


def _posteriors(
    successes: ArrayLike, totals: ArrayLike, prior: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, n = finite_array("successes", successes), finite_array("totals", totals)
    if x.shape != n.shape or len(x) < 2:
        raise UsageError(
            f"successes and totals must be one per arm, of two arms or more, not {len(x)} and {len(n)}."
        )
    if ((x < 0) | (x > n)).any() or (x != np.floor(x)).any() or (n != np.floor(n)).any():
        raise UsageError("successes must be whole numbers between 0 and totals, and totals whole numbers.")
    parameters = finite_array("prior", prior, (0, 1))
    if parameters.shape != (2,):
        raise UsageError(f"prior must be a pair of numbers, not {prior!r}.")
    alpha, beta = parameters
    if alpha <= 0 or beta <= 0:
        raise UsageError(f"prior must be two numbers above 0, not {prior!r}.")
    for place, parameter in enumerate(parameters.tolist()):
        check_concentration(parameter, f"prior[{place}]")
    return x + alpha, n - x + beta
