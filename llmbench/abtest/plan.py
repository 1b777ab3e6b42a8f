"""What an experiment set out to show, before anything was seen of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from llmbench.errors import UsageError
from llmbench.numbers import is_finite

__all__ = [
    "FROZEN",
    "LEAST_EXPECTED_REPLIES",
    "Plan",
    "Scale",
    "StoppingRule",
    "planned_units",
]

Scale = Literal["ratio", "difference"]
StoppingRule = Literal["group-sequential", "fixed", "anytime"]

LEAST_EXPECTED_REPLIES = 10
"""A look with fewer replies to be expected in the smallest arm would show next to nothing."""

FROZEN = (
    "control", "margin", "scale", "stopping_rule", "looks", "alpha", "power", "planned_units", "window_days",
    "concentration", "guardrails",
)  # fmt: skip
"""What may not change once an effect was seen."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The design of an experiment. Raises UsageError for one that cannot be meant.

    A unit is a lead or an account, its outcome at least one human reply within `window_days`.

    >>> Plan("mail-7", control="gpt-4o", margin=1.1)
    Traceback (most recent call last):
    ...
    llmbench.errors.UsageError: margin is 1.1, above the control's own rate: "keeps 90% of it" is 0.9.
    """

    experiment_id: str
    control: str
    """The arm that the others are compared with."""
    margin: float = 0.90
    """What still counts as not worse. Ratio: 0.90 keeps 90% of the control's rate. Difference: -0.003
    loses at most 0.3 points."""
    margin_reason: str = ""
    scale: Scale = "ratio"
    stopping_rule: StoppingRule = "group-sequential"
    """Which analysis is authoritative."""
    looks: int = 4
    """Planned looks of a group-sequential test, equally spaced."""
    alpha: float = 0.025
    """One-sided, of all looks together."""
    power: float = 0.80
    planned_units: int | None = None
    """Mature units of all arms together at which the test ends; None: as many as `power` takes."""
    expected_rate: float | None = None
    """The control's rate as it was expected; None: the pooled rate of all arms, which tells nothing of
    their difference."""
    split: Mapping[str, float] | None = None
    """Share of each arm; None: the recorded weights."""
    design_effect: float = 1.0
    """By how much units that depend on each other (one domain) were expected to raise the variance."""
    value_per_reply_usd: float | None = None
    fixed_costs_usd: Mapping[str, float] = field(default_factory=dict)
    """What an arm cost over the whole experiment beside its messages, such as GPU hours."""
    window_days: float = 14.0
    confidence: float = 0.95
    """Of intervals that decide nothing; those that do have 1 - 2 alpha."""
    concentration: float = 50.0
    """Of the e-process: how near to the null the alternatives are that it looks for."""
    guardrails: Mapping[str, float] = field(default_factory=dict)
    """Ratio up to which an unwanted event may be more frequent than in the control, by its name."""
    min_segment_replies: int = 15
    """Segments with fewer replies in an arm are not shown."""
    bootstrap: int = 2000
    seed: int = 20250123

    def __post_init__(self) -> None:
        for name in ("experiment_id", "control"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise UsageError(f"{name} must be a name, not {getattr(self, name)!r}.")
        _choice("scale", self.scale, get_args(Scale))
        _choice("stopping_rule", self.stopping_rule, get_args(StoppingRule))
        self._check_numbers()
        self._check_margin()
        self._check_mappings()
        if self.stopping_rule == "anytime" and self.scale == "difference":
            raise UsageError(
                "stopping_rule 'anytime' tests the ratio of the rates; set scale to 'ratio', or take "
                "'group-sequential' for a difference."
            )

    def _check_margin(self) -> None:
        margin = _number("margin", self.margin)
        if self.scale == "ratio":
            if margin >= 1:
                raise UsageError(
                    f'margin is {margin:g}, above the control\'s own rate: "keeps 90% of it" is 0.9.'
                    if margin > 1
                    else "margin is 1, which lets nothing be lost, so no number of units can show it; the "
                    "verdict 'better' needs no margin."
                )
            if margin <= 0:
                raise UsageError(
                    f"margin is {margin:g}; a ratio margin lies between 0 and 1, and a negative one is a "
                    "difference: set scale to 'difference'."
                )
        elif not -1 < margin < 0:
            raise UsageError(
                f"margin is {margin:g}; as a difference it says how much may be lost, with its sign: -0.003 "
                "is 0.3 points."
            )
        elif self.expected_rate is not None and margin <= -self.expected_rate:
            raise UsageError(
                f"margin is {margin:g}, which lets the whole rate of the control be lost "
                f"({self.expected_rate:g} is expected): an arm without a reply would pass. Give a smaller "
                "loss, or a ratio."
            )

    def _check_numbers(self) -> None:
        for name, low, high in (("alpha", 0, 0.5), ("power", 0, 1), ("confidence", 0, 1)):
            if not low < _number(name, getattr(self, name)) < high:
                raise UsageError(
                    f"{name} is {getattr(self, name):g}; it must lie strictly between {low} and {high:g}."
                )
        for name, least in (("looks", 1), ("min_segment_replies", 0), ("bootstrap", 100), ("seed", 0)):
            _whole(name, getattr(self, name), least)
        if self.planned_units is not None:
            _whole("planned_units", self.planned_units, 2)
        if self.expected_rate is not None and not 0 < _number("expected_rate", self.expected_rate) < 1:
            raise UsageError(f"expected_rate is {self.expected_rate:g}; it is a share, such as 0.03.")
        if (
            self.value_per_reply_usd is not None
            and _number("value_per_reply_usd", self.value_per_reply_usd) <= 0
        ):
            raise UsageError(f"value_per_reply_usd is {self.value_per_reply_usd:g}; it must be above 0.")
        if not 0 <= _number("window_days", self.window_days) <= 3650:
            raise UsageError(f"window_days is {self.window_days:g}; it is a number of days, 0 or more.")
        if _number("concentration", self.concentration) <= 0:
            raise UsageError(f"concentration is {self.concentration:g}; it must be above 0.")
        if _number("design_effect", self.design_effect) < 1:
            raise UsageError(f"design_effect is {self.design_effect:g}; it is 1 or more.")

    def _check_mappings(self) -> None:
        for arm, weight in (self.split or {}).items():
            if _number(f"split[{arm!r}]", weight) < 0:
                raise UsageError(f"split[{arm!r}] is {weight:g}; the share of an arm is 0 or more.")
        if self.split is not None and not self.split.get(self.control):
            raise UsageError(f"split gives no share to the control {self.control!r}.")
        for name, margin in self.guardrails.items():
            if _number(f"guardrails[{name!r}]", margin) <= 1:
                raise UsageError(
                    f"guardrails[{name!r}] is {margin:g}; an unwanted event has a margin above 1: 1.25 "
                    "lets it be "
                    "a quarter more frequent than in the control."
                )
        for arm, usd in self.fixed_costs_usd.items():
            if _number(f"fixed_costs_usd[{arm!r}]", usd) < 0:
                raise UsageError(f"fixed_costs_usd[{arm!r}] is {usd:g}; a cost is 0 or more.")

    def frozen(self) -> dict[str, Any]:
        """The parameters that are kept from the first look on."""
        kept: dict[str, Any] = {name: getattr(self, name) for name in FROZEN}
        return kept | {"guardrails": dict(sorted(self.guardrails.items()))}

    @property
    def null(self) -> float:
        """What no effect is on the plan's scale."""
        return 1.0 if self.scale == "ratio" else 0.0


