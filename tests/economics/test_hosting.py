from __future__ import annotations

import math

import pytest

from llmbench.economics import HostingCosts, HostingOption, Workload, cheapest, week_profile
from llmbench.errors import UsageError

COSTS = HostingCosts()
LOAD = Workload(1_000_000, 500, 200, profile=week_profile(3))
SMALL = HostingOption("L4", 1, "m", "fp16", 0.8, 400, 300, 500)
LARGE = HostingOption("H100", 1, "m", "fp16", 4.0, 5000, 4000, 6000)
BROKEN = HostingOption("T4", 1, "m", "fp16", 0.5, 0, 0, 0, fits="does not fit")
SLOW = HostingOption("T4", 2, "m", "fp8", 0.5, 0, 0, 0)


def test_replicas_are_whole_and_hold_the_peak() -> None:
    load = Workload(2_000_000, 500, 200, profile=week_profile(3))
    month = SMALL.month(load, COSTS)
    peak = 2_000_000 / (730 * 3600) * 3 * 200  # output tokens a second in the busiest hour
    assert month.serving == math.ceil(peak / (400 * 0.7)) == 2
    assert month.replicas == 3
    assert month.rent_usd == pytest.approx(3 * 0.8 * 730)
    assert month.usd == pytest.approx(3 * 0.8 * 730 + 800 + 25)
    assert month.utilisation == pytest.approx(peak / 3 / 800)
    assert month.usd_per_million_tokens == pytest.approx(month.usd / 1400)


def test_messages_that_can_wait_make_no_peak() -> None:
    waiting = Workload(1_000_000, 500, 200, batch_share=1.0, profile=week_profile(3))
    assert waiting.peak_to_mean == 1
    assert SMALL.month(waiting, COSTS).serving == 1


def test_the_cheapest_option_that_works() -> None:
    option, month = cheapest([BROKEN, SLOW, LARGE, SMALL], LOAD, COSTS)
    assert option is SMALL
    assert month.usd < LARGE.month(LOAD, COSTS).usd


def test_where_none_works_each_reason_is_told() -> None:
    with pytest.raises(UsageError, match=r"T4 does not fit .*2x T4 does not answer within the latency"):
        cheapest([BROKEN, SLOW], LOAD, COSTS)


def test_the_fallback_share_is_paid_to_the_api() -> None:
    costs = HostingCosts(fallback_share=0.1)
    month = LARGE.month(LOAD, costs, 0.001)
    assert month.variable_usd == pytest.approx(100)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"utilisation_limit": 0}, "utilisation_limit"),
        ({"operations_hours": -1}, "operations_hours"),
        ({"spare_replicas": 0.5}, "spare_replicas"),
        ({"fallback_share": 1.5}, "fallback_share"),
    ],
)
def test_costs_that_cannot_be_meant(fields: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        HostingCosts(**fields)  # type: ignore[arg-type]


def test_a_negative_price_is_refused_with_the_options_name() -> None:
    with pytest.raises(UsageError, match=r"usd_per_hour of m fp16 on L4 must be a number of at least 0"):
        HostingOption("L4", 1, "m", "fp16", -0.8, 400, 300, 500)
