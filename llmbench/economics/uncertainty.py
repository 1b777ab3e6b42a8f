"""What is not known, as triangles: low, most likely and high."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from llmbench.economics.checks import check_amount
from llmbench.economics.correlation import check_correlation
from llmbench.errors import UsageError
from llmbench.shown import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["DEMAND", "Range", "Uncertainty", "triangular"]

DEMAND = ("messages", "input_tokens", "output_tokens", "peak_to_mean")
"""What one success of the product may raise together."""


@shown
class Range(NamedTuple):
    """Low, most likely and high: the ends of a triangle. `low == high` is known for sure."""

    low: float
    mode: float
    high: float


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What is not known, as ranges of the factor by which the stated value may be off."""

    messages: Range = Range(0.7, 1.0, 1.5)  # noqa: RUF009 - a tuple
    """Of the volume: a plan is not a measurement."""
    input_tokens: Range = Range(0.8, 1.0, 1.3)  # noqa: RUF009 - a tuple
    output_tokens: Range = Range(0.8, 1.0, 1.3)  # noqa: RUF009 - a tuple
    peak_to_mean: Range = Range(0.7, 1.0, 1.6)  # noqa: RUF009 - a tuple
    gpu_price: Range = Range(0.75, 1.0, 1.25)  # noqa: RUF009 - a tuple
    """Offers of the same GPU differ more than this between sellers."""
    api_price: Range = Range(0.9, 1.0, 1.0)  # noqa: RUF009 - a tuple
    operations_hours: Range = Range(0.25, 1.0, 2.5)  # noqa: RUF009 - a tuple
    """Of people: a quiet month, and one with an outage."""
    correlation: float = 0.0
    """Of volume, lengths and peak, each with each, in normal scores; prices and hours are drawn apart."""

    def __post_init__(self) -> None:
        for name, value in self.ranges.items():
            ends = [check_amount(f"An end of the range of {name}", end) for end in value]
            if ends != sorted(ends):
                raise UsageError(
                    f"The range of {name} must be low, most likely, high, from 0 up; it is {tuple(value)}."
                )
        check_correlation("The correlation of volume, lengths and peak", self.correlation)

    @property
    def ranges(self) -> dict[str, Range]:
        """By name, in the order in which they are drawn."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "correlation"}


def triangular(uniform: Floats, given: Range) -> Floats:
    """The inverse of the triangle's distribution function: the same uniform number, the same place in it."""
    import numpy as np

    low, mode, high = given
    if high == low:
        return np.full_like(uniform, mode)
    turn = (mode - low) / (high - low)
    rising = low + np.sqrt(uniform * (high - low) * (mode - low))
    falling = high - np.sqrt((1 - uniform) * (high - low) * (high - mode))
    return np.where(uniform < turn, rising, falling)
