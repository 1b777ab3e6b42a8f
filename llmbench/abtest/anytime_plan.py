"""How many units an "anytime" test takes, and what so many of them can show: the e-process' own numbers.

The evidence of the e-process depends on how many units replied in each arm, and on nothing else; see
`llmbench.stats.e_process_power`, which carries its law from look to look. Units are those replies over the
reply rate: their number is taken as expected, and 20 equally spaced looks on the way. Whoever looks every
day finds a little more, whoever looks once a little less: at a margin of 0.9 and with arms of equal size 20
looks at 2.1 times the units of one fixed look have a power of .80; 200 looks there .83, and one .74.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["ANYTIME_LOOKS", "anytime_effect_shown", "anytime_power", "anytime_units"]

ANYTIME_LOOKS = 20
"""Equally spaced, that the numbers of an "anytime" plan are for."""


@lru_cache(maxsize=256)
def anytime_units(
    rate: float,
    margin: float,
    share: float,
    alpha: float,
    power: float,
    concentration: float = 50.0,
    true_ratio: float = 1.0,
) -> float:
    """Units of two arms together by which the margin is shown to be kept with chance `power`.

    `rate` is the control's, `true_ratio` times it the treatment's, `share` the treatment's of the units.
    Infinite where more than two million replies were needed.
    """
    from llmbench.stats import e_process_replies

    replies = e_process_replies(
        share, true_ratio, margin, "greater", alpha, power, concentration, looks=ANYTIME_LOOKS
    )
    return replies / _replies_a_unit(rate, share, true_ratio)


def anytime_power(
    rate: float,
    margin: float,
    share: float,
    units: Sequence[float],
    alpha: float,
    concentration: float = 50.0,
    true_ratio: float = 1.0,
) -> list[float]:
    """Chance to have shown by each of the numbers of units, which are the looks, that the margin is kept."""
    from llmbench.stats import e_process_power

    each = _replies_a_unit(rate, share, true_ratio)
    # Before the first reply there is nothing to look at.
    replies = [max(1.0, each * count) for count in units]
    return list(e_process_power(replies, share, true_ratio, margin, "greater", alpha, concentration))


def anytime_effect_shown(
    rate: float, share: float, units: float, alpha: float, power: float, concentration: float = 50.0
) -> float:
    """The smallest true ratio above 1 that so many units show to be above 1; NaN where none is."""
    from scipy.optimize import brentq

    if units <= 0:
        return math.nan
    ends = [units * (look + 1) / ANYTIME_LOOKS for look in range(ANYTIME_LOOKS)]

    def lack(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        return anytime_power(rate, 1.0, share, ends, alpha, concentration, ratio)[-1] - power

    most = math.log((1 - 1e-9) / rate)
    if lack(most) < 0:
        return math.nan
    return math.exp(float(brentq(lack, 0.0, most, xtol=1e-4)))


def _replies_a_unit(rate: float, share: float, true_ratio: float) -> float:
    return rate * (share * true_ratio + 1 - share)
