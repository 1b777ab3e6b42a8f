"""How fast a migration moves the traffic: the stages in weeks, and what that is of each month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from llmbench.decision.effects import check_amount, check_whole
from llmbench.decision.gates import SHARE_OF_STAGE, STAGES
from llmbench.economics.workload import HOURS_OF_MONTH, HOURS_OF_WEEK
from llmbench.errors import UsageError

__all__ = ["DEFAULT_WEEKS", "RampMonth", "check_ramp", "ramp_by_stage"]

_WEEKS_OF_MONTH = HOURS_OF_MONTH / HOURS_OF_WEEK
DEFAULT_WEEKS: Mapping[str, float] = MappingProxyType(
    {"offline": 0.0, "shadow": 2.0, "canary-1": 1.0, "canary-5": 1.0, "canary-25": 2.0, "full": 4.0}
)
"""How long each stage lasts: an assumption, to be replaced. After "full" the old model is turned off."""


class RampMonth(NamedTuple):
    """One month of the migration, as shares of its time and traffic."""

    moved: float
    """Of the messages, answered by the candidate alone."""
    doubled: float = 0.0
    """Answered by the candidate as well, its answer thrown away (shadow): paid for twice."""
    old_on: float = 1.0
    """Of the month, in which the machines of the baseline are still up."""
    new_on: float = 1.0
    """In which those of the candidate are."""
    both_on: float = 1.0
    """In which both are run."""
    stages: tuple[str, ...] = ()
    """In their order."""


def ramp_by_stage(
    weeks: Mapping[str, float] | None = None, months: int = 12, *, shadow_share: float = 0.1
) -> tuple[RampMonth, ...]:
    """The months of a migration whose stages last so many weeks; None: `DEFAULT_WEEKS`.

    A stage that is not named is left out. The last one, decommission, goes on for ever: there the old model
    is off. `shadow_share` is the part of the traffic that the candidate answers as well in the shadow stage.
    A month is 730 hours, and its messages are spread evenly over it.

    Raises UsageError for a stage that there is not, a time below 0, and no months.

    >>> [round(month.moved, 3) for month in ramp_by_stage({"canary-25": 2, "full": 4}, 3)]
    [0.655, 1.0, 1.0]
    """
    given = DEFAULT_WEEKS if weeks is None else weeks
    strange = [name for name in given if name not in STAGES[:-1]]
    if strange:
        raise UsageError(
            f"There is no stage {', '.join(map(repr, strange))} that ends; there is {', '.join(STAGES[:-1])}."
        )
    months = check_whole("months", months, least=1)
    if check_amount("shadow_share", shadow_share) > 1:
        raise UsageError(f"shadow_share must be a share between 0 and 1; it is {shadow_share!r}.")
    ends, so_far = [0.0], 0.0
    for stage in STAGES[:-1]:
        so_far += check_amount(f"weeks of {stage}", given.get(stage, 0.0)) / _WEEKS_OF_MONTH
        ends.append(so_far)
    spans = [*pairwise(ends), (so_far, float("inf"))]
    return tuple(_month(spans, month, shadow_share) for month in range(months))


def _month(spans: Sequence[tuple[float, float]], month: int, shadow_share: float) -> RampMonth:
    parts = {
        stage: max(0.0, min(end, month + 1) - max(begin, month))
        for stage, (begin, end) in zip(STAGES, spans, strict=True)
    }
    old, new = 1 - parts["decommission"], 1 - parts["offline"]
    return RampMonth(
        moved=sum(share * parts[stage] for stage, share in SHARE_OF_STAGE.items()),
        doubled=shadow_share * parts["shadow"],
        old_on=old,
        new_on=new,
        both_on=max(0.0, old + new - 1),
        stages=tuple(stage for stage, part in parts.items() if part > 0),
    )


def check_ramp(ramp: Sequence[RampMonth | float], months: int) -> tuple[RampMonth, ...]:
    """`ramp` for so many months, its last one repeated; a number is the share moved in a month.

    Both models then run until all is moved. Raises UsageError for what is no share, and for no months.
    """
    if not ramp:
        raise UsageError("ramp is empty; it needs the share that is moved in each month.")
    found = [month if isinstance(month, RampMonth) else _plain(month) for month in ramp]
    for place, month in enumerate(found, 1):
        for name in ("moved", "doubled", "old_on", "new_on", "both_on"):
            if check_amount(f"{name} of month {place} of the ramp", getattr(month, name)) > 1 + 1e-9:
                raise UsageError(
                    f"{name} of month {place} of the ramp must be a share between 0 and 1; "
                    f"it is {getattr(month, name)!r}."
                )
        if month.moved + month.doubled > 1 + 1e-9:
            raise UsageError(f"Month {place} of the ramp moves and doubles more than all of the traffic.")
    return (*found[:months], *[found[-1]] * (months - len(found)))


def _plain(moved: float) -> RampMonth:
    old = 0.0 if moved == 1 else 1.0
    return RampMonth(moved, old_on=old, both_on=old)
