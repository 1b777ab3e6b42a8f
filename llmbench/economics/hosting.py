"""What machines of one's own cost at a volume: whole replicas, a spare, people's hours.

A rented GPU bills when it is idle. Utilisation therefore belongs in how much a replica can carry, and
never in its rent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from llmbench.economics.checks import check_amount, check_positive, check_share, check_whole
from llmbench.economics.memory import FitState
from llmbench.economics.workload import HOURS_OF_MONTH, Workload
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["HostingCosts", "HostingOption", "MonthlyCost", "cheapest"]

_SECONDS_OF_HOUR = 3600.0
_STATES: tuple[FitState, ...] = get_args(FitState)


@dataclass(frozen=True, slots=True)
class HostingCosts:
    """What running machines takes beside their rent. Every default is a parameter, none is a finding."""

    month_hours: float = HOURS_OF_MONTH
    spare_replicas: int = 1
    """Replicas beyond what the peak needs, so that one may fail (N+1)."""
    utilisation_limit: float = 0.7
    """How full a replica may be in the busiest hour before answers wait."""
    operations_hours: float = 8.0
    """Of people, a month."""
    operations_usd_per_hour: float = 100.0
    storage_usd: float = 25.0
    """Disk, load balancer and the like, a month."""
    egress_usd_per_message: float = 0.0
    fallback_share: float = 0.0
    """Share of the messages that an API answers instead, because the machine is down or the answer was
    refused."""

    def __post_init__(self) -> None:
        for each in fields(self):
            check_amount(each.name, getattr(self, each.name))
        check_positive("month_hours", self.month_hours)
        check_whole("spare_replicas", self.spare_replicas)
        check_share("utilisation_limit", self.utilisation_limit, above_zero=True)
        check_share("fallback_share", self.fallback_share)

    @property
    def fixed_usd(self) -> float:
        """A month's cost that depends neither on messages nor on machines."""
        return float(self.operations_hours * self.operations_usd_per_hour + self.storage_usd)


