"""What every comparison of two arms asks of its counts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import numpy as np

from llmbench.errors import UsageError
from llmbench.stats.checks import check_choice, check_confidence, check_count, check_number, finite_array
from llmbench.stats.intervals import TestResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Alternative",
    "OneSided",
    "Scale",
    "check_arms",
    "check_margin",
    "check_strata",
    "critical_value",
    "normal_test",
]

Scale = Literal["ratio", "difference"]
"""Whether a margin is a ratio of rates or their difference."""
OneSided = Literal["greater", "less"]
Alternative = Literal["two-sided", "greater", "less"]

_NORMAL = NormalDist()


def check_arms(x1: float, n1: float, x2: float, n2: float) -> tuple[int, int, int, int]:
    """Successes and trials of two arms as whole numbers that fit together."""
    return (*_check_arm("1", x1, n1), *_check_arm("2", x2, n2))


def check_strata(
    x1: Iterable[float], n1: Iterable[float], x2: Iterable[float], n2: Iterable[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Successes and trials of two arms, one whole number per stratum."""
    arrays = {
        name: finite_array(name, list(values) if isinstance(values, Iterable) else values)
        for name, values in (("x1", x1), ("n1", n1), ("x2", x2), ("n2", n2))
    }
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        raise UsageError(
            "x1, n1, x2 and n2 need one value per stratum each, not "
            + ", ".join(map(str, sizes.values()))
            + "."
        )
    for name, array in arrays.items():
        for place, value in enumerate(array):
            check_count(f"{name}[{place}]", float(value))
    for arm in ("1", "2"):
        above = np.flatnonzero(arrays[f"x{arm}"] > arrays[f"n{arm}"])
        if above.size:
            place = int(above[0])
            raise UsageError(
                f"x{arm}[{place}] ({arrays[f'x{arm}'][place]:g}) must not exceed "
                f"n{arm}[{place}] ({arrays[f'n{arm}'][place]:g})."
            )
    return arrays["x1"], arrays["n1"], arrays["x2"], arrays["n2"]


def check_margin(margin: float, scale: str) -> float:
    """`margin` as float; raise unless rates can be that far apart."""
    check_choice("scale", scale, ("ratio", "difference"))
    value = check_number("margin", margin)
    if scale == "ratio" and value <= 0:
        raise UsageError(
            f"margin is a ratio of rates and must be above 0, not {margin!r}; "
            "for a difference of rates give scale='difference'."
        )
    if scale == "difference" and not -1 < value < 1:
        raise UsageError(
            f"margin is a difference of rates and must lie strictly between -1 and 1, not {margin!r}; "
            "for a ratio of rates give scale='ratio'."
        )
    return value


def critical_value(confidence: float) -> float:
    """The normal quantile of a two-sided interval, 1.96 of .95."""
    return _NORMAL.inv_cdf(0.5 + check_confidence(confidence) / 2)


def normal_test(statistic: float, alternative: str) -> TestResult:
    """p-value of a statistic that is standard normal under the null."""
    tail = 0.5 * math.erfc((abs(statistic) if alternative == "two-sided" else statistic) / math.sqrt(2))
    if alternative == "two-sided":
        return TestResult(statistic, min(1.0, 2 * tail))
    return TestResult(statistic, tail if alternative == "greater" else 0.5 * math.erfc(-statistic / math.sqrt(2)))


def _check_arm(arm: str, successes: float, n: float) -> tuple[int, int]:
    trials = check_count(f"n{arm}", n)
    count = check_count(f"x{arm}", successes)
    if count > trials:
        raise UsageError(f"x{arm} ({count}) must not exceed n{arm} ({trials}).")
    return count, trials
