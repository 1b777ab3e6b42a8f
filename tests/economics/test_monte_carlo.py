from __future__ import annotations

import math
import time

import numpy as np
import pytest

from llmbench.economics import (
    HostingCosts,
    HostingOption,
    Range,
    TokenPrices,
    Uncertainty,
    Workload,
    monte_carlo,
    tornado,
    week_profile,
)
from llmbench.errors import UsageError

LOAD = Workload(1_000_000, 500, 200, profile=week_profile(3))
COSTS = HostingCosts()
A10G = HostingOption("A10G", 1, "m", "fp16", 1.006, 900, 700, 1200)
SURE = Uncertainty(*(Range(1, 1, 1),) * 7)


def test_without_uncertainty_it_is_the_plain_month() -> None:
    option = HostingOption("A10G", 1, "m", "fp16", 1.006, 900, 900, 900)
    found = monte_carlo(
        [option], {"api": TokenPrices(0.0002, 0.0003)}, LOAD, COSTS, uncertainty=SURE, draws=100
    )
    assert found.self_usd == pytest.approx(np.full((100, 1), option.month(LOAD, COSTS).usd))
    assert found.api_usd == pytest.approx(np.full((100, 1), 500))


def test_the_triangle_has_its_mean_and_its_ends() -> None:
    only = Uncertainty(Range(0.5, 1.0, 2.1), *(Range(1, 1, 1),) * 6)
    found = monte_carlo([A10G], {"api": TokenPrices(1.0, 0.0)}, LOAD, COSTS, uncertainty=only)
    share = found.api_usd[:, 0] / 1_000_000
    assert share.mean() == pytest.approx(1.2, abs=0.01)
    assert 0.5 <= share.min() < share.max() <= 2.1


def test_throughput_has_the_interval_it_is_given() -> None:
    load = Workload(1e9, 500, 200)  # so many replicas that whole ones do not matter
    found = monte_carlo([A10G], {"api": TokenPrices(1.0, 0.0)}, load, COSTS, uncertainty=SURE)
    rent = found.self_usd[:, 0] - COSTS.fixed_usd
    low, high = np.quantile(1 / rent, [0.1, 0.9])
    assert high / low == pytest.approx(1200 / 700, rel=0.02)


def test_draws_are_shared_and_repeat() -> None:
    twice = [A10G, HostingOption("B", 1, "m", "fp16", 2.012, 900, 700, 1200)]
    first = monte_carlo(twice, {"api": TokenPrices(0.001, 0.001)}, LOAD, COSTS, draws=1000)
    again = monte_carlo(twice, {"api": TokenPrices(0.001, 0.001)}, LOAD, COSTS, draws=1000)
    assert (first.self_usd == again.self_usd).all()
    # One costs twice the other's rent in each draw, not only on average.
    assert (first.self_usd[:, 1] > first.self_usd[:, 0]).all()


def test_the_interval_of_a_saving_holds_its_share_of_the_draws() -> None:
    found = monte_carlo([A10G], {"api": TokenPrices(0.001, 0.001)}, LOAD, COSTS, draws=4000)
    saved = found.api_usd[:, 0] - found.self_usd[:, 0]
    low, high = found.saving_interval(A10G.name, "api")
    assert ((saved >= low) & (saved <= high)).mean() == pytest.approx(0.9, abs=0.001)
    p10, _, p90 = found.saving_quantiles(A10G.name, "api")
    assert found.saving_interval(A10G.name, "api", 0.8) == pytest.approx((p10, p90))
    with pytest.raises(UsageError, match="confidence must lie strictly between 0 and 1"):
        found.saving_interval(A10G.name, "api", 1.0)


