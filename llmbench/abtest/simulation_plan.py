"""The plan of an experiment that is tried out by simulation before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from llmbench.errors import UsageError

__all__ = ["DEFAULT_SEED", "STOPPING_RULES", "SimulationPlan"]

DEFAULT_SEED = 20250123
STOPPING_RULES = ("group-sequential", "fixed", "anytime")
_MOST_LOOKS = 30
_MOST_RUNS = 200_000
_MOST_TREATMENTS = 10


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What is planned, and what might be true. The control comes last; raises UsageError.

    >>> SimulationPlan(control_rate=0.03, units_per_day=2000).true_rate(0.5)
    0.015
    """

    control_rate: float
    """Share of the control's units that reply within the window."""
    units_per_day: float
    """New units a day, of all arms."""
    ratios: tuple[float | tuple[float, ...], ...] = (1.0,)
    """True rates of the treatment over the control's to try; the test is sized for the first. With several
    treatments each is one for all of them or a tuple, one a treatment. Equal rates and the margin itself
    are always tried too; with several treatments also the first at the margin and the others equal."""
    margin: float = 0.9
    """What is still good enough: 0.9 of the control's rate, or -0.003 on the scale "difference"."""
    scale: Literal["ratio", "difference"] = "ratio"
    split: float | tuple[float, ...] = 0.5
    """Share of the units that the treatment gets, or a tuple of those of several; the rest is the control's.
    Several are tested at alpha together, by Holm's procedure."""
    planned_units: int | None = None
    """Units of all arms at which the test ends; None sizes it for `power` at the first of `ratios`."""
    looks: int = 4
    """Of a group-sequential test, equally spaced; a fixed test has one, an anytime test one a day."""
    stopping_rule: Literal["group-sequential", "fixed", "anytime"] = "group-sequential"
    alpha: float = 0.025
    """One-sided."""
    power: float = 0.8
    window_days: float = 14.0
    """Days after its first send until a unit counts."""
    cluster_size: int = 1
    """Units that are assigned together, such as the leads of an account."""
    correlation: float = 0.0
    """Of the replies within a cluster."""
    runs: int = 2000
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        for name in ("control_rate", "power"):
            self._must(name, 0 < getattr(self, name) < 1, "strictly between 0 and 1")
        shares = self.shares
        several = "" if len(shares) == 1 else ", and so must their sum"
        whole = bool(shares) and min(shares) > 0 and 0 < math.fsum(shares) < 1
        self._must("split", whole, f"strictly between 0 and 1{several}")
        self._must("split", len(shares) <= _MOST_TREATMENTS, f"of at most {_MOST_TREATMENTS} treatments")
        self._must("alpha", 0 < self.alpha < 0.5, "between 0 and 0.5, one-sided")
        self._must("units_per_day", 0 < self.units_per_day < math.inf, "above 0")
        self._must("window_days", 0 <= self.window_days < math.inf, "0 or more")
        self._must("looks", 1 <= self.looks <= _MOST_LOOKS, f"from 1 to {_MOST_LOOKS}")
        self._must("runs", 1 <= self.runs <= _MOST_RUNS, f"from 1 to {_MOST_RUNS:,}")
        self._must("seed", self.seed >= 0, "0 or more")
        self._must("cluster_size", self.cluster_size >= 1, "1 or more")
        self._must("correlation", 0 <= self.correlation < 1, "from 0 to below 1")
        self._must("scale", self.scale in {"ratio", "difference"}, "'ratio' or 'difference'")
        self._must(
            "stopping_rule", self.stopping_rule in STOPPING_RULES, f"one of {', '.join(STOPPING_RULES)}"
        )
        if self.planned_units is not None:
            self._must("planned_units", self.planned_units >= 1, "1 or more")
        self._check_margin()
        self._check_ratios()
        if self.stopping_rule == "anytime" and (self.scale != "ratio" or self.cluster_size > 1):
            raise UsageError(
                "stopping_rule 'anytime' tests the ratio of rates of units that reply independently: take "
                "scale 'ratio' and cluster_size 1 (make the cluster the unit), or another rule."
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the treatments."""
        return self.split if isinstance(self.split, tuple) else (self.split,)

    @property
    def control_share(self) -> float:
        """Of the control."""
        return 1 - self.split if isinstance(self.split, float) else 1 - math.fsum(self.shares)

    @property
    def truths(self) -> tuple[tuple[float, ...], ...]:
        """Every truth that is tried, a ratio a treatment."""
        margin = self.ratio_at_margin
        always: list[float | tuple[float, ...]] = [1.0, margin]
        if len(self.shares) > 1:
            always.append((margin, *(1.0 for _ in self.shares[1:])))
        return tuple(dict.fromkeys(self._each(given) for given in (*self.ratios, *always)))

    def _each(self, given: float | tuple[float, ...]) -> tuple[float, ...]:
        return given if isinstance(given, tuple) else (given,) * len(self.shares)

    def true_rate(self, ratio: float) -> float:
        """The treatment's rate where the truth is `ratio`."""
        return self.control_rate * ratio

    @property
    def ratio_at_margin(self) -> float:
        """The margin as a ratio of rates, at the control's rate."""
        return self.margin if self.scale == "ratio" else 1 + self.margin / self.control_rate

    @property
    def design_effect(self) -> float:
        """Units needed for what one independent unit tells: 1 + (size - 1) · correlation."""
        return 1 + (self.cluster_size - 1) * self.correlation

    def _must(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise UsageError(f"{name} must be {what}, not {getattr(self, name)!r}.")

    def _check_margin(self) -> None:
        if self.scale == "ratio" and not 0 < self.margin < 1:
            raise UsageError(
                f"margin on the scale 'ratio' is the share of the control's rate that is still good enough: "
                f"above 0 and below 1, not {self.margin!r}."
            )
        if self.scale == "difference" and not -self.control_rate < self.margin < 0:
            raise UsageError(
                f"margin on the scale 'difference' is the loss that is still good enough: below 0 and above "
                f"-{self.control_rate:g} (the control's whole rate), not {self.margin!r}."
            )

    def _check_ratios(self) -> None:
        if not self.ratios:
            raise UsageError("ratios is empty; give at least one true ratio of rates to try.")
        for given in self.ratios:
            if len(self._each(given)) != len(self.shares):
                raise UsageError(
                    f"ratios has {given!r}, and there are {len(self.shares)} treatments: give one ratio for "
                    "all of them, or one each."
                )
        for ratio in (ratio for given in self.ratios for ratio in self._each(given)):
            if not 0 < ratio * self.control_rate < 1:
                raise UsageError(
                    f"ratios has {ratio!r}, which makes the treatment's rate {ratio * self.control_rate:g}; "
                    "a rate lies between 0 and 1."
                )
        best = max(self._each(self.ratios[0]))
        if self.planned_units is None and best <= self.ratio_at_margin:
            raise UsageError(
                f"No number of units shows a treatment at {best:g} of the control's rate to be "
                f"above the margin of {self.ratio_at_margin:g}: put a ratio above it first, or give "
                "planned_units."
            )
