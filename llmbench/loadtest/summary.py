"""What the requests of one rate amount to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from llmbench.loadtest.client import Sample
from llmbench.shown import shown
from llmbench.stats import Interval, quantile_interval
from llmbench.stats.checks import check_positive

__all__ = ["Latency", "Objective", "RateResult", "summarise"]

_P95_FROM, _P99_FROM = 200, 1000
"""Ten values lie beyond the quantile."""
_WITHIN = 0.95
_MOST_FAILED = 0.05
_KEPT_UP = 0.9
"""Share of what was offered that a server which keeps up has answered soon after the last arrival."""
_MS = 1e3


class Objective(NamedTuple):
    """What 95% of the requests must stay within, in milliseconds."""

    ttft_ms: float = 2000.0
    tpot_ms: float = 100.0


@shown
class Latency(NamedTuple):
    """Milliseconds of `n` requests; a quantile is the least value that such a share does not exceed."""

    n: int
    mean: float | None = None
    p50: float | None = None
    p50_interval: Interval | None = None
    """95%; None where so few values give none."""
    p95: float | None = None
    """From 200 values on."""
    p95_interval: Interval | None = None
    p99: float | None = None
    """From 1,000 values on."""
    at_least: bool = False
    """True where requests that were given up are in it with the time they had waited by then."""


@shown
@dataclass(frozen=True, slots=True)
class RateResult:
    """One rate. Failed requests are in no time and no throughput."""

    rate: float
    """Requests a second, asked for."""
    seconds: float
    """For which requests were sent."""
    sent: int
    completed: int
    failures: tuple[tuple[str, int], ...]
    """Kinds, with their counts."""
    cut_off: int
    """Requests that were still under way when the rate was given up."""
    interrupted: bool
    span_s: float
    """From the start to the last answer, less the time of the quickest, and no less than `seconds`."""
    input_tokens: int | None
    """Of the completed, by the server's count; None where it tells of any of them nothing."""
    cached_tokens: int | None
    output_tokens: int | None
    ttft: Latency
    """To the first token, from the moment at which the request was due."""
    ttft_from_send: Latency
    tpot: Latency
    """Per further token: (last - first) / (output tokens - 1)."""
    latency: Latency
    """To the last token, from the moment at which the request was due."""
    client_lag_ms: float | None
    """The longest that this client was late with a request."""
    ttft_within: float | None
    """Share of the requests within the objective."""
    tpot_within: float | None
    usd: float | None
    """What the calls cost; None: not known."""
    misses: tuple[str, ...]
    """Why the objective is missed; empty: it is kept."""

    @property
    def failed(self) -> int:
        """All failures."""
        return sum(count for _, count in self.failures)

    @property
    def judged(self) -> bool:
        """Whether anything can be said: at least one request, and nobody stopped it."""
        return self.sent > 0 and not self.interrupted

    @property
    def kept(self) -> bool:
        """Whether the objective is kept and the load was carried."""
        return self.judged and not self.misses

    @property
    def rough(self) -> bool:
        """Whether there are too few requests for a 95th percentile."""
        return self.ttft.n < _P95_FROM

    @property
    def offered_per_s(self) -> float:
        """Requests a second that were sent indeed."""
        return self.sent / self.seconds

    @property
    def achieved_per_s(self) -> float:
        """Requests a second that were answered."""
        return self.completed / self.span_s

    @property
    def output_tokens_per_s(self) -> float | None:
        """Over all requests."""
        return None if self.output_tokens is None else self.output_tokens / self.span_s

    def usd_per_million_output(self, usd_per_hour: float | None) -> float | None:
        """At this rate around the clock."""
        rate = self.output_tokens_per_s
        return None if usd_per_hour is None or not rate else usd_per_hour / 3600 / rate * 1e6


