"""What would change the decision: for each number, the value at which both sides cost the same."""

from __future__ import annotations

import math
from typing import NamedTuple

from llmbench.economics.break_even import break_even_of
from llmbench.economics.checks import check_amount, check_positive
from llmbench.economics.hosting import HostingCosts, HostingOption
from llmbench.economics.workload import Workload
from llmbench.shown import shown

__all__ = ["Lever", "levers"]


@shown
class Lever(NamedTuple):
    """One number that alone would have to move."""

    what: str
    now: float
    needed: float | None
    """At which self-hosting costs what the API does; None: no value of it is enough."""
    unit: str


def levers(
    option: HostingOption,
    load: Workload,
    costs: HostingCosts,
    usd_per_message: float,
    *,
    fallback_usd_per_message: float = 0.0,
) -> list[Lever]:
    """What each number would have to be, all others as they are, for `option` to cost what the API does.

    More throughput helps only by taking fewer replicas; where the API costs less than one of them and the
    spare, none is enough. `fallback_usd_per_message` is what the `fallback_share` of the messages costs.

    Raises UsageError for no messages, and where the option does not work.
    """
    check_positive("messages_per_month", load.messages_per_month)
    check_amount("usd_per_message", usd_per_message)
    month = option.month(load, costs, fallback_usd_per_message)
    api = load.messages_per_month * usd_per_message
    rest = month.usd - month.rent_usd
    people = month.usd - month.operations_usd
    hours = costs.operations_usd_per_hour
    rent = option.usd_per_hour * costs.month_hours
    affordable = math.floor((api - rest) / rent) - costs.spare_replicas if rent else 0
    demand = load.messages_per_month * (1 - costs.fallback_share)
    full = demand / option.capacity_per_month(load, costs)
    volume = break_even_of(
        option, load, costs, usd_per_message, fallback_usd_per_message=fallback_usd_per_message
    )
    return [
        Lever("messages a month", load.messages_per_month, volume.first, "messages"),
        Lever("price of the API, a message", usd_per_message, month.usd / load.messages_per_month, "USD"),
        Lever(
            "rent of a replica, an hour",
            option.usd_per_hour,
            (api - rest) / (month.replicas * costs.month_hours) if api > rest else None,
            "USD",
        ),
        Lever(
            "people's hours a month",
            costs.operations_hours,
            (api - people) / hours if hours and api > people else None,
            "hours",
        ),
        Lever(
            "output tokens a second, a replica",
            option.output_tokens_per_s,
            option.output_tokens_per_s * full / affordable if affordable > 0 else None,
            "tokens/s",
        ),
    ]
