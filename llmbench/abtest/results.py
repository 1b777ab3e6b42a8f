"""What an experiment showed, and how it shows itself."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.abtest.counts import Counts, Excluded
from llmbench.abtest.cut_off_notes import cut_off_notes
from llmbench.abtest.decision import decide
from llmbench.abtest.effect import ComparisonVerdict
from llmbench.abtest.guardrails import Guardrail
from llmbench.abtest.health import Health
from llmbench.abtest.looks import Look, Occasion
from llmbench.abtest.money import ArmCost, Money, NetValue
from llmbench.abtest.needed import Needed
from llmbench.abtest.plan import Plan
from llmbench.abtest.results_data import comparison_data, result_data
from llmbench.abtest.segments import Segments
from llmbench.abtest.supplementary import OtherAnalysis
from llmbench.money import dollars
from llmbench.plain_table import PlainTable, count_text
from llmbench.results import Verdict
from llmbench.shown import shown
from llmbench.stats import Interval
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AbResult", "ArmResult", "Bayes", "Comparison", "Power", "Sequential"]

_SHORT = 0.9


class ArmResult(NamedTuple):
    """One arm over all strata."""

    arm: str
    messages: int
    units: int
    """Mature ones."""
    replies: int | None
    """Units that replied; None where no effect may be shown yet."""
    rate: float | None
    rate_ci: Interval | None
    """Wilson's, of the effective number of units where they are clustered."""
    cost: ArmCost
    served_by_other: int | None
    """Messages that another model wrote."""
    assigned: int


class Sequential(NamedTuple):
    """The analysis that may be looked at again and again."""

    kind: str
    """"group-sequential", or "anytime", which is supplementary under a fixed plan."""
    looks: int
    crossed: bool
    """Whether it has come to a decision."""
    ci: Interval | None
    """Of the effect on the plan's scale."""


class Bayes(NamedTuple):
    """With the prior Beta(.5, .5) for each arm; decides nothing."""

    probability_better: float
    expected_loss: float
    """Of taking the treatment, in the unit of the rate."""


@shown
@dataclass(frozen=True, slots=True)
class Comparison:
    """A treatment against the control; numbers are None where no effect may be shown."""

    control: str
    treatment: str
    margin: float
    scale: str
    verdict: ComparisonVerdict
    difference: float | None = None
    difference_ci: Interval | None = None
    ratio: float | None = None
    ratio_ci: Interval | None = None
    p_value: float | None = None
    """Two-sided, of no effect."""
    p_adjusted: float | None = None
    """Holm's, over the treatments."""
    method: str = ""
    margin_p: float | None = None
    """One-sided, of an effect at the margin or beyond."""
    net_value: NetValue | None = None
    sequential: Sequential | None = None
    bayes: Bayes | None = None
    look: int | None = None
    """The look that it is from."""
    control_rate: float | None = None
    """The control's rate at that look."""

    @property
    def passed(self) -> bool | None:
        """Whether it was shown not to be worse than the margin; None where nothing is shown."""
        return None if self.margin_p is None else self.verdict in {"better", "not worse"}

    def data(self) -> dict[str, Any]:
        """As in result.json."""
        return comparison_data(self)


class Power(NamedTuple):
    """What the units that are there can show, and what more takes."""

    mde: float | None
    """Smallest true ratio above 1 (or difference above 0) that the units that are there would show to be no
    chance, two-sided at twice alpha, with the plan's power."""
    units_needed: float | None
    """Mature units of all arms for the plan's margin."""
    days_needed: float | None