def summarise(
    samples: Sequence[Sample],
    rate: float,
    seconds: float,
    objective: Objective | None = None,
    *,
    interrupted: bool = False,
) -> RateResult:
    """The figures of the requests of one rate, sent over `seconds`.

    A request that was given up counts with the time it had waited, so that a server that does not answer
    does not look quick; the figures are then marked as lower bounds. Where a user stopped the run, requests
    under way are left out instead. Raises UsageError for seconds that are not above 0.

    >>> one = Sample(0.0, sent=0.0, first=0.5, done=1.5, output_tokens=11)
    >>> found = summarise([one], rate=1, seconds=1)
    >>> found.ttft.p50, found.tpot.p50, found.kept
    (500.0, 100.0, True)
    """
    check_positive("seconds", seconds)
    goal = objective or Objective()
    answered = [each for each in samples if each.done is not None and each.error is None]
    cut = [] if interrupted else [each for each in samples if each.cut is not None and each.done is None]
    counted = [*answered, *cut]
    bounded = bool(cut)
    from_due = [_ms(each.scheduled, each.first, each.cut) for each in counted]
    from_send = [_ms(each.sent, each.first, each.cut) for each in counted if each.sent is not None]
    whole = [_ms(each.scheduled, each.done, each.cut) for each in counted]
    steps = [step for each in answered if (step := _step_ms(each)) is not None]
    quickest = min((_ms(each.sent, each.done, None) for each in answered), default=0.0) / _MS
    last = max((each.done or 0.0 for each in answered), default=0.0)
    lags = [(each.sent - each.scheduled) * _MS for each in samples if each.sent is not None]
    costs = [each.cost for each in answered]
    failures = Counter(each.error for each in samples if each.error is not None)
    waited = any(each.first is None for each in cut)
    result = RateResult(
        rate=rate,
        seconds=seconds,
        sent=len(samples) - (sum(each.cut is not None for each in samples) if interrupted else 0),
        completed=len(answered),
        failures=tuple(sorted(failures.items())),
        cut_off=len(cut),
        interrupted=interrupted,
        span_s=max(seconds, last - quickest),
        input_tokens=_total([each.input_tokens for each in answered]),
        cached_tokens=_total([each.cached_tokens for each in answered]),
        output_tokens=_total([each.output_tokens for each in answered]),
        ttft=_latency(from_due, waited),
        ttft_from_send=_latency(from_send, waited),
        tpot=_latency(steps, at_least=False),
        latency=_latency(whole, bounded),
        client_lag_ms=max(lags, default=None),
        ttft_within=_share(from_due, goal.ttft_ms),
        tpot_within=_share(steps, goal.tpot_ms),
        usd=None if None in costs else math.fsum(cost for cost in costs if cost is not None),
        misses=(),
    )
    return _with_misses(result, goal)


def _with_misses(found: RateResult, goal: Objective) -> RateResult:
    misses = []
    if found.cut_off:
        misses.append(f"given up with {found.cut_off} requests unanswered")
    if found.failed > _MOST_FAILED * found.sent:
        misses.append(f"{found.failed} of {found.sent} failed")
    elif found.achieved_per_s < _KEPT_UP * (found.sent - found.failed) / found.seconds:
        misses.append("falls behind")
    for name, share, limit in (
        ("TTFT", found.ttft_within, goal.ttft_ms),
        ("TPOT", found.tpot_within, goal.tpot_ms),
    ):
        if share is not None and share < _WITHIN:
            misses.append(f"{name} within {limit:g} ms: {share:.0%}")
    return replace(found, misses=tuple(misses))


def _ms(begin: float | None, end: float | None, cut: float | None) -> float:
    until = cut if end is None else end
    return math.nan if begin is None or until is None else (until - begin) * _MS


def _step_ms(sample: Sample) -> float | None:
    if sample.first is None or sample.done is None or (sample.output_tokens or 0) < 2:
        return None
    return (sample.done - sample.first) * _MS / ((sample.output_tokens or 0) - 1)


def _total(values: Sequence[int | None]) -> int | None:
    return None if None in values else sum(value for value in values if value is not None)


def _share(values: Sequence[float], limit: float) -> float | None:
    return sum(value <= limit for value in values) / len(values) if values else None


def _latency(values: Sequence[float], at_least: bool) -> Latency:
    n = len(values)
    if not n:
        return Latency(0)
    ascending = sorted(values)

    def quantile(q: float) -> float:
        return ascending[max(0, math.ceil(q * n - 1e-9) - 1)]

    def interval(q: float) -> Interval | None:
        found = quantile_interval(ascending, q)
        # Beyond a request that was given up nothing is known.
        return None if at_least or math.isnan(found.low) or math.isnan(found.high) else found

    return Latency(
        n=n,
        mean=math.fsum(values) / n,
        p50=quantile(0.5),
        p50_interval=interval(0.5),
        p95=quantile(0.95) if n >= _P95_FROM else None,
        p95_interval=interval(0.95) if n >= _P95_FROM else None,
        p99=quantile(0.99) if n >= _P99_FROM else None,
        at_least=at_least,
    )
