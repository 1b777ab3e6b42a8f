"""Base load on machines of one's own, the peaks at an API; and machines that run only when there is work."""

from __future__ import annotations

import math
from typing import NamedTuple

from llmbench.economics.checks import check_amount
from llmbench.economics.hosting import HostingCosts, HostingOption
from llmbench.economics.workload import HOURS_OF_DAY, HOURS_OF_WEEK, Workload
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["HybridPlan", "JobPlan", "hybrid_plans", "nightly_job"]


@shown
class HybridPlan(NamedTuple):
    """So many replicas that are always on; what is above them goes to the API."""

    replicas: int
    own_share: float
    """Of the messages, answered on the machines."""
    rent_usd: float
    api_usd: float
    fixed_usd: float
    """People and storage: nothing without machines."""
    variable_usd: float
    """Egress, and what the fallback answers of the messages that are meant for the machines."""
    utilisation: float | None
    """Of the machines over the week; None without machines."""

    @property
    def usd(self) -> float:
        """A month, all of it."""
        return self.rent_usd + self.api_usd + self.fixed_usd + self.variable_usd


def hybrid_plans(
    option: HostingOption,
    load: Workload,
    costs: HostingCosts,
    usd_per_message: float,
    *,
    fallback_usd_per_message: float = 0.0,
) -> list[HybridPlan]:
    """The plans from no machine to as many as the peak needs, in that order.

    No spare replica is paid for: where a machine fails, the API answers. Messages that can wait fill the
    hours in which there is room. Of what the machines would answer, the `fallback_share` goes to the fallback
    instead, at `fallback_usd_per_message`.

    Raises UsageError where the option does not work or the peak takes more than 1,000 replicas.
    """
    if not option.works:
        raise UsageError(f"{option.name} {option.why_not()}; there is nothing to mix with an API.")
    check_amount("usd_per_message", usd_per_message)
    check_amount("fallback_usd_per_message", fallback_usd_per_message)
    if costs.fallback_share == 1:
        raise UsageError("fallback_share is 1: the fallback answers everything, and the machines nothing.")
    limit = option.limit(costs)
    # What is meant for the machines in an hour: of it they answer what the fallback does not.
    carried = option.full_per_month(load, costs) / costs.month_hours * limit
    hourly = carried / (1 - costs.fallback_share)
    waiting = load.batch_share
    mean = load.messages_per_month / costs.month_hours
    now = [mean * (1 - waiting) * hour for hour in load.hours]
    most = math.ceil(max(*now, mean) / hourly - 1e-9)
    if most > 1000:
        raise UsageError(
            f"The peak takes {most:,} replicas of {option.name}; look at a larger GPU before mixing "
            f"it with an API."
        )
    plans = []
    for replicas in range(most + 1):
        room = replicas * hourly
        served = [min(each, room) for each in now]
        later = min(
            mean * waiting * HOURS_OF_WEEK, math.fsum(room - each for each in served) if replicas else 0.0
        )
        meant = (math.fsum(served) + later) / (mean * HOURS_OF_WEEK) if mean else 0.0
        busy = (math.fsum(served) + later) / HOURS_OF_WEEK * (1 - costs.fallback_share)
        answered = meant * (1 - costs.fallback_share)
        plans.append(
            HybridPlan(
                replicas=replicas,
                own_share=answered,
                rent_usd=replicas * option.usd_per_hour * costs.month_hours,
                api_usd=(1 - meant) * load.messages_per_month * usd_per_message,
                fixed_usd=costs.fixed_usd if replicas else 0.0,
                variable_usd=load.messages_per_month
                * (answered * costs.egress_usd_per_message + (meant - answered) * fallback_usd_per_message),
                utilisation=busy / (replicas * carried / limit) if replicas else None,
            )
        )
    return plans


@shown
class JobPlan(NamedTuple):
    """A machine that is rented only while it works through what has waited."""

    hours: float
    """Billed a month."""
    rent_usd: float
    fixed_usd: float
    variable_usd: float = 0.0
    """Egress, and what the fallback answers."""

    @property
    def usd(self) -> float:
        """A month, all of it."""
        return self.rent_usd + self.fixed_usd + self.variable_usd


def nightly_job(
    option: HostingOption,
    load: Workload,
    costs: HostingCosts,
    *,
    start_minutes: float = 5.0,
    fallback_usd_per_message: float = 0.0,
) -> JobPlan:
    """One replica that is started each night, works at full throughput and is ended (scale to zero).

    Only for messages that can wait. `start_minutes` is from renting the machine to its first answer: the
    weights must be loaded and the engine started. `fallback_usd_per_message` is what each message of the
    `fallback_share` costs.

    Raises UsageError where the option does not work, or where a night's work takes more than a day.
    """
    if not option.works:
        raise UsageError(f"{option.name} {option.why_not()}; there is no job to run on it.")
    check_amount("start_minutes", start_minutes)
    check_amount("fallback_usd_per_message", fallback_usd_per_message)
    per_hour = option.full_per_month(load, costs) / costs.month_hours
    own = load.messages_per_month * (1 - costs.fallback_share)
    nights = costs.month_hours / HOURS_OF_DAY
    hours = own / per_hour + nights * start_minutes / 60
    if hours > costs.month_hours:
        raise UsageError(
            f"The messages of a night take one replica of {option.name} more than a day; it cannot "
            f"stop at all."
        )
    variable = own * costs.egress_usd_per_message + (load.messages_per_month - own) * fallback_usd_per_message
    return JobPlan(hours, hours * option.usd_per_hour, costs.fixed_usd, variable)
