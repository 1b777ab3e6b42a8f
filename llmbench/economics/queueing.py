"""How long requests wait for a free place, and how many replicas the busiest hour needs."""

from __future__ import annotations

import html
import math
from typing import NamedTuple

from llmbench.economics.checks import check_amount, check_share, check_whole
from llmbench.errors import UsageError
from llmbench.plain_table import PlainTable
from llmbench.shown import shown

__all__ = ["ReplicaPlan", "Waiting", "availability", "erlang_c", "replicas_needed", "waiting"]

_MOST_REPLICAS = 100_000
_MOST_LOAD = 10_000_000
"""Requests in service at which the recursion still takes seconds."""


def erlang_c(servers: int, offered_load: float) -> float:
    """Chance that a request must wait, with so many servers and `offered_load` = arrivals x service time.

    Erlang (1917), by the recursion of Erlang B; Poisson arrivals. 1 where the load is not below the servers:
    then every request waits, ever longer.

    Raises UsageError for fewer than one server and for a load that is no number from 0 to 10 million.

    >>> round(erlang_c(10, 7), 6)
    0.221731
    """
    count, load = check_whole("servers", servers, 1), check_amount("offered_load", offered_load)
    if load >= count:
        return 1.0
    if load > _MOST_LOAD:
        raise UsageError(
            f"offered_load must be at most {_MOST_LOAD:,} to be counted; it is {offered_load!r}."
        )
    blocked = 1.0
    for k in range(1, count + 1):
        blocked = load * blocked / (k + load * blocked)
        if blocked == 0:
            break  # and stays so, however many servers follow
    return blocked / (1 - load / count * (1 - blocked))


@shown
class Waiting(NamedTuple):
    """The queue before a group of servers, in seconds. Infinite where the load is not below the servers."""

    probability: float
    """That a request waits at all."""
    mean_s: float
    """Of all requests, those that do not wait included."""
    decay_s: float
    """Mean wait of those that do wait."""
    utilisation: float

    def beyond(self, seconds: float) -> float:
        """Chance of a wait longer than `seconds`: exponential behind the chance to wait at all.

        Raises UsageError for less than 0 seconds.
        """
        check_amount("seconds", seconds)
        if math.isinf(self.decay_s):
            return 1.0
        return self.probability * (math.exp(-seconds / self.decay_s) if self.decay_s else 0.0)

    def quantile_s(self, share: float) -> float:
        """The wait that `share` of the requests stay below. Raises UsageError for a share of 1, which no wait
        is long enough for, and for what is no share.
        """
        if check_share("share", share) == 1:
            raise UsageError("share must lie below 1: no wait is long enough for all requests.")
        if self.probability <= 1 - share:
            return 0.0
        return self.decay_s * math.log(self.probability / (1 - share))


def waiting(
    servers: int, offered_load: float, service_s: float, *, arrival_cv2: float = 1.0, service_cv2: float = 1.0
) -> Waiting:
    """The wait in a queue of `servers` with general arrivals and services.

    Allen and Cunneen's approximation: Erlang C's wait times the mean of the squared coefficients of
    variation, of the times between arrivals and of the services: Allen (1990), Probability, Statistics, and
    Queueing Theory, section 5.3. With both 1 it is exact (M/M/c). Bursts of language-model traffic have
    arrival_cv2 above 1: Wang et al. (2024), BurstGPT, arXiv:2401.17644.

    Raises UsageError for numbers that cannot be meant.

    >>> queue = waiting(14, 10, 180)  # 100 calls of 3 minutes in half an hour, 14 agents
    >>> print(f"{queue.probability:.3f} {1 - queue.beyond(20):.3f}")
    0.174 0.888
    """
    count, load = check_whole("servers", servers, 1), check_amount("offered_load", offered_load)
    service = check_amount("service_s", service_s)
    spread = (check_amount("arrival_cv2", arrival_cv2) + check_amount("service_cv2", service_cv2)) / 2
    if load >= count:
        return Waiting(1.0, math.inf, math.inf, load / count)
    probability = erlang_c(count, load)
    decay = service * spread / (count - load)
    return Waiting(probability, probability * decay, decay, load / count)


