from __future__ import annotations

import pytest

from llmbench.economics import (
    HostingCosts,
    HostingOption,
    Workload,
    accepted_costs,
    break_even_of,
    hybrid_plans,
    levers,
    nightly_job,
    week_profile,
)
from llmbench.errors import UsageError

COSTS = HostingCosts()
A10G = HostingOption("A10G", 1, "m", "fp16", 1.006, 900, 700, 1200)
BROKEN = HostingOption("T4", 1, "m", "fp16", 0.5, 0, 0, 0, fits="does not fit")
LOAD = Workload(5_000_000, 500, 200, profile=week_profile(3))


def test_hybrid_by_its_definition() -> None:
    plans = hybrid_plans(A10G, LOAD, COSTS, 0.0004)
    assert plans[0].usd == pytest.approx(2000)
    assert plans[0].utilisation is None
    room = 900 / 200 * 3600 * 0.7
    hours = [5_000_000 / 730 * hour for hour in week_profile(3)]
    for plan in plans:
        served = sum(min(hour, plan.replicas * room) for hour in hours)
        assert plan.own_share == pytest.approx(served / sum(hours))
        assert plan.api_usd == pytest.approx(2000 * (1 - served / sum(hours)))
    assert plans[-1].own_share == pytest.approx(1)
    assert min(plans, key=lambda plan: plan.usd).replicas not in {0, plans[-1].replicas}


def test_waiting_messages_fill_the_quiet_hours() -> None:
    waiting = Workload(5_000_000, 500, 200, batch_share=0.5, profile=week_profile(3))
    now, later = hybrid_plans(A10G, LOAD, COSTS, 0.001)[1], hybrid_plans(A10G, waiting, COSTS, 0.001)[1]
    assert later.own_share > now.own_share
    assert later.utilisation is not None
    assert later.utilisation <= COSTS.utilisation_limit + 1e-9


def test_a_nightly_job_pays_for_its_hours_only() -> None:
    load = Workload(100_000, 500, 200, batch_share=1.0)
    job = nightly_job(A10G, load, HostingCosts(operations_hours=0, storage_usd=0))
    assert job.hours == pytest.approx(100_000 * 200 / 900 / 3600 + 730 / 24 * 5 / 60)
    assert job.usd == pytest.approx(job.hours * 1.006)
    with pytest.raises(UsageError, match="more than a day"):
        nightly_job(A10G, Workload(50_000_000, 500, 200), COSTS)


def test_egress_and_the_fallback_are_paid_for_in_every_way_to_buy() -> None:
    """They were in the month of machines that are always on, and in no other."""
    costs = HostingCosts(egress_usd_per_message=0.0001, fallback_share=0.2)
    load = Workload(100_000, 500, 200, batch_share=1.0)
    variable = 80_000 * 0.0001 + 20_000 * 0.003
    assert A10G.month(load, costs, 0.003).variable_usd == pytest.approx(variable)
    job = nightly_job(A10G, load, costs, fallback_usd_per_message=0.003)
    assert job.variable_usd == pytest.approx(variable)
    assert job.hours == pytest.approx(80_000 * 200 / 900 / 3600 + 730 / 24 * 5 / 60)
    assert job.usd == pytest.approx(job.hours * 1.006 + costs.fixed_usd + variable)
    nothing, one = hybrid_plans(A10G, load, costs, 0.0004, fallback_usd_per_message=0.003)
    assert (nothing.usd, nothing.variable_usd) == (pytest.approx(40), 0)
    assert one.variable_usd == pytest.approx(variable)
    assert (one.own_share, one.api_usd) == (pytest.approx(0.8), 0)
    assert one.utilisation == pytest.approx(A10G.month(load, costs).utilisation)
    with pytest.raises(UsageError, match="fallback_share is 1"):
        hybrid_plans(A10G, load, HostingCosts(fallback_share=1.0), 0.0004)


def test_a_month_of_720_hours_has_30_nights() -> None:
    load = Workload(100_000, 500, 200, batch_share=1.0)
    job = nightly_job(A10G, load, HostingCosts(month_hours=720))
    assert job.hours == pytest.approx(100_000 * 200 / 900 / 3600 + 30 * 5 / 60)


