from __future__ import annotations

import math
import random

import pytest

from llmbench.errors import UsageError
from llmbench.loadtest import Objective, RateResult, Sample, find_knee, poisson_arrivals, summarise
from llmbench.loadtest.knee import next_rate

TOKENS = 11


def answer(scheduled: float, wait: float, step: float = 0.01, late: float = 0.0) -> Sample:
    first = scheduled + wait
    return Sample(
        scheduled,
        sent=scheduled + late,
        first=first,
        done=first + step * (TOKENS - 1),
        input_tokens=20,
        cached_tokens=0,
        output_tokens=TOKENS,
        cost=0.0,
    )


def test_quantiles_by_definition() -> None:
    waits = [random.Random(3).expovariate(10) for _ in range(1500)]
    waits = [random.Random(n).expovariate(10) for n in range(1500)]
    found = summarise([answer(n / 15, wait) for n, wait in enumerate(waits)], rate=15, seconds=100)
    for q, seen in ((0.5, found.ttft.p50), (0.95, found.ttft.p95), (0.99, found.ttft.p99)):
        assert seen is not None
        share = [sum(1e3 * wait <= value + 1e-6 for wait in waits) / 1500 for value in (seen, seen - 1e-3)]
        assert share[0] >= q > share[1]
    assert found.ttft.mean == pytest.approx(1e3 * sum(waits) / 1500)
    assert found.ttft.p95_interval is not None
    assert found.ttft.p95_interval.low < (found.ttft.p95 or 0) < found.ttft.p95_interval.high
    assert found.tpot.p50 == pytest.approx(10)


def test_tail_needs_enough_requests() -> None:
    few = summarise([answer(n / 2, 0.1) for n in range(199)], rate=2, seconds=100)
    many = summarise([answer(n / 2, 0.1) for n in range(200)], rate=2, seconds=100)
    assert (few.ttft.p95, few.rough, few.kept) == (None, True, True)
    assert many.ttft.p95 == pytest.approx(100)
    assert (many.ttft.p99, many.rough) == (None, False)
    assert summarise([answer(0, 0.1)] * 5, rate=1, seconds=5).ttft.p50_interval is None


def test_first_token_counts_from_the_moment_a_request_was_due() -> None:
    found = summarise([answer(0.0, 0.5, late=0.3)], rate=1, seconds=1)
    assert found.ttft.p50 == pytest.approx(500)
    assert found.ttft_from_send.p50 == pytest.approx(200)
    assert found.client_lag_ms == pytest.approx(300)


def test_failures_are_apart() -> None:
    good = [answer(n, 0.1) for n in range(30)]
    bad = [Sample(n, sent=n, first=n + 9, error="ServerError") for n in range(2)]
    clean, mixed = (summarise(each, rate=1, seconds=30) for each in (good, [*good, *bad]))
    assert mixed.failures == (("ServerError", 2),)
    assert (mixed.ttft, mixed.latency, mixed.output_tokens_per_s) == (
        clean.ttft,
        clean.latency,
        clean.output_tokens_per_s,
    )
    assert clean.kept
    assert mixed.misses == ("2 of 32 failed",)
    nothing = summarise(bad, rate=1, seconds=30)
    assert (nothing.ttft.mean, nothing.completed, nothing.kept) == (None, 0, False)


def test_given_up_requests_count_with_the_time_they_had_waited() -> None:
    good = [answer(n, 0.1) for n in range(10)]
    cut = [Sample(n, sent=n, cut=20.0) for n in range(10)]
    found = summarise([*good, *cut], rate=2, seconds=10)
    assert found.cut_off == 10
    assert found.ttft.at_least
    assert found.ttft.p50_interval is None
    assert found.ttft.mean == pytest.approx((10 * 100 + sum(20e3 - 1e3 * n for n in range(10))) / 20)
    assert not found.kept
    by_hand = summarise([*good, *cut], rate=2, seconds=10, interrupted=True)
    assert (by_hand.sent, by_hand.cut_off, by_hand.ttft.n, by_hand.judged) == (10, 0, 10, False)


def test_unknown_stays_unknown() -> None:
    silent = Sample(0.0, sent=0.0, first=0.1, done=0.2)
    found = summarise([silent, answer(0.5, 0.1)], rate=2, seconds=1)
    assert (found.output_tokens, found.output_tokens_per_s, found.usd) == (None, None, None)
    assert found.usd_per_million_output(1.0) is None
    assert found.tpot.n == 1
    empty = summarise([], rate=0.01, seconds=10)
    assert (empty.judged, empty.ttft.p50, empty.misses) == (False, None, ())
    with pytest.raises(UsageError):
        summarise([], rate=1, seconds=0)


def test_cost_of_a_million_tokens() -> None:
    found = summarise([answer(n / 10, 0.01) for n in range(100)], rate=10, seconds=10)
    assert found.output_tokens_per_s == pytest.approx(110, rel=0.02)
    hourly = found.usd_per_million_output(1.0)
    assert hourly == pytest.approx(1e6 / 3600 / (found.output_tokens_per_s or math.nan))


def one_server(rate: float, service: float, seconds: float = 60.0) -> RateResult:
    """A made-up server that answers one after the other."""
    free, samples = 0.0, []
    for moment in poisson_arrivals(rate, seconds, seed=5):
        free = max(free, moment) + service
        samples.append(answer(moment, free - moment, step=0.0))
    return summarise(samples, rate, seconds, Objective(1000, 100))


def test_knee_of_a_made_up_server() -> None:
    # One server of 0.1 s: rho = .2, .5, .8 are quick (M/D/1 waits 0.2 s at .8), 1.3 is hopeless.
    results = [one_server(rate, 0.1) for rate in (2, 5, 8, 13)]
    assert [each.kept for each in results] == [True, True, True, False]
    assert "falls behind" in results[-1].misses
    assert results[-1].achieved_per_s == pytest.approx(10, rel=0.03)
    knee = find_knee(results)
    assert (knee.kept, knee.missed) == (results[2], results[3])
    assert str(knee).startswith("8 requests/s are carried within the objective, 13 are not: falls behind")


def test_knee_is_below_the_first_miss() -> None:
    missed, kept = one_server(13, 0.1), one_server(20, 0.01)
    assert kept.kept
    assert find_knee([kept, missed]).kept is None
    assert "Even 13 requests/s miss" in str(find_knee([kept, missed]))


def test_search_closes_in() -> None:
    results: list[RateResult] = []
    while (rate := next_rate(results, 0.7)) is not None:
        results.append(one_server(rate, 0.1))
    knee = find_knee(results)
    assert knee.kept is not None
    assert knee.missed is not None
    assert 7 < knee.kept.rate < 10.5
    assert knee.missed.rate / knee.kept.rate <= 1.3
    assert len(results) < 10
