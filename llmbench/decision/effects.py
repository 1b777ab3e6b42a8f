"""What the parts of a decision's money share: quantiles of an amount, and what a model does to replies."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

from llmbench.errors import UsageError
from llmbench.shown import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["ReplyEffect", "Spread", "check_amount", "check_whole", "spread_of"]

_Z = NormalDist()


@shown
class Spread(NamedTuple):
    """An amount that is not known, in the unit of its draws: their 10%, 50% and 90% quantiles."""

    p10: float
    p50: float
    p90: float


def spread_of(draws: Floats | Sequence[float]) -> Spread:
    """The quantiles of draws, interpolated between neighbours.

    >>> spread_of([0.0, 1.0, 2.0])
    Spread(p10=0.2, p50=1.0, p90=1.8)
    """
    import numpy as np

    return Spread(*(float(value) for value in np.quantile(np.asarray(draws), (0.1, 0.5, 0.9))))


def check_amount(name: str, value: object, *, least: float = 0.0, above: bool = False) -> float:
    """`value` as float. Raises UsageError unless it is a finite number of at least `least`, or above it.

    >>> check_amount("months", 12)
    12.0
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise UsageError(f"{name} must be a number; it is {value!r}.")
    if value < least or (above and value == least):
        raise UsageError(f"{name} must be {'above' if above else 'at least'} {least:g}; it is {value!r}.")
    return float(value)


def check_whole(name: str, value: object, *, least: int = 0) -> int:
    """`value` as int. Raises UsageError unless it is a whole number of at least `least`.

    >>> check_whole("months", 12.0)
    12
    """
    number = check_amount(name, value, least=least)
    if number != int(number):
        raise UsageError(f"{name} must be a whole number; it is {value!r}.")
    return int(number)


@shown
@dataclass(frozen=True, slots=True)
class ReplyEffect:
    """What the candidate does to the replies, as an A/B test left it.

    Given the data the ratio is taken as lognormal, a difference as normal: its middle is `value`, and its
    spread that of the interval (half of its width, on the logarithm for a ratio, over the normal quantile).
    Raises UsageError for a rate that is no share and ends that do not hold the value.

    >>> effect = ReplyEffect(0.03, 0.97, 0.88, 1.07)
    >>> print(f"{effect.probability_below(1.0):.2f} {effect.expected_loss:.5f}")
    0.73 0.00112
    """

    reply_rate: float
    """Replies per message (or per lead: whatever the volumes are counted in) of the baseline."""
    value: float
    """The candidate's rate over the baseline's, or minus it."""
    low: float
    high: float
    scale: Literal["ratio", "difference"] = "ratio"
    confidence: float = 0.95
    """Of the interval."""

    def __post_init__(self) -> None:
        if self.scale not in ("ratio", "difference"):
            raise UsageError(f"scale must be 'ratio' or 'difference'; it is {self.scale!r}.")
        if check_amount("reply_rate", self.reply_rate, above=True) >= 1:
            raise UsageError(f"reply_rate must be a share below 1; it is {self.reply_rate!r}.")
        if not 0 < check_amount("confidence", self.confidence) < 1:
            raise UsageError(f"confidence is a share such as 0.95; it is {self.confidence!r}.")
        least = 0.0 if self.scale == "ratio" else -1.0
        ends = [
            check_amount(name, getattr(self, name), least=least, above=self.scale == "ratio")
            for name in ("low", "value", "high")
        ]
        if not ends[0] <= ends[1] <= ends[2]:
            raise UsageError(
                f"The interval of the reply {self.scale} must hold its value; it is {self.low!r} to "
                f"{self.high!r}, and the value {self.value!r}."
            )

    @property
    def spread(self) -> float:
        """Standard deviation of the difference, or of the ratio's logarithm."""
        reach = 2 * _Z.inv_cdf(0.5 + self.confidence / 2)
        if self.scale == "difference":
            return (self.high - self.low) / reach
        return math.log(self.high / self.low) / reach

    def change(self, at: float) -> float:
        """Replies per message that are won (lost where negative) if the effect is `at`."""
        return at if self.scale == "difference" else self.reply_rate * (at - 1)

    @property
    def expected_change(self) -> float:
        """The mean of `change` over what the data leave open: r (e^(m + s^2/2) - 1), or the difference."""
        if self.scale == "difference":
            return self.value
        return self.reply_rate * (self.value * math.exp(self.spread**2 / 2) - 1)

    @property
    def no_change(self) -> float:
        """The effect of a candidate that gets as many replies: 1, or 0."""
        return 1.0 if self.scale == "ratio" else 0.0

    def probability_below(self, at: float) -> float:
        """That the effect is below `at`."""
        return self._cdf(at, 0.0)

    def quantile(self, chance: float) -> float:
        """The effect that the true one is below with that chance. Raises UsageError outside of 0 and 1."""
        if not 0 < check_amount("chance", chance) < 1:
            raise UsageError(f"chance must lie between 0 and 1; it is {chance!r}.")
        away = self.spread * _Z.inv_cdf(chance)
        return self.value * math.exp(away) if self.scale == "ratio" else self.value + away

    def loss_below(self, at: float) -> float:
        """Replies per message lost, times whether the effect is below `at`: E[-change; effect < at].

        With k the standardised `at`, s the spread and r the rate: r (Phi(k) - e^(m + s^2/2) Phi(k - s)) for
        a ratio, as the put of Black and Scholes (1973) with strike 1; s phi(k) - d Phi(k) for a difference d.
        """
        below = self._cdf(at, 0.0)
        if self.scale == "ratio":
            mean = self.value * math.exp(self.spread**2 / 2)
            return self.reply_rate * (below - mean * self._cdf(at, self.spread))
        s = self.spread
        density = 0.0 if s == 0 else s * _Z.pdf((at - self.value) / s)
        return density - self.value * below

    @property
    def expected_loss(self) -> float:
        """Replies per message that are lost on average, where what might be won counts as nothing."""
        return self.loss_below(self.no_change)

    def draw(self, standard_normal: Floats) -> Floats:
        """The changes of replies per message for draws of a standard normal."""
        import numpy as np

        if self.scale == "difference":
            return np.asarray(self.value + self.spread * standard_normal)
        return np.asarray(self.reply_rate * (self.value * np.exp(self.spread * standard_normal) - 1))

    def _cdf(self, at: float, shift: float) -> float:
        """Phi(k - shift), k being `at` less the middle, in spreads."""
        if self.scale == "ratio":
            if at <= 0:
                return 0.0
            away = math.log(at / self.value)
        else:
            away = at - self.value
        if self.spread == 0:
            return 1.0 if away > 0 else 0.0
        return _Z.cdf(away / self.spread - shift)