def test_levers_count_what_the_fallback_takes() -> None:
    costs = HostingCosts(operations_hours=0, fallback_share=0.2)
    load = Workload(100_000, 500, 200)
    found = {row.what: row for row in levers(A10G, load, costs, 0.02, fallback_usd_per_message=0.01)}
    month = A10G.month(load, costs, 0.01)
    assert month.variable_usd == pytest.approx(200)
    assert found["price of the API, a message"].needed == pytest.approx(month.usd / 100_000)
    assert found["rent of a replica, an hour"].needed == pytest.approx((2000 - 25 - 200) / 2 / 730)
    assert (
        found["messages a month"].needed
        == break_even_of(A10G, load, costs, 0.02, fallback_usd_per_message=0.01).first
    )


def test_no_messages_have_no_levers() -> None:
    with pytest.raises(UsageError, match="messages_per_month must be a number above 0"):
        levers(A10G, Workload(0, 500, 200), COSTS, 0.001)


def test_options_that_do_not_work() -> None:
    for function in (hybrid_plans, lambda *a: nightly_job(*a[:3])):
        with pytest.raises(UsageError, match="does not fit"):
            function(BROKEN, LOAD, COSTS, 0.001)  # type: ignore[operator]


def test_each_lever_alone_makes_both_sides_equal() -> None:
    load = Workload(100_000, 500, 200, profile=week_profile(3))
    found = {row.what: row for row in levers(A10G, load, HostingCosts(operations_hours=0), 0.00325)}
    month = A10G.month(load, HostingCosts(operations_hours=0))
    assert found["price of the API, a message"].needed == pytest.approx(month.usd / 100_000)
    rent = found["rent of a replica, an hour"].needed
    assert rent == pytest.approx((325 - 25) / 2 / 730)
    volume = found["messages a month"].needed
    assert volume == break_even_of(A10G, load, HostingCosts(operations_hours=0), 0.00325).first
    assert found["output tokens a second, a replica"].needed is None
    assert {row.what for row in levers(A10G, load, COSTS, 0.00014) if row.needed is None} == {
        "messages a month", "rent of a replica, an hour", "people's hours a month",
        "output tokens a second, a replica",
    } - ({"messages a month"} if break_even_of(A10G, load, COSTS, 0.00014).first else set())  # fmt: skip


def test_more_throughput_helps_by_whole_replicas() -> None:
    load = Workload(20_000_000, 500, 200, profile=week_profile(3))
    lever = next(row for row in levers(A10G, load, COSTS, 0.0003) if row.unit == "tokens/s")
    assert lever.needed is not None
    better = HostingOption("A10G", 1, "m", "fp16", 1.006, lever.needed, lever.needed, lever.needed)
    assert better.month(load, COSTS).usd <= 6000
    worse = lever.needed * 0.98
    assert (
        HostingOption("A10G", 1, "m", "fp16", 1.006, worse, worse, worse).month(load, COSTS).usd > 6000 - 735
    )


def test_a_better_model_is_compared_by_accepted_answers() -> None:
    """Trap 14: without quality, the 8B looks 23 times cheaper than gpt-4o."""
    found = accepted_costs({"8b": 0.00014, "gpt-4o": 0.00325}, {"8b": 0.05, "gpt-4o": 0.9}, fallback="gpt-4o")
    assert [row.name for row in found] == ["8b", "gpt-4o"]
    assert found[0].usd_per_accepted == pytest.approx(0.0028)
    assert found[0].usd_with_fallback == pytest.approx(0.00014 + 0.95 * 0.00325)
    assert accepted_costs({"8b": 1.0}, {"8b": 0.0})[0].usd_per_accepted == float("inf")
    with pytest.raises(UsageError, match="between 0 and 1"):
        accepted_costs({"8b": 1.0}, {"8b": 90.0})
    with pytest.raises(UsageError, match="fallback"):
        accepted_costs({"8b": 1.0}, {"8b": 0.9}, fallback="gpt-4o")
