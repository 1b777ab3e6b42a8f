"""Gates as they are planned: what is expected of the candidate, and the chance to show it by size of sample.

All chances are normal approximations, each at the level at which `judge_gate` lets a gate pass: 2.5% on its
side, and not adjusted for the number of gates (intersection-union test: Berger (1982), Technometrics 24:295).
What is expected must lie on the good side of its threshold; a threshold may be a least or a most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, Protocol

from llmbench.errors import UsageError

__all__ = ["MeanGate", "PlannedGate", "RatesGate", "ShareGate", "SureGate"]

_NORMAL = NormalDist()
_ALPHA = 0.025
"""One-sided level of a pass."""


class PlannedGate(Protocol):
    """A gate and what is expected of the candidate."""

    @property
    def gate(self) -> str:
        """Its name."""

    @property
    def sample(self) -> str:
        """What it is measured on, "items" or "leads"; empty: nothing that could be larger."""

    def power(self, n: float) -> float:
        """Chance to pass with `n` units of its sample."""


@dataclass(frozen=True, slots=True)
class MeanGate:
    """A mean: the paired difference of scores, the net value of a lead. Raises UsageError.

    >>> gate = MeanGate("quality", expected=0.0, threshold=-0.03, spread=1 / 3)
    >>> print(f"{gate.power(969):.3f}")
    0.800
    """

    gate: str
    expected: float
    """What it will be, on the good side of the threshold."""
    threshold: float
    spread: float
    """Standard error times the square root of n: `llmbench.stats.discordance_spread`, or of a pilot."""
    sample: str = "items"
    among: int = 1
    """Candidates that are compared beside each other."""
    missing: float = 0.0
    """Share of the items without an answer: counted against the candidate, in the unit of the mean."""

    def __post_init__(self) -> None:
        _finite(self.gate, expected=self.expected, threshold=self.threshold)
        if not 0 < self.spread < math.inf:
            raise UsageError(f"spread of gate {self.gate!r} must be above 0, not {self.spread!r}.")
        if not 0 <= self.missing < 1 or self.among < 1:
            raise UsageError(
                f"Gate {self.gate!r}: missing is a share below 1 and among at least 1; they are "
                f"{self.missing!r} and {self.among!r}."
            )
        if self.distance <= 0:
            raise _not_kept(self.gate, self.expected, self.threshold)

    @property
    def distance(self) -> float:
        """From the threshold, what is missing taken off."""
        return abs(self.expected - self.threshold) - self.missing

    def power(self, n: float) -> float:
        """Chance to pass with `n` units."""
        critical = _NORMAL.inv_cdf(1 - _ALPHA / self.among)
        return _NORMAL.cdf(self.distance * math.sqrt(n) / self.spread - critical)


@dataclass(frozen=True, slots=True)
class RatesGate:
    """Two arms' rates, by ratio or difference (`llmbench.stats.power`). Raises UsageError.

    >>> gate = RatesGate("replies", 0.03, 0.03, 0.9)
    >>> print(f"{gate.power(91_513):.3f}")
    0.800
    """

    gate: str
    treatment_rate: float
    """As expected."""
    control_rate: float
    threshold: float
    """Of treatment over control, or minus it."""
    scale: Literal["ratio", "difference"] = "ratio"
    allocation: float = 1.0
    """Units of the control over those of the treatment."""
    design_effect: float = 1.0
    sample: str = "leads"
    """Of both arms together."""

    def __post_init__(self) -> None:
        from llmbench.stats import sample_size

        sample_size(
            self.treatment_rate, self.control_rate, self.threshold, self.scale, _ALPHA,
            allocation=self.allocation, design_effect=self.design_effect,
        )  # fmt: skip

    def power(self, n: float) -> float:
        """Chance to pass with `n` units of both arms together."""
        from llmbench.stats import power

        return power(
            self.treatment_rate, self.control_rate, self.threshold, n, self.scale, _ALPHA,
            allocation=self.allocation, design_effect=self.design_effect,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShareGate:
    """One share against a limit, by the score test that Wilson's interval belongs to. Raises UsageError.

    >>> gate = ShareGate("missing", expected=0.01, threshold=0.03)
    >>> print(f"{gate.power(600):.3f}")
    0.941
    """

    gate: str
    expected: float
    threshold: float
    sample: str = "items"
    design_effect: float = 1.0

    def __post_init__(self) -> None:
        _finite(self.gate, expected=self.expected, threshold=self.threshold)
        if not (0 < self.expected < 1 and 0 < self.threshold < 1 and self.design_effect > 0):
            raise UsageError(
                f"Gate {self.gate!r}: expected and threshold are shares strictly between 0 and 1, and "
                "design_effect is above 0."
            )
        if self.expected == self.threshold:
            raise _not_kept(self.gate, self.expected, self.threshold)

    def power(self, n: float) -> float:
        """Chance to pass with `n` units."""
        null = math.sqrt(self.threshold * (1 - self.threshold))
        shift = abs(self.expected - self.threshold) * math.sqrt(n / self.design_effect)
        spread = math.sqrt(self.expected * (1 - self.expected))
        return _NORMAL.cdf((shift - _NORMAL.inv_cdf(1 - _ALPHA) * null) / spread)


@dataclass(frozen=True, slots=True)
class SureGate:
    """A gate whose chance to pass no sample changes: the range of a saving, the split's own check."""

    gate: str
    chance: float
    sample: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.chance <= 1:
            raise UsageError(
                f"chance of gate {self.gate!r} must lie above 0 and up to 1, not {self.chance!r}."
            )

    def power(self, n: float) -> float:  # noqa: ARG002 - the same for all
        """Its chance to pass."""
        return self.chance


def _finite(gate: str, **numbers: float) -> None:
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise UsageError(f"{name} of gate {gate!r} must be a number, not {value!r}.")


def _not_kept(gate: str, expected: float, threshold: float) -> UsageError:
    return UsageError(
        f"Gate {gate!r} expects {expected:g} and its threshold is {threshold:g}: between them is nothing "
        "left that a sample could show."
    )
