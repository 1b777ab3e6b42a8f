"""What the simulated runs of a plan came to; it shows itself and turns into pandas."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmbench.abtest.simulation_plan import SimulationPlan
from llmbench.numbers import signed_points
from llmbench.plain_table import PlainTable
from llmbench.shown import shown
from llmbench.unknown import NONE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DECISIONS", "AbSimulation", "Family", "LookPlan", "Outcome", "PowerPoint"]

DECISIONS = ("better", "not worse", "worse", "cannot tell")
"""How a run ends: "better" is also "not worse", "worse" is below the margin."""


class LookPlan(NamedTuple):
    """One planned look."""

    fraction: float
    """Of the planned units."""
    units: int
    """Of both arms, whose reply window is over."""
    day: float
    """From the start, the window included."""
    critical_value: float
    """The z that stops the test; under anytime, the natural logarithm of the evidence that does."""
    not_worse_from: float | None
    """Observed ratio (or difference) from which on the look says "not worse", the control showing its
    expected rate; None where none does."""
    worse_up_to: float | None
    """The same, up to which it says "worse"."""


class Outcome(NamedTuple):
    """All runs at one true ratio."""

    ratio: float
    runs: int
    shares: Mapping[str, float]
    """Of the runs, by decision."""
    mean_day: float
    """On which a run is decided or given up, from the start, the reply window included."""
    median_day: float
    late_day: float
    """By which 90% of the runs are over."""
    mean_units: float
    """Sent to by that day, the window's included."""
    stops: tuple[tuple[int, ...], ...]
    """Runs by look and decision."""
    treatment: int = 1
    """Its number, in the order of the split."""
    truth: tuple[float, ...] = ()
    """Ratios of all treatments in these runs."""

    @property
    def power(self) -> float:
        """Share of the runs that show the treatment to be above the margin."""
        return self.shares["better"] + self.shares["not worse"]

    def error_of(self, share: float) -> float:
        """Standard error of a share, from the number of runs."""
        return math.sqrt(share * (1 - share) / self.runs)


class Family(NamedTuple):
    """All treatments of the runs at one truth together."""

    truth: tuple[float, ...]
    """Ratios of the treatments."""
    runs: int
    any_not_worse: float
    """Share of the runs that show at least one treatment to be not worse."""
    all_not_worse: float
    any_false: float
    """Share of the runs that call at least one treatment at the margin or below it "not worse"; alpha is
    allowed. 0 where none is."""
    mean_day: float
    """On which the last treatment is decided, or the test ends."""


class PowerPoint(NamedTuple):
    """Power of a test that ends at so many units; with its 95% interval from the number of runs."""

    units: int
    power: float
    low: float
    high: float


