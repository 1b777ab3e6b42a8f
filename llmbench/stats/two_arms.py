"""What every comparison of two arms asks of its counts."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from llmbench.errors import UsageError
from llmbench.stats.checks import (
    check_choice,
    check_confidence,
    check_count,
    check_number,
    check_positive,
    finite_array,
)
from llmbench.stats.intervals import TestResult

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

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
    x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike
) -> list[tuple[int, int, int, int]]:
    """Successes and trials of two arms, stratum by stratum, as whole numbers that fit together.

    Raises UsageError, which names the stratum.
    """
    columns = {"x1": x1, "n1": n1, "x2": x2, "n2": n2}
    values = {name: finite_array(name, column).tolist() for name, column in columns.items()}
    if len({len(column) for column in values.values()}) > 1:
        sizes = ", ".join(f"{name} has {len(column)}" for name, column in values.items())
        raise UsageError(f"x1, n1, x2 and n2 need one value per stratum each; {sizes}.")
    rows = zip(*values.values(), strict=True)
    return [
        (
            *_check_arm("1", successes1, trials1, f"[{place}]"),
            *_check_arm("2", successes2, trials2, f"[{place}]"),
        )
        for place, (successes1, trials1, successes2, trials2) in enumerate(rows)
    ]


def check_margin(margin: float, scale: str) -> float:
    """`margin` as float; raise unless rates can be that far apart."""
    check_choice("scale", scale, ("ratio", "difference"))
    value = check_number("margin", margin)
    if scale == "ratio" and value <= 0:
        raise UsageError(
            f"margin is a ratio of rates and must be above 0, not {margin!r}; "
            "for a difference of rates give scale='difference'."
        )
    if scale == "ratio":
        check_positive("margin", margin)
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
    if alternative == "two-sided":
        return TestResult(statistic, math.erfc(abs(statistic) / math.sqrt(2)))
    towards = statistic if alternative == "greater" else -statistic
    return TestResult(statistic, 0.5 * math.erfc(towards / math.sqrt(2)))


def _check_arm(arm: str, successes: float, n: float, place: str = "") -> tuple[int, int]:
    trials = check_count(f"n{arm}{place}", n)
    count = check_count(f"x{arm}{place}", successes)
    if count > trials:
        raise UsageError(f"x{arm}{place} ({count}) must not exceed n{arm}{place} ({trials}).")
    return count, trials