def test_the_illustration_of_the_research_is_met_in_kind() -> None:
    """8B on a g5.xlarge, N+1: dearer than its API at any volume, cheaper than gpt-4 nearly always."""
    apis = {
        "gpt-4": TokenPrices(0.015, 0.012),
        "gpt-4o": TokenPrices(0.00125, 0.002),
        "8b": TokenPrices(0.0001, 0.00004),
    }
    at = {v: monte_carlo([A10G], apis, LOAD, COSTS, messages_per_month=v) for v in (1e5, 1e6, 5e6)}
    name = A10G.name
    assert at[1e5].probability_cheaper(name, "gpt-4") > 0.7
    assert at[1e5].probability_cheaper(name, "gpt-4o") == 0
    assert at[1e6].probability_cheaper(name, "gpt-4o") > 0.7
    assert at[5e6].probability_cheaper(name, "8b") == 0
    low, middle, high = at[1e5].quantiles(name)
    assert 1500 < low < middle < high < 3700
    frame = at[1e5].to_pandas()
    assert list(frame["against"]) == ["gpt-4", "gpt-4o", "8b"]
    assert (frame["saving_p10"] <= frame["saving_p90"]).all()


def test_the_tornado_moves_one_thing_at_a_time() -> None:
    rows = tornado(A10G, TokenPrices(0.002, 0.002), LOAD, COSTS)
    assert [row.swing for row in rows] == sorted((row.swing for row in rows), reverse=True)
    people = next(row for row in rows if row.what == "operations_hours")
    # The triangle 2, 8, 20 has its 10% and 90% quantiles at 5.29 and 15.35 hours.
    assert people.low_usd - people.high_usd == pytest.approx((15.352 - 5.286) * 100, abs=0.5)


def test_forty_thousand_draws_over_all_options_take_less_than_a_second() -> None:
    options = [HostingOption(f"G{i}", 1, "m", "fp16", 1 + i, 900, 700, 1200) for i in range(40)]
    apis = {f"a{i}": TokenPrices(1e-4 * i, 1e-4 * i) for i in range(50)}
    begin = time.process_time()
    monte_carlo(options, apis, LOAD, COSTS)
    assert time.process_time() - begin < 1


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="draws"):
        monte_carlo([A10G], {}, LOAD, COSTS, draws=10)
    with pytest.raises(UsageError, match="seed"):
        monte_carlo([A10G], {}, LOAD, COSTS, seed=-1)
    with pytest.raises(UsageError, match="No option works"):
        monte_carlo([], {}, LOAD, COSTS)
    with pytest.raises(UsageError, match="range of messages"):
        Uncertainty(Range(2, 1, 3))


def test_where_nobody_is_paid_no_draw_pays_anybody() -> None:
    free = HostingCosts(operations_hours=0, storage_usd=0, spare_replicas=0)
    found = monte_carlo([A10G], {"api": TokenPrices(0.001, 0.0)}, LOAD, free, uncertainty=SURE, draws=100)
    assert (found.self_usd == A10G.month(LOAD, free).rent_usd).all()


def test_demand_that_rises_together_keeps_each_range_and_widens_the_saving() -> None:
    price = {"api": TokenPrices(0.002, 0.002)}
    apart, together = (
        monte_carlo([A10G], price, LOAD, COSTS, uncertainty=Uncertainty(correlation=each), draws=20_000)
        for each in (0.0, 0.5)
    )
    widths = [
        high - low for low, high in (each.saving_interval(A10G.name, "api") for each in (apart, together))
    ]
    assert widths[1] > 1.1 * widths[0]
    # One unknown of the four alone: the same triangle, whatever is said of the others.
    only = {"messages": Range(0.5, 1.0, 2.1)} | dict.fromkeys(list(SURE.ranges)[1:], Range(1, 1, 1))
    for correlation in (0.0, 0.5):
        given = Uncertainty(**only, correlation=correlation)
        found = monte_carlo([A10G], {"api": TokenPrices(1.0, 0.0)}, LOAD, COSTS, uncertainty=given)
        low, high = np.quantile(found.api_usd[:, 0], [0.1, 0.9]) / LOAD.messages_per_month
        assert low == pytest.approx(0.5 + math.sqrt(0.1 * 1.6 * 0.5), rel=0.01)
        assert high == pytest.approx(2.1 - math.sqrt(0.1 * 1.6 * 1.1), rel=0.01)


def test_a_correlation_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match="correlation of volume, lengths and peak must lie from 0"):
        Uncertainty(correlation=1.5)
