"""How surely, and from how many replies, the e-process on the share of replies shows what is to be shown.

Given the number of replies, those of arm 1 are a walk of independent draws, and the evidence depends on
where the walk is. So its law is carried from look to look, and what has passed 1 / alpha is taken out of it:
the numbers are exact for the looks given, up to rounding, and no simulation. The looks are part of the
design: whoever looks more often finds a little more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, xlog1py, xlogy

from llmbench.errors import UsageError
from llmbench.stats.checks import (
    check_choice,
    check_concentration,
    check_count,
    check_open_unit,
    check_positive,
    number_array,
)
from llmbench.stats.e_process import log_e_values_of_shares
from llmbench.stats.two_arms import OneSided

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["e_process_power", "e_process_replies"]

_NEGLIGIBLE = 1e-15
_SPREADS = 8.5
_MOST_REPLIES = 2e6
_ACCURACY = 5e-4


def e_process_power(
    replies: Sequence[float],
    share: float,
    true_ratio: float = 1.0,
    ratio: float = 0.9,
    alternative: OneSided = "greater",
    alpha: float = 0.025,
    concentration: float = 50.0,
    centre: float = 1.0,
) -> tuple[float, ...]:
    """Chance that `reply_share_e_process` has refuted `ratio` at one of the looks so far; one per look.

    `replies` are those of both arms together at each look, totals that ascend, rounded to whole ones;
    `true_ratio` is rate 1 over rate 2 as it is; the other parameters are those of the process, `alpha` the
    level it is held against. If `true_ratio` is `ratio` itself this is the error, at most alpha. Raises
    UsageError.

    >>> looks = [100 * look for look in range(1, 61)]
    >>> print(f"{e_process_power(looks, share=0.5)[-1]:.3f} {e_process_power(looks, 0.5, 0.9)[-1]:.3f}")
    0.835 0.009
    """
    check_choice("alternative", alternative, ("greater", "less"))
    own, level = check_open_unit("share", share), -math.log(check_open_unit("alpha", alpha))
    logs = [math.log(check_positive(name, value)) for name, value in (("ratio", ratio), ("centre", centre))]
    odds = math.log(own / (1 - own))
    of_arm1 = 1 / (1 + math.exp(-odds - math.log(check_positive("true_ratio", true_ratio))))
    weight = check_concentration(concentration)
    mass, least = np.ones(1), 0
    so_far, shown, found = 0, 0.0, []
    for total in _looks(replies):
        if total > so_far:
            steps, lowest = _binomial(total - so_far, of_arm1)
            mass, least, so_far = np.convolve(mass, steps), least + lowest, total
            here = least + np.arange(len(mass), dtype=float)
            evidence = log_e_values_of_shares(
                here, total - here, odds + logs[0], odds + logs[1], alternative, weight
            )
            passed = evidence >= level
            shown += float(mass[passed].sum())
            mass, least = _kept(np.where(passed, 0.0, mass), least)
        found.append(min(1.0, shown))
    return tuple(found)


def e_process_replies(
    share: float,
    true_ratio: float = 1.0,
    ratio: float = 0.9,
    alternative: OneSided = "greater",
    alpha: float = 0.025,
    power: float = 0.8,
    concentration: float = 50.0,
    centre: float = 1.0,
    looks: int = 20,
) -> float:
    """Replies of both arms together by which `ratio` is refuted with chance `power`, in so many equal looks.

    Unrounded, to half a thousandth; infinite where more than two million are needed. Parameters as in
    `e_process_power`. Raises UsageError, also where the true ratio is not beyond the one to be refuted.

    >>> round(e_process_replies(share=0.5), -2), round(e_process_replies(share=0.9), -2)
    (5700.0, 16800.0)
    """
    check_count("looks", looks, 1)
    wanted = check_open_unit("power", power)
    beyond = math.log(check_positive("true_ratio", true_ratio)) - math.log(check_positive("ratio", ratio))
    if (beyond if alternative == "greater" else -beyond) <= 0:
        raise UsageError(
            f"true_ratio ({true_ratio!r}) is not beyond ratio ({ratio!r}): no number of replies shows it."
        )
    if wanted <= check_open_unit("alpha", alpha):
        raise UsageError(f"power ({power!r}) must be above alpha ({alpha!r}).")

    def lack(log_replies: float) -> float:
        total = math.exp(log_replies)
        ends = [total * (look + 1) / looks for look in range(looks)]
        last = e_process_power(ends, share, true_ratio, ratio, alternative, alpha, concentration, centre)[-1]
        # On the scale of the normal the power is nearly linear, which saves steps.
        return NormalDist().inv_cdf(min(1 - 1e-12, max(1e-12, last))) - NormalDist().inv_cdf(wanted)

    low = high = math.log(max(looks, 2 / beyond**2))
    while lack(high) < 0:
        if high > math.log(_MOST_REPLIES):
            return math.inf
        low, high = high, high + 0.7
    while low == high or lack(low) >= 0:
        if low < math.log(looks):
            return float(looks)
        low -= 0.7
    return math.exp(float(brentq(lack, low, high, xtol=_ACCURACY)))


def _looks(replies: Sequence[float]) -> list[int]:
    found = [round(check_positive("replies", each)) for each in number_array("replies", replies).tolist()]
    if not found or any(later < earlier for earlier, later in pairwise(found)):
        raise UsageError("replies must be one total per look, of one look or more, and ascend.")
    return found


def _binomial(n: int, p: float) -> tuple[NDArray[np.float64], int]:
    """Probabilities of the counts that are within reach, and the lowest of these."""
    reach = _SPREADS * (1 + math.sqrt(n * p * (1 - p)))
    lowest, highest = max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach))
    x = np.arange(lowest, highest + 1.0)
    logs = gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1) + xlogy(x, p) + xlog1py(n - x, -p)
    return np.exp(logs), lowest


def _kept(mass: NDArray[np.float64], least: int) -> tuple[NDArray[np.float64], int]:
    """Without the ends in which next to nothing is left."""
    places = np.flatnonzero(mass > _NEGLIGIBLE)
    if not len(places):
        return np.zeros(1), least
    return mass[places[0] : places[-1] + 1], least + int(places[0])
