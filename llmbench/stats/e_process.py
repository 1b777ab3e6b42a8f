"""Evidence on the ratio of two rates that may be looked at at any time, as often as one likes.

Units come to arm 1 with a known probability and reply at rates whose ratio is r. Of those that reply, arm 1
then has the share r p1 / (r p1 + p2), whatever the base rate does from day to day: so the arms of the
replies are draws with that share, and a mixture of likelihood ratios of draws is an e-process, whose
chance of ever passing 1 / alpha is at most alpha (Ville 1939). Lindon and Malek (2022), "Anytime-valid
inference for multinomial count data", arXiv:2011.03567. The mixture: Howard et al. (2021), Ann. Stat.
49:1055.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, betaln, log_expit

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import (
    check_choice,
    check_concentration,
    check_confidence,
    check_positive,
    finite_array,
)
from llmbench.stats.intervals import Interval
from llmbench.stats.two_arms import Alternative

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ReplyShareEProcess", "log_e_values_of_shares", "reply_share_e_process"]

_FARTHEST = 60.0
"""Of the logarithm of a ratio."""
_LEAST_TAIL = 1e-280


@shown
class ReplyShareEProcess(NamedTuple):
    """What each look found; one value per look."""

    log_e_values: tuple[float, ...]
    """Natural logarithm of the evidence against the ratio tested. It passes ln(1 / a) at any look with a
    chance of at most a if that ratio, or one on its far side from the alternative, is true."""
    p_values: tuple[float, ...]
    """Always valid: 1 over the highest evidence so far, at most 1."""
    intervals: tuple[Interval, ...]
    """Of the ratio: all of them hold together with the confidence asked for. One-sided, the other end is
    0 or infinite."""

    @property
    def p_value(self) -> float:
        """Of the last look."""
        return self.p_values[-1]

    @property
    def interval(self) -> Interval:
        """Of the last look."""
        return self.intervals[-1]


def reply_share_e_process(
    replied1: ArrayLike,
    replied2: ArrayLike,
    share: ArrayLike,
    ratio: float = 1.0,
    alternative: Alternative = "two-sided",
    confidence: float = 0.95,
    concentration: float = 50.0,
    centre: float | None = 1.0,
) -> ReplyShareEProcess:
    """Always-valid test and interval of rate 1 over rate 2, from the counts of units that replied.

    `replied1[i]` and `replied2[i]` are the units of each arm that replied since the look before, not
    totals; each unit counts once, or the draws are not independent. `share` is the probability with which
    a unit is assigned to arm 1 among the two: one number, or one per look. Strata assigned side by side are
    columns: counts with one row per look and one column per stratum, and `share` like them or one per
    stratum. Replies of one and the same share add up; the evidence of different shares (epochs of weights,
    campaigns) multiplies. Pooling those would be Simpson's paradox.

    `ratio` is the null value: 1, or a margin such as 0.9 with alternative "greater" ("keeps more than 90%
    of it"). `concentration` is how many replies the mixture's beta distribution is worth; it is centred on
    the ratio `centre`, or with None on the null ratio itself. All three are fixed before the data.
    Raises UsageError.

    >>> found = reply_share_e_process([60, 58, 61], [60, 30, 33], share=0.5)
    >>> print([round(p, 3) for p in found.p_values])
    [1.0, 0.495, 0.03]
    >>> print(f"{found.interval.low:.3f} to {found.interval.high:.3f}")
    1.019 to 2.095
    """
    check_choice("alternative", alternative, ("two-sided", "greater", "less"))
    check_confidence(confidence)
    settings = _Mixture(alternative, *_check_mixture(ratio, concentration, centre))
    x1, x2, shares = _check_replies(replied1, replied2, share)
    logs, intervals = [], []
    for look in range(len(x1)):
        epochs = _epochs(x1[: look + 1], x2[: look + 1], shares[: look + 1])
        logs.append(settings.log_evidence(epochs, settings.log_ratio))
        intervals.append(_interval(settings, epochs, math.log(1 / (1 - confidence))))
    p_values = np.minimum.accumulate(np.exp(np.minimum(0.0, -np.array(logs))))
    return ReplyShareEProcess(tuple(logs), tuple(float(p) for p in p_values), tuple(intervals))


def log_e_values_of_shares(
    replied1: ArrayLike,
    replied2: ArrayLike,
    null_log_odds: float,
    centre_log_odds: float,
    alternative: Alternative = "two-sided",
    concentration: float = 50.0,
) -> NDArray[np.float64]:
    """Logarithms of the evidence of one epoch for arrays of totals so far, elementwise: for simulations.

    The log odds are of arm 1's share of the replies, under the null and where the mixture is centred:
    those of its assignment plus the logarithm of the ratio.
    """
    x1, x2 = np.asarray(replied1, dtype=float), np.asarray(replied2, dtype=float)
    a = np.float64(concentration * np.exp(log_expit(centre_log_odds)))
    b = np.float64(concentration * np.exp(log_expit(-centre_log_odds)))
    q, z = float(log_expit(null_log_odds)), float(log_expit(-null_log_odds))
    found = np.asarray(betaln(a + x1, b + x2) - betaln(a, b) - x1 * q - x2 * z)
    # One-sided, the mixture is cut off at the null: every share in it is beyond all that is to be refuted.
    if alternative == "greater":
        found += _log_tail(a + x1, b + x2, q, z) - _log_tail(a, b, q, z, at_most=True)
    elif alternative == "less":
        found += _log_tail(b + x2, a + x1, z, q) - _log_tail(b, a, z, q, at_most=True)
    return found


def _log_tail(
    first: ArrayLike, second: ArrayLike, log_q: float, log_z: float, *, at_most: bool = False
) -> NDArray[np.float64]:
    """Logarithm of P(beta(first, second) > q), z being 1 - q; where that underflows, a bound of it from the
    largest or smallest x^(first-1) there, so that the evidence is rather too small.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    tail = np.asarray(betainc(b, a, math.exp(log_z)))
    small = tail < _LEAST_TAIL
    if not small.any():
        return np.asarray(np.log(tail))
    edge = (a - 1) * log_q
    factor = np.maximum(edge, 0.0) if at_most else np.minimum(edge, 0.0)
    bound = factor + b * log_z - np.log(b) - betaln(a, b)
    return np.where(small, bound, np.log(np.where(small, 1.0, tail)))


class _Epoch(NamedTuple):
    """Totals of replies that were assigned with one probability."""

    replied1: float
    replied2: float
    log_odds: float
    """Of the assignment to arm 1."""


@dataclass(frozen=True, slots=True)
class _Mixture:
    alternative: Alternative
    log_ratio: float
    concentration: float
    log_centre: float | None

    def log_evidence(self, epochs: list[_Epoch], log_ratio: float) -> float:
        """Against the ratio: the sum over the epochs."""
        centre = log_ratio if self.log_centre is None else self.log_centre
        return math.fsum(
            float(
                log_e_values_of_shares(
                    epoch.replied1,
                    epoch.replied2,
                    epoch.log_odds + log_ratio,
                    epoch.log_odds + centre,
                    self.alternative,
                    self.concentration,
                )
            )
            for epoch in epochs
        )


def _share(log_odds: float) -> float:
    return float(np.exp(log_expit(log_odds)))


def _interval(mixture: _Mixture, epochs: list[_Epoch], level: float) -> Interval:
    """The ratios with evidence below `level` against them."""
    top = _likeliest(epochs)

    def beyond(log_ratio: float) -> float:
        return mixture.log_evidence(epochs, log_ratio) - level

    if beyond(top) >= 0:  # epochs that contradict each other leave no ratio
        return Interval(math.exp(top), math.exp(top))
    low, high = 0.0, math.inf
    if mixture.alternative != "less" and beyond(-_FARTHEST) > 0:
        low = math.exp(brentq(beyond, -_FARTHEST, top, xtol=1e-12))
    if mixture.alternative != "greater" and beyond(_FARTHEST) > 0:
        high = math.exp(brentq(beyond, top, _FARTHEST, xtol=1e-12))
    return Interval(low, high)


def _likeliest(epochs: list[_Epoch]) -> float:
    """Logarithm of the ratio of the greatest likelihood, within the range that is searched."""

    def slope(log_ratio: float) -> float:
        return math.fsum(
            epoch.replied1 - (epoch.replied1 + epoch.replied2) * _share(epoch.log_odds + log_ratio)
            for epoch in epochs
        )

    if slope(_FARTHEST) >= 0:
        return _FARTHEST
    if slope(-_FARTHEST) <= 0:
        return -_FARTHEST
    return float(brentq(slope, -_FARTHEST, _FARTHEST, xtol=1e-12))


def _epochs(x1: NDArray[np.float64], x2: NDArray[np.float64], shares: NDArray[np.float64]) -> list[_Epoch]:
    """Replies with one and the same share under the null are draws of one kind, whenever they came."""
    return [
        _Epoch(
            float(x1[shares == share].sum()),
            float(x2[shares == share].sum()),
            math.log(share) - math.log1p(-share),
        )
        for share in np.unique(shares)
    ]


def _check_mixture(
    ratio: float, concentration: float, centre: float | None
) -> tuple[float, float, float | None]:
    log_centre = None if centre is None else math.log(check_positive("centre", centre))
    return math.log(check_positive("ratio", ratio)), check_concentration(concentration), log_centre


def _check_replies(
    replied1: ArrayLike, replied2: ArrayLike, share: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Counts and shares, with one row per look and one column per stratum."""
    counts = []
    for name, values in (("replied1", replied1), ("replied2", replied2)):
        array = finite_array(name, values, (1, 2))
        if not array.size:
            raise UsageError(f"{name} is empty; it needs one count per look.")
        if (array < 0).any() or (array != np.floor(array)).any():
            raise UsageError(f"{name} must be whole numbers of units, none of them negative.")
        counts.append(array[:, None] if array.ndim == 1 else array)
    x1, x2 = counts
    if x1.shape != x2.shape:
        raise UsageError(f"replied1 and replied2 must be of one shape, not {x1.shape} and {x2.shape}.")
    given = finite_array("share", share, (0, 1, 2))
    if not ((given > 0) & (given < 1)).all():
        raise UsageError("share must lie strictly between 0 and 1: the probability of arm 1 among the two.")
    looks, strata = x1.shape
    if given.ndim == 1 and strata == 1 and len(given) == looks:
        given = given[:, None]
    try:
        return x1, x2, np.broadcast_to(given, x1.shape)
    except ValueError:
        raise UsageError(
            f"share must be one number, one per look ({looks}), one per stratum ({strata}), or both, "
            f"not of shape {given.shape}."
        ) from None
