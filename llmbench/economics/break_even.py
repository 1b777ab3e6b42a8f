"""Where an API's straight line meets the staircase of one's own machines.

The API costs c for each message. Machines cost F (people, storage) and g for each replica; k replicas
serve up to k times a replica's capacity, and s spare ones stand beside them, so that

    self(V) = F + (k + s) g + v V    for (k - 1) cap < V <= k cap.

On step k the two are equal at V = (F + (k + s) g) / (c - v), where that lies on the step; at the end of
a step the cost jumps by g and the API may become cheaper again. Every such place is reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from llmbench.economics.checks import check_amount, check_positive, check_share, check_whole
from llmbench.economics.hosting import HostingCosts, HostingOption
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["BreakEven", "Crossing", "break_even", "break_even_of"]

_MOST_STEPS = 1000
_LEAST_GAIN = 1e-18
"""USD a message: with less no volume that can be counted pays for a machine."""


@shown
class Crossing(NamedTuple):
    """A volume at which the cheaper side changes."""

    messages_per_month: float
    serving: int
    """Replicas that serve from there on, the spare ones not counted."""
    cheaper: str
    """Who is cheaper just above it: "self-hosting" or "api"."""


@shown
class BreakEven(NamedTuple):
    """One option against one API."""

    messages_per_month: float | None
    """At which the API costs what one serving replica (and the spare ones) cost, whether it can carry
    them or not; None where the API is cheaper than what each message adds on the machines."""
    below_capacity: bool
    """Whether one serving replica can carry so many."""
    crossings: tuple[Crossing, ...]
    """All places where the cheaper side changes, with as many replicas as the volume takes."""
    pays_from: float | None
    """Messages a month from which on self-hosting stays cheaper; None: there is no such volume."""
    capacity_per_month: float
    """Messages of one serving replica at this week's shape."""
    utilisation: float | None
    """How busy, over the month, one serving replica must be to break even; above 1 it cannot."""
    achievable_utilisation: float
    """How busy this week's shape and the utilisation limit let it be."""

    @property
    def first(self) -> float | None:
        """The lowest volume at which self-hosting is cheaper; None: at none."""
        ups = [each.messages_per_month for each in self.crossings if each.cheaper == "self-hosting"]
        return ups[0] if ups else None

    def words(self) -> str:
        """The volume in words, as a table has it."""
        if self.first is None:
            return "never"
        if not self.below_capacity:
            return f"{self.first:,.0f} (none below one replica's capacity of {self.capacity_per_month:,.0f})"
        return f"{self.first:,.0f}"


def break_even(
    usd_per_message: float,
    replica_usd_per_month: float,
    capacity_per_month: float,
    *,
    fixed_usd_per_month: float = 0.0,
    spare_replicas: int = 0,
    own_usd_per_message: float = 0.0,
    achievable_utilisation: float = 1.0,
) -> BreakEven:
    """Every volume at which machines of one's own and an API cost the same.

    `capacity_per_month` is what one replica carries at the share `achievable_utilisation` of its full
    throughput; infinite where it is not to be looked at. `own_usd_per_message` is what each message adds
    on the machines (egress, the share that falls back to an API).

    Raises UsageError for a negative price or cost, a capacity that is not above 0, a part of a replica and a
    utilisation that is no share.

    The document's GPU at $383.98 a month against an API of $0.00014 a message:

    >>> found = break_even(0.00014, 383.98, 1_000_000)
    >>> round(found.messages_per_month), found.below_capacity, found.pays_from
    (2742714, False, None)
    """
    for name, value in (
        ("usd_per_message", usd_per_message),
        ("replica_usd_per_month", replica_usd_per_month),
        ("fixed_usd_per_month", fixed_usd_per_month),
        ("own_usd_per_message", own_usd_per_message),
    ):
        check_amount(name, value)
    check_whole("spare_replicas", spare_replicas)
    share = check_share("achievable_utilisation", achievable_utilisation)
    if capacity_per_month != math.inf:
        check_positive("capacity_per_month", capacity_per_month)
    gain = usd_per_message - own_usd_per_message
    if gain < _LEAST_GAIN:
        return BreakEven(None, False, (), None, capacity_per_month, None, share)
    standing = fixed_usd_per_month + spare_replicas * replica_usd_per_month
    single = (standing + replica_usd_per_month) / gain
    crossings = _crossings(gain, replica_usd_per_month, capacity_per_month, standing)
    last = crossings[-1] if crossings else None
    return BreakEven(
        messages_per_month=single,
        below_capacity=single <= capacity_per_month,
        crossings=tuple(crossings),
        pays_from=last.messages_per_month if last and last.cheaper == "self-hosting" else None,
        capacity_per_month=capacity_per_month,
        utilisation=single / capacity_per_month * share,
        achievable_utilisation=share,
    )


def break_even_of(
    option: HostingOption,
    load: Workload,
    costs: HostingCosts,
    usd_per_message: float,
    *,
    fallback_usd_per_message: float = 0.0,
) -> BreakEven:
    """`break_even` of an option at a workload's lengths and week; its volume is what is looked for.

    Raises UsageError where the option does not work.
    """
    if not option.works:
        raise UsageError(f"{option.name} {option.why_not()}; there is no volume at which it breaks even.")
    check_amount("fallback_usd_per_message", fallback_usd_per_message)
    own_share = 1 - costs.fallback_share
    if not own_share:
        raise UsageError("fallback_share is 1: the API answers everything, and the GPU nothing.")
    return break_even(
        usd_per_message,
        option.usd_per_hour * costs.month_hours,
        option.capacity_per_month(load, costs) / own_share,
        fixed_usd_per_month=costs.fixed_usd,
        spare_replicas=costs.spare_replicas,
        own_usd_per_message=own_share * costs.egress_usd_per_message
        + costs.fallback_share * fallback_usd_per_message,
        achievable_utilisation=option.limit(costs) / load.peak_to_mean,
    )


def _crossings(gain: float, rent: float, capacity: float, standing: float) -> list[Crossing]:
    if standing + rent == 0:
        return [Crossing(0.0, 1, "self-hosting")]
    if math.isinf(capacity):
        return [Crossing((standing + rent) / gain, 1, "self-hosting")]
    per_step = gain * capacity - rent
    if per_step <= 0:
        return []  # not even a full replica saves what it costs, so no number of replicas ever does
    # Before the first of these steps not even its end is cheaper; from the last one on even its start is.
    first = max(1, math.floor(standing / per_step))
    last = math.ceil((standing + gain * capacity) / per_step) + 1
    steps: Iterable[int] = range(first, last + 1)
    if last - first > _MOST_STEPS:  # up and down at each of them: the lowest and the last are told
        steps = (*range(first, first + 3), *range(last - 3, last + 1))
    found: list[Crossing] = []
    cheaper = "api"
    for step in steps:
        low, high = (step - 1) * capacity, step * capacity
        equal = (standing + step * rent) / gain
        if cheaper == "self-hosting" and equal > low * (1 + 1e-12):
            found.append(Crossing(low, step, "api"))  # the new replica made it dearer
            cheaper = "api"
        if cheaper == "api" and equal <= high:
            found.append(Crossing(max(equal, low), step, "self-hosting"))
            cheaper = "self-hosting"
    return found