@shown
@dataclass(frozen=True, slots=True)
class AbSimulation:
    """A plan and what came of it. Made by `simulate`."""

    plan: SimulationPlan
    planned_units: int
    looks: tuple[LookPlan, ...]
    outcomes: tuple[Outcome, ...]
    """The plan's ratios in their order, then equal rates and the margin where they are not among them; of
    each the treatments in their order."""
    power_curve: tuple[PowerPoint, ...]
    """At the first of the plan's ratios, of the first treatment."""
    families: tuple[Family, ...] = ()
    """One a truth; empty where there is one treatment."""

    def __getitem__(self, ratio: float | tuple[float, ...]) -> Outcome:
        """Of the first treatment where the truth is `ratio`: one for all treatments, or one each."""
        wanted = ratio if isinstance(ratio, tuple) else (ratio,) * len(self.plan.shares)
        for outcome in self.outcomes:
            if _same(outcome.truth, wanted):
                return outcome
        raise KeyError(ratio)

    def family(self, truth: tuple[float, ...]) -> Family:
        """All treatments together at a truth. Raises KeyError."""
        for family in self.families:
            if _same(family.truth, truth):
                return family
        raise KeyError(truth)

    @property
    def power(self) -> float:
        """Share of the runs that show a treatment at the first ratio to be above the margin."""
        return self.outcomes[0].power

    @property
    def false_not_worse(self) -> float:
        """Share of the runs that call a treatment exactly at the margin "not worse"; alpha is allowed. Of
        several treatments any one, at the truth that errs most.
        """
        if self.families:
            return max(family.any_false for family in self.families)
        return self[self.plan.ratio_at_margin].power

    @property
    def false_worse(self) -> float:
        """Share of the runs that call a treatment exactly at the margin "worse"; alpha is allowed."""
        return self[self.plan.ratio_at_margin].shares["worse"]

    @property
    def false_better(self) -> float:
        """Share of the runs that call an equal treatment "better"; alpha is allowed."""
        return self[1.0].shares["better"]

    @property
    def days_to_the_end(self) -> float:
        """Of a test that is never stopped early, the reply window included."""
        return self.looks[-1].day

    def to_pandas(self) -> pd.DataFrame:
        """One row per true ratio."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    **self._which(outcome),
                    "true_ratio": outcome.ratio,
                    **{name.replace(" ", "_"): outcome.shares[name] for name in DECISIONS},
                    "power": outcome.power,
                    "power_standard_error": outcome.error_of(outcome.power),
                    "mean_day": outcome.mean_day,
                    "median_day": outcome.median_day,
                    "day_of_90_percent": outcome.late_day,
                    "mean_units": outcome.mean_units,
                    "runs": outcome.runs,
                }
                for outcome in self.outcomes
            ]
        )

    def table(self) -> PlainTable:
        """As it is shown: one row per true ratio."""
        head = (
            "if the truth is",
            "not worse",
            "of these better",
            "worse",
            "cannot tell",
            "mean day",
            "90% by day",
            "mean units",
        )
        rows = [
            (
                self._title(outcome),
                f"{outcome.power:.1%}",
                f"{outcome.shares['better']:.1%}",
                f"{outcome.shares['worse']:.1%}",
                f"{outcome.shares['cannot tell']:.1%}",
                f"{outcome.mean_day:,.0f}",
                f"{outcome.late_day:,.0f}",
                f"{outcome.mean_units:,.0f}",
            )
            for outcome in self.outcomes
        ]
        return PlainTable(head, rows)

    def looks_table(self) -> PlainTable:
        """The looks, of which an anytime test has too many to show."""
        head = ("look", "units", "day", "z", "not worse from", "worse up to")
        rows = [
            (
                str(number),
                f"{look.units:,}",
                f"{look.day:,.0f}",
                f"{look.critical_value:.3f}",
                self._observed(look.not_worse_from),
                self._observed(look.worse_up_to),
            )
            for number, look in enumerate(self.looks, start=1)
        ]
        return PlainTable(head, rows)

    def notes(self) -> list[str]:
        """What the table says, in sentences."""
        plan, first = self.plan, self.outcomes[0]
        low, high = (196 * math.sqrt(share * (1 - share) / plan.runs) for share in (0.025, 0.8))
        which = "Treatment 1" if self.families else "A treatment"
        over = "it is decided" if self.families else "a run is over"
        shown = (
            f"{which} at {first.ratio:g} of the control's rate is shown to be not worse in "
            f"{first.power:.1%} of the runs; {over} on day {first.mean_day:,.0f} on average."
        )
        errors = (
            f"Errors: a treatment exactly at the margin is called not worse in {self.false_not_worse:.1%} "
            f"and worse in {self.false_worse:.1%} of the runs, an equal one better in "
            f"{self.false_better:.1%} ({plan.alpha:.1%} allowed each)."
        )
        several = [
            f"If the true ratios are {_listed(family.truth)}, at least one treatment is shown to be not "
            f"worse in {family.any_not_worse:.1%} of the runs, all of them in {family.all_not_worse:.1%}"
            + (f", and one that is not in {family.any_false:.1%}" if family.any_false else "")
            + f"; the last one is decided on day {family.mean_day:,.0f} on average."
            for family in self.families
        ]
        if several:
            several.append(
                f"The {len(plan.shares)} treatments share the alpha of {plan.alpha:g} by Holm's procedure, "
                f"and the test is sized at alpha/{len(plan.shares)}; the looks show what the first to pass "
                "must reach."
            )
        precision = (
            f"{plan.runs:,} runs each, seed {plan.seed}: a share of 2.5% is known to ±{low:.1f} points, "
            f"one of 80% to ±{high:.1f}."
        )
        return [shown, *several, errors, precision]

    def __str__(self) -> str:
        plan = self.plan
        margin = f"{plan.margin:g} of the control's rate" if plan.scale == "ratio" else f"{plan.margin:+g}"
        clusters = (
            f", in clusters of {plan.cluster_size} with correlation {plan.correlation:g} (design effect "
            f"{plan.design_effect:.2f})"
            if plan.cluster_size > 1
            else ""
        )
        return (
            f"{plan.stopping_rule} test of {self.planned_units:,} units, {_split(plan)}, "
            f"{plan.units_per_day:,g} a day{clusters}; control rate {plan.control_rate:.2%}, margin "
            f"{margin}, one-sided alpha {plan.alpha:g}; {self.days_to_the_end:,.0f} days at most, "
            f"{plan.window_days:g} of them the reply window"
        )

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        looks = self.looks_table().html() if self.plan.stopping_rule != "anytime" else ""
        return f"<p>Simulated: {html.escape(str(self))}.</p>{self.table().html()}{looks}{notes}"

    def _which(self, outcome: Outcome) -> dict[str, object]:
        if not self.families:
            return {}
        return {"truth": _listed(outcome.truth), "treatment": outcome.treatment}

    def _title(self, outcome: Outcome) -> str:
        if not self.families:
            return self._name(outcome.ratio)
        return f"{_listed(outcome.truth)}: treatment {outcome.treatment}"

    def _name(self, ratio: float) -> str:
        words = f"{ratio:.4g}"
        if math.isclose(ratio, 1.0):
            return f"{words} (equal)"
        return f"{words} (the margin)" if math.isclose(ratio, self.plan.ratio_at_margin) else words

    def _observed(self, value: float | None) -> str:
        if value is None:
            return NONE
        return f"{value:.3f}" if self.plan.scale == "ratio" else f"{signed_points(value, 2)} points"


def _same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-9) for a, b in zip(one, other, strict=True)
    )


def _listed(truth: tuple[float, ...]) -> str:
    return " / ".join(f"{ratio:.4g}" for ratio in truth)


def _split(plan: SimulationPlan) -> str:
    if len(plan.shares) == 1:
        return f"{plan.shares[0]:.0%} of them treatment"
    shares = " / ".join(f"{100 * share:.3g}" for share in (*plan.shares, plan.control_share))
    return f"split {shares} with the control last"
