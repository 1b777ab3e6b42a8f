"""Whether a router knows more than a coin.

Sending a tenth of all prompts to a weaker model may well stay within a tolerance, with a coin as with a
router. What the router adds is the quality of its choices above that of a coin which asks each model equally
often: the covariance of its choices and the scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval
from llmbench.stats.means import standard_error_of_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Gain", "gain_over_a_coin"]


class Gain(NamedTuple):
    """Mean over all thresholds of routed quality above that of a coin with the same shares."""

    difference: float
    """Of scores in 0..1. Between two models, (APGR - 0.5) times their gap."""
    interval: Interval
    """Two-sided, of 1 - 2 · the level of the claim."""
    p_value: float
    """One-sided, of no gain."""
    n: int


def gain_over_a_coin(
    choices: NDArray[np.intp],
    scores: NDArray[np.float64],
    units: NDArray[np.intp],
    level: float = 0.025,
) -> Gain:
    """The gain of `choices` (prompts x thresholds: the place of a model) by `scores` (prompts x models).

    Student's t with one degree less than there are independent `units`, one number per prompt. NaN of fewer
    than two units, or of choices that never differ.

    >>> choices, scores = np.array([[0], [0], [1], [1]]), np.array([[1, 1], [1, 1], [0, 1], [0, 1.0]])
    >>> gain_over_a_coin(choices, scores, np.arange(4)).difference
    0.25
    """
    from scipy.special import stdtr, stdtrit

    n, models = scores.shape
    shares = np.stack([(choices == place).mean(axis=1) for place in range(models)], axis=1)
    centred = shares - shares.mean(axis=0)
    terms = (centred * (scores - scores.mean(axis=0))).sum(axis=1)
    clusters = int(units.max(initial=-1)) + 1
    if n < 2 or clusters < 2 or not centred.any():
        return Gain(math.nan, UNKNOWN_INTERVAL, math.nan, n)
    difference = float(terms.mean())
    error = standard_error_of_mean(terms - difference, units)[0]
    if not error > 0:
        return Gain(difference, UNKNOWN_INTERVAL, math.nan, n)
    half = float(stdtrit(clusters - 1, 1 - level)) * error
    p_value = float(stdtr(clusters - 1, -difference / error))
    return Gain(difference, Interval(difference - half, difference + half), p_value, n)