@shown
class ReplicaPlan(NamedTuple):
    """Replicas for the busiest hour."""

    serving: int
    spare: int
    """Beyond those, so that as many may fail (N+1)."""
    utilisation: float
    """Of the serving ones in that hour."""
    wait: Waiting
    late_share: float
    """Share of the requests that wait longer than the limit, with the serving ones alone."""
    binding: str
    """What asks for so many: "waiting", "utilisation" or "one replica is the least"."""

    @property
    def total(self) -> int:
        """All that are paid for."""
        return self.serving + self.spare

    def table(self) -> PlainTable:
        """As it is shown."""
        return PlainTable(
            ("replicas", "serving", "spare", "utilisation", "share that waits too long", "binding"),
            [
                (
                    str(self.total),
                    str(self.serving),
                    str(self.spare),
                    f"{self.utilisation:.0%}",
                    f"{self.late_share:.2%}",
                    self.binding,
                )
            ],
            texts=0,
        )

    def _repr_html_(self) -> str:
        return self.table().html() + f"<p>{html.escape('In the busiest hour, none of them failed.')}</p>"


def replicas_needed(
    requests_per_s: float,
    places: int,
    service_s: float,
    *,
    wait_limit_s: float = 1.0,
    late_share: float = 0.05,
    utilisation_limit: float = 0.7,
    spare: int = 1,
    arrival_cv2: float = 1.0,
    service_cv2: float = 1.0,
) -> ReplicaPlan:
    """The fewest replicas of which each answers `places` requests at a time, in `service_s` seconds each.

    `requests_per_s` is that of the busiest hour. So many that at most `late_share` of the requests wait
    longer than `wait_limit_s` for a place and that no more than `utilisation_limit` of the places are taken;
    `spare` come on top. All places are one queue, as behind a balancer that knows which are free.

    Raises UsageError for numbers that cannot be meant.

    >>> replicas_needed(1.0, 32, 20.0).total, replicas_needed(4.0, 32, 20.0).total
    (2, 5)
    """
    rate, count = check_amount("requests_per_s", requests_per_s), check_whole("places", places, 1)
    service, limit = check_amount("service_s", service_s), check_amount("wait_limit_s", wait_limit_s)
    for name, value in (("late_share", late_share), ("utilisation_limit", utilisation_limit)):
        check_share(name, value, above_zero=True)
    extra = check_whole("spare", spare)
    load = rate * service
    by_utilisation = max(1, math.ceil(load / utilisation_limit / count - 1e-9))
    if by_utilisation > _MOST_REPLICAS:
        raise UsageError(
            f"{by_utilisation:,} replicas would be needed; check requests_per_s ({rate:g}), service_s "
            "and places."
        )

    def queue(replicas: int) -> Waiting:
        return waiting(replicas * count, load, service, arrival_cv2=arrival_cv2, service_cv2=service_cv2)

    serving = by_utilisation
    while queue(serving).beyond(limit) > late_share:
        serving += 1
        if serving > _MOST_REPLICAS:
            raise UsageError(
                f"Not even {_MOST_REPLICAS:,} replicas keep {1 - late_share:.0%} of the waits below "
                f"{limit:g} s; check arrival_cv2, service_cv2 and service_s."
            )
    binding = "waiting" if serving > by_utilisation else "utilisation"
    if serving == 1:
        binding = "one replica is the least"
    found = queue(serving)
    return ReplicaPlan(serving, extra, found.utilisation, found, found.beyond(limit), binding)


def availability(total: int, needed: int, each: float) -> float:
    """Chance that at least `needed` of `total` independent replicas are up, each with chance `each`.

    Raises UsageError for numbers that cannot be meant.

    >>> print(f"{availability(1, 1, 0.99):.4f} {availability(2, 1, 0.99):.4f}")
    0.9900 0.9999
    """
    from scipy.special import bdtrc

    count, least = check_whole("total", total, 1), check_whole("needed", needed, 1)
    check_share("each", each)
    return 0.0 if least > count else float(bdtrc(least - 1.0, count, each))