def planned_units(plan: Plan, rate: float, shares: Mapping[str, float], design_effect: float = 1.0) -> float:
    """Mature units of all arms for the plan's power, if all arms have the control's `rate`.

    Unrounded; infinite where the rate is 0 or 1. Each of several treatments is tested at alpha over their
    number, which is the most that Holm's adjustment may ask for. `shares` of the arms need not add up to 1.
    Under "anytime" it is that of the e-process, with 20 looks on the way: see `anytime_plan`.
    """
    from llmbench.abtest.anytime_plan import anytime_units
    from llmbench.stats import sample_size, sequential_inflation

    if not 0 < rate < 1:
        return math.inf
    treatments = [arm for arm in shares if arm != plan.control and shares[arm] > 0]
    if not treatments or not shares.get(plan.control):
        return math.inf
    total = math.fsum(shares.values())
    control = shares[plan.control]
    level = plan.alpha / len(treatments)
    if plan.stopping_rule == "anytime":
        pairs = [
            anytime_units(
                rate, plan.margin, shares[arm] / (shares[arm] + control), level, plan.power,
                plan.concentration,
            )
            for arm in treatments
        ]  # fmt: skip
    else:
        pairs = [
            sample_size(
                rate, rate, plan.margin, scale=plan.scale, alpha=level, sides=1, power=plan.power,
                allocation=control / shares[arm],
            )
            for arm in treatments
        ]  # fmt: skip
    needed = [pair * total / (shares[arm] + control) for pair, arm in zip(pairs, treatments, strict=True)]
    total_needed = max(needed) * max(design_effect, plan.design_effect)
    if plan.stopping_rule == "group-sequential" and plan.looks > 1:
        equal = [(number + 1) / plan.looks for number in range(plan.looks)]
        total_needed *= sequential_inflation(equal, alpha=level, sides=1, power=plan.power)
    return total_needed


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        raise UsageError(f"{name} must be a number, not {value!r}.")
    return float(value)


def _whole(name: str, value: Any, least: int) -> None:
    if _number(name, value) != int(value) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}.")


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}.")