@shown
@dataclass(frozen=True, slots=True, eq=False)
class AbResult:
    """Result of one experiment as of one day. Made by `analyse`."""

    counts: Counts
    plan: Plan
    """With the parameters that were frozen at the first look."""
    health: Health
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    occasion: Occasion
    looks: tuple[Look, ...]
    """This run's included, where it is one."""
    shares: Mapping[str, float]
    """Of the arms, by the newest weights."""
    planned_shares: Mapping[str, float]
    """Of the arms as of the first look: what information is counted in."""
    planned_units: float
    planning_rate: float | None
    """The rate behind `planned_units`."""
    pooled_rate: float | None
    needed: tuple[Needed, ...]
    power: Power
    money: Mapping[str, Money]
    """By treatment; empty where no effect may be shown or costs are unknown."""
    guardrails: tuple[Guardrail, ...]
    segments: Segments | None
    """None where no effect may be shown."""
    other_analyses: tuple[OtherAnalysis, ...]
    """Supplementary: they decide nothing."""
    deviations: tuple[str, ...] = ()
    design_effects: Mapping[str, tuple[float, int]] | None = None
    """By treatment: design effect on the plan's scale, and clusters."""
    run_as_of: datetime | None = None
    """What the run was made as of, where `counts` are those of an earlier look that decided."""
    planned_power: float | None = None
    """Chance to show that the margin is kept by the end of the plan, if the arms are equal; None under
    "anytime", and where no rate is known."""
    uncompared: tuple[Excluded, ...] = ()
    """Units that are in the totals of their arm and in no comparison of a treatment."""
    rows_changed: bool = False
    """Whether the rows of a look that is shown again are other ones now."""

    def verdict(self) -> Verdict:
        """The decision by the rule of the report."""
        return decide(self)

    @property
    def chosen(self) -> Comparison | None:
        """The comparison that the verdict is about; None of one arm."""
        from llmbench.abtest.decision import decisive

        return decisive(self)

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """Rows and units that are in no count, and units that are in no comparison, and why."""
        return (*self.counts.excluded, *self.uncompared)

    @property
    def plan_is_short(self) -> bool:
        """Whether the plan ends clearly before it has the power that was asked for."""
        return self.planned_power is not None and self.planned_power < _SHORT * self.plan.power

    @property
    def as_of(self) -> datetime:
        """What the run was made as of: that of `counts`, unless a look decided before."""
        return self.run_as_of or self.counts.as_of

    @property
    def cut_off_notes(self) -> tuple[str, ...]:
        """What is of other data than the rest, one sentence each; none where all is of one cut-off."""
        return cut_off_notes(self)

    @property
    def shows_effect(self) -> bool:
        """Whether effects, and replies by arm, are shown."""
        return self.health.healthy and self.occasion.shows_effect

    def data(self) -> dict[str, Any]:
        """`data` of result.json."""
        return result_data(self)

    def to_pandas(self) -> pd.DataFrame:
        """One row an arm, with its comparison."""
        import pandas as pd

        compared = {each.treatment: each.data() for each in self.comparisons}
        rows = []
        for arm in self.data()["arms"]:
            found = compared.get(arm["arm"], {})
            kept = ("difference", "difference_ci", "ratio", "ratio_ci", "p_value", "p_adjusted", "verdict")
            rows.append(arm | {name: found.get(name) for name in kept})
        return pd.DataFrame(rows)

    def _table(self) -> PlainTable:
        compared = {each.treatment: each for each in self.comparisons}
        rows = []
        for arm in self.arms:
            found = compared.get(arm.arm)
            rows.append(
                (
                    arm.arm,
                    count_text(arm.units),
                    count_text(arm.replies),
                    UNKNOWN if arm.rate is None else f"{100 * arm.rate:.2f}%",
                    NONE if found is None else UNKNOWN if found.ratio is None else _ratio_text(found),
                    dollars(arm.cost.cost_usd),
                    found.verdict if found else "control" if arm.arm == self.plan.control else NONE,
                )
            )
        head = ("arm", "units", "replies", "rate", "ratio to the control", "cost", "verdict")
        return PlainTable(head, rows)

    def _repr_html_(self) -> str:
        verdict = self.verdict()
        return f"<p><b>{verdict.decision}</b> {html.escape(verdict.summary)}</p>{self._table().html()}"

    def __str__(self) -> str:
        table = self._table()
        cells = [table.head, *table.rows]
        widths = [max(len(row[place]) for row in cells) for place in range(len(table.head))]
        lines = [
            "  ".join(
                cell.ljust(width) if place < 1 or place == len(widths) - 1 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        verdict = self.verdict()
        return "\n".join([f"{verdict.decision}: {verdict.summary}", *lines])

    __repr__ = __str__


def _ratio_text(found: Comparison) -> str:
    ratio = found.ratio if found.ratio is not None else math.nan
    if found.ratio_ci is None:
        return f"{ratio:.2f}"
    return f"{ratio:.2f} ({found.ratio_ci.low:.2f} to {found.ratio_ci.high:.2f})"
