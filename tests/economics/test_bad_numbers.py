"""What no float can hold, and what is no number at all, is refused by name and never a bare Python error."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from llmbench.economics import (
    HostingCosts,
    HostingOption,
    Machine,
    MachineRun,
    Money,
    MonteCarlo,
    Range,
    TokenPrices,
    Uncertainty,
    Workload,
    accepted_costs,
    adapted,
    api_cost,
    api_lines,
    availability,
    break_even,
    cached_tokens,
    cash_flow,
    cold_start_s,
    erlang_c,
    estimate,
    fit_machine,
    hybrid_plans,
    levers,
    memory_fit,
    monte_carlo,
    net_present_value,
    nightly_job,
    payback_month,
    replicas_needed,
    scaled_hours,
    throughput,
    tornado,
    waiting,
    week_profile,
)
from llmbench.economics.objective import Objective
from llmbench.errors import UsageError

LOAD = Workload(100_000, input_tokens=500, output_tokens=200)
COSTS = HostingCosts()
OPTION = HostingOption("T4", 1, "llama-3.1-8b", "fp16", 0.5, 1000.0, 800.0, 1200.0)
PRICES = TokenPrices(0.001, 0.002)


def _flow(**changed: Any) -> object:
    given = {"messages_per_month": 1e5, "migration_usd": 10.0} | changed
    return cash_flow(lambda messages: messages, lambda _, rent: rent, **given)


def _drawn(**changed: Any) -> MonteCarlo:
    return monte_carlo([OPTION], {"api": PRICES}, LOAD, COSTS, **({"draws": 100} | changed))


def _run(**changed: Any) -> Machine:
    return fit_machine("llama-3.1-8b", [MachineRun(500, 200, 1, 161.0, 61.0)._replace(**changed)])


TAKES: dict[str, Callable[[Any], object]] = {
    "servers": lambda bad: erlang_c(bad, 1.0),
    "offered_load": lambda bad: erlang_c(2, bad),
    "service_s": lambda bad: waiting(2, 1.0, bad),
    "seconds": lambda bad: waiting(2, 1.0, 1.0).beyond(bad),
    "share": lambda bad: waiting(2, 1.0, 1.0).quantile_s(bad),
    "requests_per_s": lambda bad: replicas_needed(bad, 32, 20.0),
    "late_share": lambda bad: replicas_needed(1.0, 32, 20.0, late_share=bad),
    "total": lambda bad: availability(bad, 1, 0.9),
    "each": lambda bad: availability(2, 1, bad),
    "discount_per_year": lambda bad: net_present_value([1.0, 2.0], bad),
    "messages_per_month": lambda bad: Workload(messages_per_month=bad, input_tokens=1, output_tokens=1),
    "growth_per_month": lambda bad: Workload(1, 1, 1, growth_per_month=bad),
    "profile": lambda bad: Workload(1, 1, 1, profile=(bad,) * 168),
    "input_tokens": lambda bad: api_cost("gpt-4o", bad, 1),
    "cached_tokens": lambda bad: api_cost("gpt-4o", 10, 1, cached_tokens=bad),
    "discount of all": lambda bad: api_lines(LOAD, ["gpt-4o"], discounts={"all": bad}),
    "output_tokens": lambda bad: memory_fit("llama-3.1-8b", "T4", input_tokens=1, output_tokens=bad),
    "n_gpu": lambda bad: memory_fit("llama-3.1-8b", "T4", bad),
    "concurrency": lambda bad: throughput("llama-3.1-8b", "T4", 1, "fp16", "vllm", 10, 10, concurrency=bad),
    "confidence": lambda bad: throughput("smollm2-135m", "T4", 1, "fp16", "vllm", 10, 10, confidence=bad),
    "peak_to_mean": week_profile,
    "usd_per_message of a": lambda bad: accepted_costs({"a": bad}, {"a": 0.5}),
    "accepted share of a": lambda bad: accepted_costs({"a": 1.0}, {"a": bad}),
    "own_usd_per_message": lambda bad: break_even(0.1, 100.0, 1e6, own_usd_per_message=bad),
    "achievable_utilisation": lambda bad: break_even(0.1, 100.0, 1e6, achievable_utilisation=bad),
    "capacity_per_month": lambda bad: break_even(0.1, 100.0, bad),
    "spare_replicas": lambda bad: break_even(0.1, 100.0, 1e6, spare_replicas=bad),
    "messages_per_month of a flow": lambda bad: _flow(messages_per_month=bad),
    "growth_per_month of a flow": lambda bad: _flow(growth_per_month=bad),
    "months": lambda bad: _flow(months=bad),
    "migration_usd": lambda bad: Money(migration_usd=bad),
    "gpu_fall_per_year": lambda bad: Money(gpu_fall_per_year=bad),
    "utilisation_limit": lambda bad: HostingCosts(utilisation_limit=bad),
    "usd_per_hour": lambda bad: replace(OPTION, usd_per_hour=bad),
    "high": lambda bad: replace(OPTION, high=bad),
    "queue_limit": lambda bad: replace(OPTION, queue_limit=bad),
    "fallback_usd_per_message": lambda bad: OPTION.month(LOAD, COSTS, bad),
    "usd_per_message": lambda bad: hybrid_plans(OPTION, LOAD, COSTS, bad),
    "start_minutes": lambda bad: nightly_job(OPTION, LOAD, COSTS, start_minutes=bad),
    "prefix_tokens": lambda bad: cached_tokens("openai", bad),
    "read_gb_per_s": lambda bad: cold_start_s(16.0, read_gb_per_s=bad),
    "least": lambda bad: scaled_hours([1.0], 10.0, least=bad),
    "range of messages": lambda bad: Uncertainty(messages=Range(0.5, 1.0, bad)),
    "draws": lambda bad: _drawn(draws=bad),
    "seed": lambda bad: _drawn(seed=bad),
    "messages_per_month of draws": lambda bad: _drawn(messages_per_month=bad),
    "confidence of draws": lambda bad: _drawn().saving_interval(OPTION.name, "api", bad),
    "input_usd": lambda bad: tornado(OPTION, TokenPrices(bad, 0.1), LOAD, COSTS),
    "tpot_ms": lambda bad: Objective(tpot_ms=bad),
    "in_flight": lambda bad: replace(OPTION, in_flight=bad),
    "The share of gpt-4o in a mix": lambda bad: estimate(LOAD, [], mixes=[{"gpt-4o": bad, "gpt-4": 0.5}]),
    "usd_per_message of levers": lambda bad: levers(OPTION, LOAD, COSTS, bad),
    "fallback_usd_per_message of levers": lambda bad: levers(
        OPTION, LOAD, COSTS, 0.01, fallback_usd_per_message=bad
    ),
    "ttft_ms": lambda bad: _run(ttft_ms=bad),
}
BAD = [10**400, 1e308, math.nan, -math.inf, -2, "3", True, [3], 1j, Decimal("0.5"), np.array([0.5])]


@pytest.mark.parametrize("bad", BAD, ids=repr)
@pytest.mark.parametrize("name", TAKES)
def test_what_is_no_number_that_can_be_meant_is_refused_by_name(name: str, bad: object) -> None:
    with pytest.raises(UsageError, match=re.sub(" of (draws|a flow|levers)$", "", name)):
        TAKES[name](bad)


def test_numbers_of_numpy_are_numbers() -> None:
    two: Any = np.int64(2)
    assert memory_fit("llama-3.1-8b", "T4", two) == memory_fit("llama-3.1-8b", "T4", 2)
    assert erlang_c(two, np.float64(1)) == erlang_c(2, 1)
    assert _drawn(draws=np.int64(100), seed=np.int64(1)).draws == 100
    short: Any = np.float32(16.0)
    assert math.isclose(cold_start_s(short), 76.0)


@pytest.mark.parametrize("bad", [10**400, 1e308, math.nan, None, "3"], ids=repr)
def test_an_amount_that_is_not_known_is_no_payback_that_never_comes(bad: Any) -> None:
    with pytest.raises(UsageError, match=r"cash\[1\] must"):
        payback_month([-1.0, bad])
    with pytest.raises(UsageError, match=r"cash\[1\] must"):
        net_present_value([-1.0, bad])


def test_less_than_one_request_in_flight_is_no_load() -> None:
    # The others' prompts would be read in less than no time.
    with pytest.raises(UsageError, match="in_flight of a run must be a number of at least 1"):
        _run(in_flight=0.5)


def test_a_part_of_a_replica_and_a_state_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="spare_replicas must be a whole number"):
        break_even(0.1, 100.0, 1e6, spare_replicas=0.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"fits of llama-3\.1-8b fp16 on T4 must be one of"):
        replace(OPTION, fits="yes")  # type: ignore[arg-type]


def test_a_capacity_without_end_is_one_that_is_not_looked_at() -> None:
    assert break_even(0.1, 100.0, math.inf).pays_from == 1000.0


def test_what_was_not_drawn_is_named() -> None:
    with pytest.raises(UsageError, match="against must be one of api, which were drawn; it is 'gpt-5'"):
        _drawn().probability_cheaper(OPTION.name, "gpt-5")


def test_a_measurement_that_is_not_above_0_cannot_be_fitted() -> None:
    from llmbench.catalog import measured_throughput

    bad = measured_throughput()[0]._replace(output_tokens_per_s=0.0, ttft_ms=None, tpot_ms=None)
    with pytest.raises(
        UsageError, match=r"output_tokens_per_s of a measured row of .* must be a number above"
    ):
        adapted([bad])
