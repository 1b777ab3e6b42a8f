"""The score statistic against a margin, for arrays of experiments at once: what simulations test with.

Miettinen and Nurminen (1985), Stat Med 4:213; its correction for skewness: Gart and Nam (1988), Biometrics
44:323, and Laud (2017), Pharm Stat 16:334.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[np.float64]

__all__ = ["LOPSIDED", "margin_z", "needed_units"]

LOPSIDED = 3.0
"""From this ratio of the arms' sizes on the statistic is corrected for skewness: without it the test that
the small arm is not worse errs in 6% of cases where 5% were allowed."""

_NO_SKEWNESS = 1e-9


def margin_z(
    x1: ArrayLike,
    n1: ArrayLike,
    x2: ArrayLike,
    n2: ArrayLike,
    margin: float,
    scale: str = "ratio",
    *,
    skewness: bool = False,
) -> Numbers:
    """Standard normal statistics of rate 1 against the margin, elementwise; high speaks for arm 1.

    `margin` is the null value: of rate 1 over rate 2 (scale "ratio"), or of their difference. 0 where
    neither arm has a success, or an arm has no units: such tables say nothing.
    """
    arrays = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in (x1, n1, x2, n2)))
    a, m, b, n = arrays
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "ratio":
            p2 = _second_rate_of_ratio(a, m, b, n, margin)
            p1, weight, score = np.minimum(1.0, margin * p2), margin, a / m - margin * b / n
        else:
            p2 = _second_rate_of_difference(a, m, b, n, margin)
            p1, weight, score = np.clip(p2 + margin, 0, 1), 1.0, a / m - b / n - margin
        first, second = p1 * (1 - p1) / m, weight**2 * p2 * (1 - p2) / n
        total = m + n
        variance = (first + second) * total / (total - 1)
        z = score / np.sqrt(variance)
        if skewness:
            third = first * (1 - 2 * p1) / m - weight * second * (1 - 2 * p2) / n
            z = _corrected(z, third / variance**1.5 / 6)
    return np.where((variance > 0) & np.isfinite(z), z, 0.0)


def needed_units(
    rate1: float, rate2: float, margin: float, scale: str, share: float, alpha: float, power: float
) -> float:
    """Units of both arms together that show rate 1 to be above the margin, looked at once; unrounded.

    `share` of them go to arm 1; one-sided `alpha`. By the likeliest rates under the null: Farrington and
    Manning (1990), Stat Med 9:1447. Infinite where rate 1 is not above the margin.
    """
    weight = margin if scale == "ratio" else 1.0
    distance = rate1 - margin * rate2 if scale == "ratio" else rate1 - rate2 - margin
    if distance <= 0:
        return math.inf
    restricted = _second_rate_of_ratio if scale == "ratio" else _second_rate_of_difference
    a, m, b, n = np.array([rate1 * share, share, rate2 * (1 - share), 1 - share])[:, None]
    null2 = float(restricted(a, m, b, n, margin)[0])
    null1 = min(1.0, margin * null2) if scale == "ratio" else min(1.0, max(0.0, null2 + margin))

    def spread(p1: float, p2: float) -> float:
        return math.sqrt(p1 * (1 - p1) / share + weight**2 * p2 * (1 - p2) / (1 - share))

    z = NormalDist().inv_cdf
    needed = z(1 - alpha) * spread(null1, null2) + z(power) * spread(rate1, rate2)
    return (needed / distance) ** 2


def _corrected(z: Numbers, bend: Numbers) -> Numbers:
    """The root of corrected + bend · (corrected² - 1) = z next to z; the turning point where it has none."""
    inside = np.maximum(0.0, 1 + 4 * bend * (z + bend))
    return np.where(np.abs(bend) < _NO_SKEWNESS, z, (np.sqrt(inside) - 1) / (2 * bend))


def _second_rate_of_ratio(a: Numbers, m: Numbers, b: Numbers, n: Numbers, ratio: float) -> Numbers:
    """Likeliest rate 2 where rate 1 is `ratio` times it: the smaller root of a quadratic."""
    linear = ratio * (m + b) + n + a
    root = np.sqrt((ratio * (m + b) - n - a) ** 2 + 4 * ratio * (m - a) * (n - b))
    return np.asarray(np.minimum(1.0, 2 * (a + b) / (linear + root)))


def _second_rate_of_difference(a: Numbers, m: Numbers, b: Numbers, n: Numbers, shift: float) -> Numbers:
    """Likeliest rate 2 where rate 1 is `shift` more: the middle root of a cubic, by trigonometry."""
    total, successes = m + n, a + b
    if shift == 0:
        return np.asarray(successes / total)
    c2 = ((m + 2 * n) * shift - total - successes) / total
    c1 = ((n * shift - total - 2 * b) * shift + successes) / total
    c0 = b * shift * (1 - shift) / total
    q = c2**3 / 27 - c1 * c2 / 6 + c0 / 2
    p = np.copysign(np.sqrt(np.maximum(0.0, c2**2 / 9 - c1 / 3)), q)
    angle = (np.pi + np.arccos(np.clip(q / p**3, -1, 1))) / 3
    return np.asarray(np.clip(2 * p * np.cos(angle) - c2 / 3, max(0.0, -shift), min(1.0, 1 - shift)))
