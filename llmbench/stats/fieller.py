"""Interval of a ratio of two estimates, such as cost per reply: Fieller (1954).

The ratios ρ with |a - ρ b| <= z √Var(a - ρ b): Journal of the Royal Statistical Society B 16:175. Where b
lies fewer than z standard errors from zero no ratio is too large for the data, and the set has no end.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from llmbench.errors import UsageError
from llmbench.shown import shown
from llmbench.stats.checks import check_number, check_positive
from llmbench.stats.intervals import UNKNOWN_INTERVAL, Interval

__all__ = ["FiellerInterval", "fieller_interval"]

FiellerKind = Literal["bounded", "unbounded", "whole line"]

_ROUNDING = 1e-12


@shown
class FiellerInterval(Interval):
    """Unpacks as `(low, high)`, infinite where the set of ratios has no end.

    >>> fieller_interval(14, 2, 9, 4).kind
    'unbounded'
    """

    kind: FiellerKind
    """"bounded"; "unbounded": all ratios but those in `gap`; "whole line": nothing is ruled out."""
    gap: Interval | None
    """The ratios that an unbounded set rules out between its two rays; None where it is one piece."""
    g: float
    """(z · standard error of the denominator / denominator)²: bounded where below 1."""

    def __new__(
        cls, low: float, high: float, kind: FiellerKind, g: float, gap: Interval | None = None
    ) -> Self:
        """The interval, with what it leaves out."""
        self = super().__new__(cls, low, high)
        self.kind, self.g, self.gap = kind, g, gap
        return self

    def __getnewargs__(self) -> tuple[float, float, FiellerKind, float, Interval | None]:
        # What copy and pickle make it anew from.
        return self.low, self.high, self.kind, self.g, self.gap

    def times(self, factor: float) -> FiellerInterval:
        """The interval of a ratio in another unit, `factor` (above 0) times as large."""
        gap = None if self.gap is None else Interval(self.gap.low * factor, self.gap.high * factor)
        return FiellerInterval(self.low * factor, self.high * factor, self.kind, self.g, gap)

    @property
    def is_bounded(self) -> bool:
        """Whether both limits are finite."""
        return self.kind == "bounded"

    @property
    def nonnegative(self) -> Interval:
        """The smallest interval around its ratios of zero or more, for a ratio that cannot be negative.

        An unbounded cost per reply becomes "at least so much". NaN where no such ratio is left.

        >>> low, high = fieller_interval(14, 2, 9, 4).nonnegative
        >>> print(f"{low:.3f} {high}")
        2.039 inf
        """
        low, high = max(0.0, self.low), self.high
        if self.gap is not None:
            # A gap around zero takes the lowest ratios away.
            low = self.gap.high if self.gap.low < 0 < self.gap.high else low
        return Interval(low, high) if low <= high else UNKNOWN_INTERVAL


def fieller_interval(
    numerator: float,
    denominator: float,
    var_numerator: float,
    var_denominator: float,
    covariance: float = 0.0,
    critical_value: float = 1.96,
) -> FiellerInterval:
    """Interval of numerator / denominator, two estimates with the variances and covariance of theirs.

    `critical_value` is the quantile for the confidence wanted, 1.96 (normal, 95%) or Student's. Take the
    covariance within units: a lead that replies may cost more. The result says in `kind` what it is:

    - "bounded": an interval with finite limits;
    - "unbounded": the denominator cannot be told from zero; two rays with a `gap` between them, or one
      ray. As `(low, high)` it is infinite on the side, or sides, that have no end;
    - "whole line": no ratio is ruled out.

    Raises UsageError for negative variances or a covariance larger than they allow.

    >>> low, high = fieller_interval(14, 7, 9, 4, critical_value=1.812461)
    >>> print(f"{low:.6f} {high:.6f}")
    1.051413 4.414296
    """
    a, b = check_number("numerator", numerator), check_number("denominator", denominator)
    var_a = _check_variance("var_numerator", var_numerator)
    var_b = _check_variance("var_denominator", var_denominator)
    cov = check_number("covariance", covariance)
    z = check_positive("critical_value", critical_value)
    # Each in units of its own size, a power of 2, so that no square is too large or too small to be told.
    unit_a, unit_b = _unit(a, math.sqrt(var_a)), _unit(b, math.sqrt(var_b))
    a, b, cov = a / unit_a, b / unit_b, cov / unit_a / unit_b
    var_a, var_b = var_a / unit_a / unit_a, var_b / unit_b / unit_b
    if cov**2 > var_a * var_b * (1 + 1e-9):
        raise UsageError(
            f"covariance ({covariance!r}) is larger than variances of {var_numerator!r} and "
            f"{var_denominator!r} allow."
        )
    found = _solved(a, b, var_a, var_b, cov, z)
    return found.times(unit_a / unit_b)


def _unit(*sizes: float) -> float:
    return math.ldexp(1.0, math.frexp(max(map(abs, sizes)))[1])


def _solved(a: float, b: float, var_a: float, var_b: float, cov: float, z: float) -> FiellerInterval:
    # The set is square · ρ² - 2 · middle · ρ + constant <= 0.
    square, middle, constant = b**2 - z**2 * var_b, a * b - z**2 * cov, a**2 - z**2 * var_a
    reach = z * math.sqrt(var_b) / abs(b) if b != 0 else math.inf
    g = reach * reach
    if abs(square) <= _ROUNDING * b**2 or (b == 0 and var_b == 0):
        return _half_line(middle, constant, g)
    discriminant = _discriminant(a, b, var_a, var_b, cov, z)
    if square < 0 and discriminant <= 0:
        return FiellerInterval(-math.inf, math.inf, "whole line", g)
    root = math.sqrt(max(0.0, discriminant))
    # One root by the sum that does not cancel, the other from their product.
    larger = middle + math.copysign(root, middle)
    roots = (larger / square, constant / larger) if larger != 0 else (0.0, 0.0)
    low, high = min(roots), max(roots)
    if square > 0:
        return FiellerInterval(low, high, "bounded", g)
    return FiellerInterval(-math.inf, math.inf, "unbounded", g, Interval(low, high))


def _discriminant(a: float, b: float, var_a: float, var_b: float, cov: float, z: float) -> float:
    """middle² - square · constant, without the terms that cancel."""
    return z**2 * (a**2 * var_b - 2 * a * b * cov + b**2 * var_a - z**2 * (var_a * var_b - cov**2))


def _half_line(middle: float, constant: float, g: float) -> FiellerInterval:
    """The denominator is exactly as far from zero as z reaches: -2 · middle · ρ + constant <= 0."""
    if middle == 0:
        return FiellerInterval(-math.inf, math.inf, "whole line", g)
    end = constant / (2 * middle)
    if middle > 0:
        return FiellerInterval(end, math.inf, "unbounded", g)
    return FiellerInterval(-math.inf, end, "unbounded", g)


def _check_variance(name: str, value: float) -> float:
    variance = check_number(name, value)
    if variance < 0:
        raise UsageError(f"{name} must not be negative, not {value!r}.")
    return variance