@shown
@dataclass(frozen=True, slots=True)
class HostingOption:
    """A model on machines of one kind. One replica is `n_gpu` GPUs that together hold the model once."""

    gpu: str
    n_gpu: int
    model: str
    dtype: str
    usd_per_hour: float
    """Rent of one replica: all of its GPUs."""
    output_tokens_per_s: float
    """Of one replica, at the workload's lengths and within its latency objective; 0: none within it."""
    low: float
    """Lower and upper end of the 80% interval of `output_tokens_per_s`."""
    high: float
    input_share: float = 0.2
    """Share of a message's time on the GPU that reading its input takes, at the workload's lengths."""
    queue_limit: float = 1.0
    """How full a replica may be in the busiest hour for answers to begin in time, by its queue."""
    extrapolated: bool = False
    """No measurement of this GPU lies behind the throughput."""
    fits: FitState = "fits"
    """"fits", "starved" (little room beside the weights) or "does not fit"."""
    engine: str = "vllm"
    purchase: str = "on-demand"
    offer: str = ""
    """Whose machine, such as "aws g5.xlarge"."""
    price_as_of: str | None = None
    price_source: str | None = None
    ttft_ms: float | None = None
    """95th percentile at the chosen number in flight, once a place is free; None: not known."""
    tpot_ms: float | None = None
    in_flight: float | None = None
    """Requests that are answered at the same time on one replica, at the point chosen."""

    def __post_init__(self) -> None:
        check_whole(f"n_gpu of {self.model} on {self.gpu}", self.n_gpu, 1)
        check_amount(f"usd_per_hour of {self.name}", self.usd_per_hour)
        for name in ("low", "output_tokens_per_s", "high"):
            check_amount(f"{name} of {self.name}", getattr(self, name))
        if not self.low <= self.output_tokens_per_s <= self.high:
            raise UsageError(
                f"The throughput of {self.name} must lie within its interval; it is "
                f"{self.output_tokens_per_s!r} in {self.low!r} to {self.high!r}."
            )
        for name in ("ttft_ms", "tpot_ms", "in_flight"):
            if getattr(self, name) is not None:
                check_amount(f"{name} of {self.name}", getattr(self, name))
        check_share(f"input_share of {self.name}", self.input_share)
        check_share(f"queue_limit of {self.name}", self.queue_limit, above_zero=True)
        if self.fits not in _STATES:
            raise UsageError(f"fits of {self.name} must be one of {', '.join(_STATES)}; it is {self.fits!r}.")

    @property
    def name(self) -> str:
        """As it is called in tables."""
        count = f"{self.n_gpu}x " if self.n_gpu > 1 else ""
        bought = "" if self.purchase == "on-demand" else f", {self.purchase}"
        return f"{self.model} {self.dtype} on {count}{self.gpu}{bought}"

    @property
    def hardware(self) -> str:
        """The GPUs of one replica."""
        return self.gpu if self.n_gpu == 1 else f"({self.n_gpu} x {self.gpu})"

    @property
    def replica(self) -> str:
        """The GPUs of one replica and the number format, where they stand alone."""
        return f"{self.hardware.strip('()')}, {self.dtype}"

    @property
    def works(self) -> bool:
        """Whether it answers at all within the objective."""
        return self.fits != "does not fit" and self.output_tokens_per_s > 0

    def capacity_per_month(
        self, load: Workload, costs: HostingCosts, tokens_per_s: float | None = None
    ) -> float:
        """Messages a month that one replica carries at this week's shape; 0 where it does not work.

        Full only in the busiest hour, and then only up to the limit.
        """
        full = self.full_per_month(load, costs, tokens_per_s)
        return full * self.limit(costs) / load.peak_to_mean

    def limit(self, costs: HostingCosts) -> float:
        """How full a replica may be in the busiest hour: as its queue allows, and as is asked for."""
        return min(costs.utilisation_limit, self.queue_limit)

    def full_per_month(self, load: Workload, costs: HostingCosts, tokens_per_s: float | None = None) -> float:
        """Messages a month of one replica that is busy in every second: what no real week reaches."""
        if not self.works:
            return 0.0
        if load.output_tokens <= 0:
            raise UsageError(
                "output_tokens is 0: what a GPU carries is told in tokens it writes; give at least 1."
            )
        rate = self.output_tokens_per_s if tokens_per_s is None else tokens_per_s
        return rate / load.output_tokens * _SECONDS_OF_HOUR * costs.month_hours

    def month(
        self, load: Workload, costs: HostingCosts, fallback_usd_per_message: float = 0.0
    ) -> MonthlyCost:
        """What the workload costs on it. Raises UsageError where the option does not work."""
        if not self.works:
            raise UsageError(f"{self.name} {self.why_not()}; it has no cost a month.")
        check_amount("fallback_usd_per_message", fallback_usd_per_message)
        own = load.messages_per_month * (1 - costs.fallback_share)
        capacity = self.capacity_per_month(load, costs)
        # A thousand-millionth of a replica is a rounding error, not a reason for another machine.
        serving = max(1, math.ceil(own / capacity - 1e-9))
        full = self.full_per_month(load, costs)
        return MonthlyCost(
            serving=serving,
            replicas=serving + costs.spare_replicas,
            rent_usd=(serving + costs.spare_replicas) * self.usd_per_hour * costs.month_hours,
            operations_usd=costs.operations_hours * costs.operations_usd_per_hour,
            storage_usd=costs.storage_usd,
            variable_usd=own * costs.egress_usd_per_message
            + costs.fallback_share * load.messages_per_month * fallback_usd_per_message,
            utilisation=own / (full * serving),
            tokens=load.messages_per_month * (load.input_tokens + load.output_tokens),
        )

    def why_not(self) -> str:
        """Why it does not work, as the end of a sentence."""
        if self.fits == "does not fit":
            return "does not fit into the memory"
        if self.works:
            return "works"
        if self.ttft_ms is None or self.tpot_ms is None:
            return "does not answer within the latency objective"
        return (
            f"does not answer within the latency objective (alone, p95 {self.ttft_ms:,.0f} ms to the "
            f"first token and {self.tpot_ms:,.0f} ms for each further one)"
        )


@shown
@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """The month of an option, by parts."""

    serving: int
    """Replicas that the peak needs."""
    replicas: int
    """Those and the spare ones: all are paid for."""
    rent_usd: float
    operations_usd: float
    storage_usd: float
    variable_usd: float
    """Egress and what an API answers instead."""
    utilisation: float
    """How busy the serving replicas are over the whole month."""
    tokens: float
    """Input and output, a month."""

    @property
    def usd(self) -> float:
        """All of it."""
        return self.rent_usd + self.operations_usd + self.storage_usd + self.variable_usd

    @property
    def usd_per_million_tokens(self) -> float:
        """All of it over input and output tokens served; infinite without any."""
        return self.usd / self.tokens * 1e6 if self.tokens else math.inf


def cheapest(
    options: Sequence[HostingOption],
    load: Workload,
    costs: HostingCosts,
    fallback_usd_per_message: float = 0.0,
) -> tuple[HostingOption, MonthlyCost]:
    """The option that carries the workload for least; of equals the first.

    Raises UsageError where none works, with the reason of each.
    """
    working = [option for option in options if option.works]
    if not working:
        reasons = "; ".join(f"{option.name} {option.why_not()}" for option in options) or "none was given"
        raise UsageError(f"No GPU carries this workload: {reasons}.")
    months: list[tuple[HostingOption, Any]] = [
        (option, option.month(load, costs, fallback_usd_per_message)) for option in working
    ]
    return min(months, key=lambda pair: pair[1].usd)
